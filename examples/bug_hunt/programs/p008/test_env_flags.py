import pytest
from env_flags import flag


def test_on_in_any_spelling():
    assert flag({"CACHE": "TRUE"}, "CACHE")
    assert flag({"CACHE": "on"}, "CACHE")


def test_absent_is_off():
    assert flag({}, "CACHE") is False


def test_a_name_is_needed():
    with pytest.raises(ValueError, match="name"):
        flag({}, "")
