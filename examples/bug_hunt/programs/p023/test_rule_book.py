from rule_book import Rules


def test_upper_bound():
    assert Rules().at_most(3).complaints(4) == ["above 3"]


def test_both_bounds():
    rules = Rules().at_least(1).at_most(3)
    assert rules.complaints(2) == []
    assert rules.complaints(0) == ["below 1"]
