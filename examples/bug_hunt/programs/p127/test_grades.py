from grades import passed, points


def test_points():
    assert points({"homework": 10, "exam": 20}) == 70


def test_passed():
    assert passed({"homework": 10, "exam": 20})


def test_exam_not_taken():
    assert points({"homework": 10}) == 10
