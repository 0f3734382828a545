from discount import cheapest, discounted


def test_half():
    assert discounted(8.0, 50) == 4.0


def test_cheapest():
    assert cheapest([8.0, 4.0], 25) == 3.0


def test_ten_percent():
    assert discounted(3.3, 10) == 2.97
