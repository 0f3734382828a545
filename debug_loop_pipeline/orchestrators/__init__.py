"""The units that put others in order, for one attempt in process. The batch orchestrator is the asset graph."""
