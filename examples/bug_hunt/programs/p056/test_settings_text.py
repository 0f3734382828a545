from settings_text import as_text, size


def test_text():
    assert as_text({"b": 1, "a": [2]}) == '{"a": [2], "b": 1}'


def test_size():
    assert size({}) == 2
