from http_body import Response


def test_summary():
    assert Response(200, b"ok").summary() == "200 ok"


def test_body_in_greek():
    assert Response(404, "\u03bb not found".encode()).summary() == "404 \u03bb not found"
