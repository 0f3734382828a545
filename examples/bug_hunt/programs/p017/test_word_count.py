from word_count import count, most_frequent


def test_count():
    assert count(b"a B a") == {"a": 2, "b": 1}


def test_other_scripts():
    assert most_frequent([b"tea", "\u8336 \u8336".encode()]) == "\u8336"
