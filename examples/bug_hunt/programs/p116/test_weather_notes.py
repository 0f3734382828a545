from weather_notes import common, tags


def test_tags():
    assert tags("north") == ["fog", "wind"]


def test_a_silent_station_has_no_tags():
    assert tags("east") == []


def test_nothing_in_common_with_a_silent_station():
    assert common("north", "east") == []
