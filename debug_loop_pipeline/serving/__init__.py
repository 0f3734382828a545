"""What agents get back, and how: the resident process and its socket, the Python API, hooks, the MCP server, the watcher.

Here: transport and the record of what was served. Not here: what a manifest holds (steps/manifest.py) and how it reads
(compute/serving/manifest_text.py).
"""
