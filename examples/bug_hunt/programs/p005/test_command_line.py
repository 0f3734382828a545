from command_line import command, history


def test_command():
    assert command(["Copy", "a", "b"]) == ("copy", ["a", "b"])


def test_nothing_typed():
    assert command([]) is None


def test_history():
    assert history([["ls"], [], ["CD", "/"]]) == ["ls", "cd"]
