"""Importers: each knows one native log format and turns it into trajectories (LOG_FORMATS).

What an attempt is belongs to the segmenter, what is stored to the effects; nothing here writes anything.
"""
