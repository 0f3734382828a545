from split_costs import owes, share


def test_owes():
    assert owes([30.0], 3, 5.0)


def test_even():
    assert share([30.0], 3) == 10.0


def test_cents():
    assert share([10.0], 3) == 3.33
