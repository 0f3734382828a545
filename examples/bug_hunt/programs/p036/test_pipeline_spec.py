from pipeline_spec import Stages


def test_one_worker():
    assert Stages().stage("load").plan() == ["load x1"]


def test_workers_may_be_set_first():
    assert Stages().parallel(4).stage("load").stage("sort", by="id").plan() == ["load x4", "sort x4"]
