"""Asset checks: what must hold of the stored rows (https://docs.dagster.io/guides/test/asset-checks).

Unpartitioned on purpose: they speak of the table as it stands. Blocking only where a downstream asset would do harm with bad rows.
"""
