"""How fast it is: each module is a script that prints JSON; `python -m benchmarks` runs them all (docs/performance.md)."""
