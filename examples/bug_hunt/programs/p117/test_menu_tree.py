from menu_tree import depth, trail

ROOT = {"title": "Home"}
SHOP = {"title": "Shop", "parent": ROOT}


def test_depth():
    assert depth(SHOP) == 2


def test_a_new_trail_each_time():
    assert trail({"title": "Blog"}) == ["Blog"]
    assert trail(ROOT) == ["Home"]
