from logout import Sessions


def test_tick():
    sessions = Sessions({"ann": 1})
    sessions.tick(2)
    assert sessions.idle == {"ann": 3}


def test_log_out():
    sessions = Sessions({"ann": 45, "bo": 10, "cy": 31})
    sessions.log_out()
    assert sessions.idle == {"bo": 10}
