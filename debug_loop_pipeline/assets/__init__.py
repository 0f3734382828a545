"""Thin partitioned assets: read the partition's pending work, call a step, say what it did.

Here: partitions, dependencies and metadata (https://docs.dagster.io/guides/build/assets). Not here: what is computed (`steps/`, `compute/`).
"""
