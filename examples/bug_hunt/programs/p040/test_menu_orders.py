from menu_orders import bill, split_bill


def test_bill():
    assert bill("soup,fish") == 19


def test_split():
    assert split_bill("soup,fish,cake", 2) == 12


def test_order_with_spaces():
    assert bill("soup, fish, cake") == 23
