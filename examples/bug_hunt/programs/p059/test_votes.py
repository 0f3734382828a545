from votes import Election

RESULTS = {"north": {"red": 10, "blue": 7}, "south": {"red": 4}}


def test_winner():
    assert Election(RESULTS).winner("north") == "red"


def test_votes():
    assert Election(RESULTS).votes("red") == 14


def test_party_that_did_not_run_everywhere():
    assert Election(RESULTS).votes("blue") == 7
