from datetime import datetime

import pytest
from job_report import report


def test_report():
    text = report("backup", datetime(2024, 1, 1, 2), datetime(2024, 1, 1, 2, 1))
    assert text == '{"job": "backup", "seconds": 60, "started": "2024-01-01 02:00:00"}'


def test_wrong_order():
    with pytest.raises(ValueError, match="end before"):
        report("backup", datetime(2024, 1, 2), datetime(2024, 1, 1))
