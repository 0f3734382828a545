from conversion import conversion, table


def test_conversion():
    assert conversion({"day": "Mon", "visitors": 8, "buyers": 2}) == 0.25


def test_day_without_visitors():
    rows = [{"day": "Mon", "visitors": 0, "buyers": 0}, {"day": "Tue", "visitors": 4, "buyers": 2}]
    assert table(rows) == [(0.5, "Tue"), (0.0, "Mon")]
