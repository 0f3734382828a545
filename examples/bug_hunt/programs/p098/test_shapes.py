from shapes import Square


def test_area():
    assert Square(3).area() == 9


def test_drawing():
    from drawing import draw

    assert draw(2) == ["rr", "rr"]
