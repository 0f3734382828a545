from shelf_labels import Book, shelf


def test_label():
    assert Book("Emma", "Austen").label() == "AUSTEN: Emma"


def test_shelf_with_an_anonymous_work():
    assert shelf([Book("Emma", "Austen"), Book("Beowulf")]) == ["AUSTEN: Emma", "Beowulf"]
