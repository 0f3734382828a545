from contacts import display_name, initials


def test_initials():
    assert initials({"name": "Ada Lovelace"}) == "AL"


def test_nickname_wins():
    assert display_name({"name": "Ada Lovelace", "nickname": " Ada "}) == "Ada"


def test_without_nickname():
    assert display_name({"name": "Ada Lovelace", "nickname": None}) == "Ada Lovelace"
