from feed import events, kinds


def test_events():
    assert events(['{"kind": "a"}', "", '{"kind": "b"}']) == [{"kind": "a"}, {"kind": "b"}]


def test_kinds():
    assert kinds(['{"kind": "a"}', '{"kind": "a"}']) == {"a"}
