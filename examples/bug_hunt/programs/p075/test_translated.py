from translated import coverage, missing


def test_missing():
    assert missing(["a", "b"], {"a": "A"}) == ["b"]


def test_coverage():
    assert coverage(["a", "b"], {"a": "A"}) == 50


def test_empty_book():
    assert coverage([], {"a": "A"}) == 0
