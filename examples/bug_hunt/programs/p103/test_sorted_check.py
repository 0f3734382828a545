from sorted_check import first_jump, in_order


def test_first_jump():
    assert first_jump([1, 2, 9], 5) == 2


def test_in_order():
    assert in_order([1, 2, 2, 5])
    assert not in_order([1, 3, 2])
