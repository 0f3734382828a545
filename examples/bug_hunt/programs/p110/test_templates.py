from templates import fill


def test_fill():
    assert fill("{a}!", a=1) == "1!\n-- Bye"


def test_invitation():
    from mailer import invite

    assert invite("Ann", "Monday") == "Hello Ann, see you on Monday.\n-- Bye"
