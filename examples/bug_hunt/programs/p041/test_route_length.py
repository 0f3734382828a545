from route_length import distance, route_length


def test_distance():
    assert distance((0, 0), (2, 3)) == 5


def test_route():
    assert route_length([(0, 0), (2, 0), (2, 5)]) == 7
