from hit_rate import Statistics


def test_rate():
    statistics = Statistics()
    statistics.note(True)
    statistics.note(False)
    assert statistics.rate() == 0.5


def test_before_the_first_request():
    assert Statistics().rate() == 0
