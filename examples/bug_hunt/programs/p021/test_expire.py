from expire import Store


def test_nothing_to_sweep():
    store = Store()
    store.put("a", 1, 10)
    assert store.sweep(5) == 1


def test_sweep():
    store = Store()
    store.put("a", 1, 10)
    store.put("b", 2, 20)
    assert store.sweep(15) == 1
    assert list(store.entries) == ["b"]
