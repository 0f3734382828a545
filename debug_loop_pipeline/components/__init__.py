"""Dagster components: what `dg scaffold` can write and `dg` can load (https://docs.dagster.io/guides/build/components)."""

from debug_loop_pipeline.components.unit import UnitComponent

__all__ = ["UnitComponent"]
