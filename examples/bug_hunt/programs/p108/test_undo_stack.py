from undo_stack import record, undo


def test_limit():
    assert record("c", ["b", "a"], limit=2) == ["c", "b"]


def test_undo():
    assert undo(["b", "a"]) == "a"


def test_fields_have_their_own_history():
    record("name")
    assert record("mail") == ["mail"]
