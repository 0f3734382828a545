from graph_prune import prune


def test_circle_stays():
    circle = {1: {2, 3}, 2: {1, 3}, 3: {1, 2}}
    assert sorted(prune(circle)) == [1, 2, 3]


def test_tail_goes():
    maze = {1: {2, 3}, 2: {1, 3}, 3: {1, 2, 4}, 4: {3, 5}, 5: {4}}
    assert sorted(prune(maze)) == [1, 2, 3]
