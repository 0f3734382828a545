from plugin_list import Registry


def test_unknown_plugins_are_left_out():
    assert Registry().enabled(["vim", "lint"], ["spell"]) == ["spell", "lint"]


def test_lists_are_apart():
    registry = Registry()
    registry.enabled(["spell"])
    assert registry.enabled(["lint"]) == ["lint"]
