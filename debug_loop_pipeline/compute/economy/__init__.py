"""The token economy beside its units: identities, one decision, metrics, rings, simulation."""
