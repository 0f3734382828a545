from request_body import body, headers


def test_body():
    assert body(name="x", age=None) == b'{"name": "x"}'


def test_headers():
    assert headers(body()) == {"Content-Length": "2"}
