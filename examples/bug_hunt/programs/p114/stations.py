"""Weather stations."""

from weather_api import url

STATIONS = {"OSL": "Oslo", "BER": "Berlin"}


def codes():
    """Codes of all stations."""
    return sorted(STATIONS)


def links():
    """Addresses by the name of the station."""
    return {name: url(code) for code, name in STATIONS.items()}
