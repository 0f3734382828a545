from clean_headers import names, without_private


def test_names():
    assert names({"b": 1, "a": 2}) == ["a", "b"]


def test_private_headers_go():
    assert without_private({"X-Trace": "1", "Host": "h", "x-id": "2"}) == {"Host": "h"}
