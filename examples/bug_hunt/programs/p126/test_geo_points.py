from geo_points import read_points, write_points


def test_there_and_back():
    assert read_points(write_points([(1, 2), (3, 4)])) == [(1, 2), (3, 4)]


def test_none():
    assert write_points([]) == "[]"
