from fuel import Tank


def test_empty():
    assert Tank().litres() == 0.0


def test_fills():
    tank = Tank()
    for _ in range(3):
        tank.fill(0.1)
    assert tank.litres() == 0.3
