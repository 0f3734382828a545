import json
from datetime import datetime

from photo_index import index, save

PHOTOS = [{"name": "sea", "taken": datetime(2022, 8, 9, 10)}]


def test_index():
    assert index(PHOTOS)["sea"].year == 2022


def test_save(tmp_path):
    save(PHOTOS, tmp_path / "index")
    assert json.loads((tmp_path / "index").read_text()) == {"sea": "2022-08-09 10:00:00"}
