import io

from ini_words import settings


def test_plain():
    assert settings(io.BytesIO(b"a = 1\n\nb=2\n")) == {"a": "1", "b": "2"}


def test_currency_signs():
    assert settings(io.BytesIO("price = 3 \u20ac\n".encode())) == {"price": "3 \u20ac"}
