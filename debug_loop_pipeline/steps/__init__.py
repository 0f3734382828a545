"""The body of each asset: compute and effects over a batch of attempts. No dagster here."""
