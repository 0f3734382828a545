from bigrams import bigrams, follows


def test_pairs():
    assert bigrams("To be or") == [("to", "be"), ("be", "or")]


def test_follows():
    assert follows("a b a c", "a") == {"b", "c"}
