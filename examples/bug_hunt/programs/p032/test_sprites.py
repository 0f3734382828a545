from sprites import Atlas

ATLAS = Atlas({"hero": (0, 0), "door": (2, 1)})


def test_names():
    assert ATLAS.names() == ["door", "hero"]


def test_box():
    assert ATLAS.box("door") == (32, 16, 48, 32)


def test_names_from_a_map_file():
    assert ATLAS.box("hero\n", size=8) == (0, 0, 8, 8)
