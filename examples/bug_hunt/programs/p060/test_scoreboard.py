from scoreboard import add_score, read_scores


def test_before_the_first_game(tmp_path):
    assert read_scores(tmp_path / "scores") == {}


def test_only_the_best_counts(tmp_path):
    path = tmp_path / "scores"
    assert add_score(path, "ann", 5)
    assert not add_score(path, "ann", 3)
    assert read_scores(path) == {"ann": 5}
