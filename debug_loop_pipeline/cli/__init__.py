"""The command `debug-loop`.

Belongs here: reading arguments, calling the code that does the work, showing the result. Not here: the work itself.
Each command's module is imported when that command runs, so that `--help` and short commands stay fast.
"""
