from header_row import Sheet


def test_column():
    assert Sheet().column([["a ", "b"], ["1", "2"], ["3", "4"]], "b") == ["2", "4"]


def test_empty_sheet():
    assert Sheet().columns([]) is None
