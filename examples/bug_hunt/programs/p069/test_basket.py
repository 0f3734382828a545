from basket import put, weight


def test_given_basket():
    assert put("pear", ["plum"]) == ["plum", "pear"]


def test_each_basket_is_new():
    put("apple")
    assert put("bread") == ["bread"]


def test_weight():
    assert weight(["pear", "pear"], {"pear": 150}) == 300
