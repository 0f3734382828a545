from audit import entry


def test_entry():
    assert entry("fee", 3) == "fee 3 EUR"


def test_deposit():
    from accounts import deposit

    assert deposit(10, 5) == (15, "deposit 5 EUR")
