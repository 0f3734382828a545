from currency import convert, to_euro


def test_table():
    assert to_euro(2, "USD") == 184


def test_line():
    assert convert("3 GBP") == 351


def test_spaces_behind_the_code():
    assert convert("3 GBP ") == 351
