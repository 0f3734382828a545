"""Error messages as groups: rules of the normaliser, categories, identity, frames, cost."""
