"""PostgreSQL, Kafka and Valkey as Dagster resources: thin holders of the effects' clients.

Here: how an asset, sensor or check gets at a server (https://docs.dagster.io/guides/build/external-resources). Not here: any statement
or message (`effects/`).
"""
