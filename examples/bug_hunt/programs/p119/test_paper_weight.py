from paper_weight import parcel, sheet_weight


def test_parcel():
    assert parcel(500) == 2495


def test_square_metre():
    assert sheet_weight(80, 1000, 1000) == 80


def test_a4():
    assert sheet_weight(80, 210, 297) == 4.99
