import pytest
from recipe_card import Card, parse


def test_plain_card():
    assert parse(b"Tea\nboil water") == Card("Tea", ["boil water"])


def test_empty_card():
    with pytest.raises(ValueError, match="empty"):
        parse(b"")


def test_french_card():
    assert parse("Cr\u00eape\nm\u00e9langer".encode()) == Card("Cr\u00eape", ["m\u00e9langer"])
