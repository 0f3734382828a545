import pytest
from inventory_trim import drop_sold_out, sell


def test_sell():
    shelf = {"tea": 1}
    sell(shelf, "tea")
    assert shelf == {"tea": 0}
    with pytest.raises(LookupError):
        sell(shelf, "tea")


def test_sold_out():
    shelf = {"tea": 0, "salt": 3, "rice": 0}
    assert drop_sold_out(shelf) == ["tea", "rice"]
    assert shelf == {"salt": 3}
