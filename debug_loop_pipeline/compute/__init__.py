"""Compute units: pure functions of their arguments (DOMAIN section 1).

Here: one module per unit, and in packages by subject what they share (commands, source code, errors, fixes, ...). Not here: anything that reads a file, a clock, a database or a
random number. Each unit has a version constant; results may be cached by (input, version).
"""
