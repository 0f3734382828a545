from split_columns import halves, split


def test_halves():
    assert halves("a/b") == ("a", "b")


def test_split():
    record = {"line": "7", "route": "Oslo/Bergen"}
    assert split(record) == {"line": "7", "route": "Oslo/Bergen", "route_from": "Oslo", "route_to": "Bergen"}
