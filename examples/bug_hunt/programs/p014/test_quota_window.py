from collections import deque
from datetime import UTC, datetime

from quota_window import note, trim


def test_old_requests_go():
    requests = deque([datetime(2011, 1, 1, tzinfo=UTC), datetime(2012, 1, 1, tzinfo=UTC)])
    note(requests)
    assert trim(requests) == 1


def test_empty():
    assert trim(deque()) == 0
