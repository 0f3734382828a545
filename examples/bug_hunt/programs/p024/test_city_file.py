from city_file import cities


def test_plain_names(tmp_path):
    file = tmp_path / "list"
    file.write_text("Rome\nBern\n")
    assert cities(file) == ["Bern", "Rome"]


def test_names_with_accents(tmp_path):
    file = tmp_path / "list"
    file.write_bytes(b"Z\xc3\xbcrich\nRome\n")
    assert cities(file) == ["Rome", "Z\u00fcrich"]
