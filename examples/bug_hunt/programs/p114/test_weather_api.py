import pytest
from weather_api import url


def test_unknown():
    with pytest.raises(LookupError):
        url("XXX")


def test_links():
    from stations import links

    assert links() == {"Oslo": "/stations/OSL/now", "Berlin": "/stations/BER/now"}
