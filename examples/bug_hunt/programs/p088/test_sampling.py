from sampling import sentences, words_per_sentence


def test_sentences():
    assert sentences("One. Two three. ") == ["One", "Two three"]


def test_mean():
    assert words_per_sentence("One. Two three four.") == 2


def test_empty_text():
    assert words_per_sentence("") == 0
