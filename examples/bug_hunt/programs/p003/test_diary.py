from datetime import datetime

from diary import Diary


def test_days(tmp_path):
    diary = Diary(tmp_path / "diary")
    diary.write("rain", datetime(2023, 3, 4, 5))
    diary.write("sun", datetime(2023, 3, 5, 6))
    assert diary.days() == ["2023-03-04", "2023-03-05"]
