import pytest
from next_job import Job, next_job


def test_most_urgent():
    assert next_job([Job("mail", 3), Job("fire", 1)]) == "fire"


def test_scale():
    with pytest.raises(ValueError, match="urgency"):
        next_job([Job("mail", 3)], least=0)


def test_nothing_to_do():
    assert next_job([]) is None
