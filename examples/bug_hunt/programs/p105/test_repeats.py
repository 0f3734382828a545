from repeats import complain, doubled


def test_doubled():
    assert doubled(["a", "a", "b"]) == [0]


def test_complaints():
    assert complain("the the end is is near") == ["the at 0", "is at 3"]
