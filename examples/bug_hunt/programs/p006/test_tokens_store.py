from tokens_store import make_token


def test_length():
    assert make_token("a-long-name", 1) == "a-long-n"


def test_log_in():
    from login import log_in

    assert log_in("bo") == "bo0xxxxx"
