from lookup_file import dial, extensions

LINES = ["Ann: 12", "Bo: 34"]


def test_extensions():
    assert extensions(LINES) == {"Ann": 12, "Bo": 34}


def test_dial():
    assert dial(LINES, "Bo") == "0-34"


def test_typed_with_a_space():
    assert dial(LINES, " Ann") == "0-12"
