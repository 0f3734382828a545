from invoice import articles, invoice_total


def test_articles():
    assert articles([(1.0, 2), (2.0, 3)]) == 5


def test_whole_euros():
    assert invoice_total([(2.0, 3)]) == 6.0


def test_cents():
    assert invoice_total([(0.1, 1), (0.2, 1)]) == 0.3
