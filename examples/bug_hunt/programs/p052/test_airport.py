from airport import Ticket


def test_route():
    assert Ticket("OSL>FRA").route() == ("Oslo", "Frankfurt")


def test_unknown_end():
    assert Ticket("OSL>XXX").route() == ("Oslo", "?")


def test_printed_with_spaces():
    assert Ticket("OSL > JFK").route() == ("Oslo", "New York")
