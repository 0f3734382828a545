from event_log import Log, tail


def test_tail():
    log = Log("web", ["web: start"])
    log.write("stop")
    assert tail(log) == ["web: stop"]


def test_logs_are_apart():
    Log("api").write("start")
    second = Log("job")
    second.write("run")
    assert second.lines == ["job: run"]
