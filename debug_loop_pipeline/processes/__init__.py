"""Dagster's own processes as `debug-loop dev` and `deploy/` run them: code server, daemon, Celery worker.

Here: what makes them answer in moments where the stock ones take seconds. Each module is started with `python -m`. Not here: what they
run (`definitions`), who starts and stops them (`cli/dev`).
"""
