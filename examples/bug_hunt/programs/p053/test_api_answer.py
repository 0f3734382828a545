from datetime import datetime

from api_answer import answer, health


def test_answer():
    assert answer([1], 201) == (201, {"Content-Type": "application/json"}, b"[1]")


def test_health():
    assert health(datetime(2024, 2, 3))[2] == b'{"ok": true, "since": "2024-02-03 00:00:00"}'
