import pytest
from codes import letters


def test_letters():
    assert letters(".-/-...") == "ab"


def test_separator():
    with pytest.raises(ValueError, match="separator"):
        letters(".-", "")


def test_spaces_around():
    assert letters("-.-. / .- / -...") == "cab"
