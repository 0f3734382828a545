from energy import balance, worst

MARCH = {"name": "March", "used": 50, "made": 20}
APRIL = {"name": "April", "used": 30, "made": 45}
MAY = {"name": "May", "used": 25}


def test_worst():
    assert worst([MARCH, APRIL]) == "March"


def test_balance():
    assert balance([MARCH, APRIL]) == -15


def test_old_meter():
    assert balance([APRIL, MAY]) == -10
