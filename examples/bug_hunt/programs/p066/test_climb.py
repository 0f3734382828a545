from climb import climbs, total_climb


def test_climbs():
    assert climbs([100, 150, 120]) == [50, -30]


def test_total():
    assert total_climb([100, 150, 120, 130]) == 60
