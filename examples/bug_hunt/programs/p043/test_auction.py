from auction import closes_in, open_lots


def test_closed():
    assert closes_in({"name": "vase", "end": "2001-02-03T04:05:06"}) == 0


def test_open_lots():
    lots = [{"name": "vase", "end": "2001-02-03T04:05:06"}, {"name": "lamp", "end": "2999-01-01T00:00:00"}]
    assert open_lots(lots) == ["lamp"]
