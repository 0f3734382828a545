from permissions import may, rights


def test_rights():
    assert rights(["reader", "writer"]) == ["read", "write"]


def test_may():
    assert not may(["reader"], "write")


def test_export_pads_its_columns():
    assert rights(["admin   "]) == ["grant", "read", "write"]
