"""Debug intelligence and a token economy for AI agent executions, on Dagster."""

__version__ = "0.1.0"
