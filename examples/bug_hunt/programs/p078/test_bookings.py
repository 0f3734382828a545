from bookings import arrival, export


def test_plain():
    assert export({"guest": "Ann"}) == '{"guest": "Ann"}'


def test_with_arrival():
    assert export(arrival("Ann", 2024, 5, 1)) == '{"guest": "Ann", "arrival": "2024-05-01 15:00:00"}'
