from subtitles import clean, longest


def test_clean():
    assert clean(["... Hello.", "World "]) == ["Hello", "World"]


def test_gap():
    assert clean(["Hello.", None, "World"]) == ["Hello", "", "World"]


def test_longest_over_a_gap():
    assert longest(["Hi", None, "Hello"]) == 5
