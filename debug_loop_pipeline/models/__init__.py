"""Frozen models of what crosses a boundary (DOMAIN vocabulary). No behaviour beyond validation."""
