from report_page import Page


def test_lines():
    assert Page().line("a").line("b").render() == "a\nb"


def test_title_first():
    assert Page().title("Sales").line("none").render() == "Sales\n=====\nnone"
