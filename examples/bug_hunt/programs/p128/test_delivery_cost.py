from delivery_cost import cost


def test_light_parcel():
    assert cost(1, "FR") == 7


def test_heavy_parcel():
    assert cost(5, "US") == 16


def test_country_without_agreement():
    assert cost(1, "IS") == 4
