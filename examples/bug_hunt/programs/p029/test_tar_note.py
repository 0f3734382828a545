from tar_note import pack, unpack


def test_there_and_back():
    assert unpack(pack({"a": "one", "b": "two"})) == {"a": "one", "b": "two"}


def test_note_with_a_dash():
    assert unpack(pack({"a": "1914\u20131918"})) == {"a": "1914\u20131918"}
