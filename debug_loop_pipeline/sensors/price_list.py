"""Asks for the price catalog when another price list is installed."""

from importlib.metadata import version

import dagster as dg

_PACKAGE = "genai-prices"


def price_list_sensor(job_name: str) -> dg.SensorDefinition:
    """The sensor for the catalog's job. Its run key names the installed version, so each version is taken in once."""

    @dg.sensor(
        name="price_list",
        job_name=job_name,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="One run per installed version of the price list, the first one included.",
    )
    def price_list() -> dg.RunRequest:
        return dg.RunRequest(run_key=f"{_PACKAGE} {version(_PACKAGE)}")

    return price_list
