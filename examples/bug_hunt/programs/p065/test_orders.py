from orders import order_number


def test_number():
    assert order_number(2024, 7) == "2024-0007-1"


def test_letter():
    from customers import welcome

    assert welcome("Ann", 2024) == "Dear Ann, your order 2024-0001-1 is on its way."
