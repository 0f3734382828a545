from stock import shortage, stock_value


def test_shortage():
    assert shortage({"nut": 4}, {"nut": 5, "bolt": 1}) == ["bolt", "nut"]


def test_value():
    assert stock_value({"nut": 4, "bolt": 2}, {"nut": 3, "bolt": 5}) == 22


def test_article_without_price():
    assert stock_value({"nut": 4, "gear": 1}, {"nut": 3}) == 12
