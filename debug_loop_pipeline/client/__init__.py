"""What runs inside an agent's process: logger, spool, redaction. Imports no dagster, and pydantic only where a model
is passed.

Here: code that must start fast and never harm its host. Not here: anything that talks to PostgreSQL (effects/).
"""

from debug_loop_pipeline.client.logger import AgentExecutionLogger, Logged

__all__ = ["AgentExecutionLogger", "Logged"]
