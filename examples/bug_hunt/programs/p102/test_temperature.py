from temperature import to_celsius, to_fahrenheit


def test_to_fahrenheit():
    assert to_fahrenheit(100) == 212


def test_boiling():
    assert to_celsius(212) == 100


def test_body():
    assert to_celsius(98.6) == 37
