from lexer import tokens


def test_tokens():
    assert tokens("1 + 22-3") == ["1", "+", "22", "-", "3"]


def test_evaluate():
    from parser_core import evaluate

    assert evaluate("1 + 22 - 3") == 20
