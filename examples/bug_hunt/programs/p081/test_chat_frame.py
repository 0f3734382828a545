import pytest
from chat_frame import decode, encode


def test_there_and_back():
    assert decode(encode("hello")) == "hello"


def test_cut_frame():
    with pytest.raises(ValueError, match="cut"):
        decode(b"9:hello")


def test_umlauts_survive():
    assert decode(encode("sch\u00f6n")) == "sch\u00f6n"
