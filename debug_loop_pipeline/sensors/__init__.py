"""Sensors and schedules: what asks for a run (https://docs.dagster.io/guides/automate/sensors). The decision is a pure function each."""
