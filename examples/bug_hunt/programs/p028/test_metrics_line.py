from metrics_line import line, lines


def test_line():
    assert line("hits", 3, host="a") == 'hits {"host": "a"} 3'


def test_lines():
    assert lines({"b": 1, "a": 2}) == ["a {} 2", "b {} 1"]
