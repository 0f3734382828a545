from last_message import preview, unread


def test_unread():
    assert unread(["a", "b"], 1) == 1


def test_preview():
    assert preview(["hi", "a very long message"]) == "a very long…"


def test_new_chat():
    assert preview([]) is None
