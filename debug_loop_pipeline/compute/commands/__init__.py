"""Command lines and their outputs: structure, goals, changes, exit codes, summaries, verdicts, errors cut out."""
