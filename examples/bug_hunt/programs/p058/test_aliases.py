from aliases import find, with_short_forms


def test_short_forms():
    assert with_short_forms({"Ann Lee": 1}) == {"Ann Lee": 1, "Ann": 1}


def test_find():
    assert find({"Ann Lee": 1, "Bo Ek": 2}, "Bo") == 2
    assert find({"Ann Lee": 1}, "Cy") is None
