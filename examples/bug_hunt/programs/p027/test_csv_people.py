from csv_people import names


def test_names(tmp_path):
    table = tmp_path / "people"
    table.write_bytes(b"name,age\nAnn,30\n")
    assert names(table) == ["Ann"]


def test_foreign_names(tmp_path):
    table = tmp_path / "people"
    table.write_bytes("name,age\nBj\u00f6rn,41\nMa\u00f1uel,7\n".encode())
    assert names(table) == ["Bj\u00f6rn", "Ma\u00f1uel"]
