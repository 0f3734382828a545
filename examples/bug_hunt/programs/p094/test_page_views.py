from page_views import busiest, merge


def test_busiest():
    assert busiest({"home": 3, "news": 9}) == "news"


def test_same_pages():
    assert merge({"home": 1}, {"home": 2}) == {"home": 3}


def test_page_that_one_server_never_served():
    assert merge({"home": 1, "news": 4}, {"home": 2}) == {"home": 3, "news": 4}
