"""What counts as a word of a problem or of a function's text, and the term it is found by (DOMAIN 3.6).

Apart from the index of them (tfidf_index.py), so that telling a category does not load SciPy.
"""

from __future__ import annotations

import re

from debug_loop_pipeline.compute.matching.problem_signature import PLACEHOLDERS

TERM_MAX_BYTES = 40

_WORD = re.compile(r"[^\W_]+")
_ASCII_BETWEEN_WORDS = {code: " " for code in range(128) if not chr(code).isalnum()}
_CAMEL_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def document_text(signature: str, name: str, description: str) -> str:
    """The text an STF is found by: problem signature, name split at its humps, description."""
    return f"{signature} {_CAMEL_HUMP.sub(' ', name)} {description}".lower()


def term_of(token: str) -> bytes:
    """The index term of one lower-case token: plural endings folded (Harman's S-stemmer), at most 40 bytes."""
    if len(token) > 3 and token.endswith("s") and token.isascii():
        if token.endswith("ies"):
            token = token if token[-4] in "ea" else token[:-3] + "y"
        elif token.endswith("es"):
            token = token if token[-3] in "aeo" else token[:-1]
        elif token[-2] not in "us":
            token = token[:-1]
    return token.encode("utf-8", "surrogatepass")[:TERM_MAX_BYTES]


def without_placeholders(text: str) -> str:
    """The text without what a problem signature puts for a path, a literal and so on: no word of it says anything."""
    if "<" in text:
        for placeholder in PLACEHOLDERS:
            text = text.replace(placeholder, " ")
    return text


def words_of(text: str) -> list[str]:
    """Runs of letters and digits, without placeholders."""
    text = without_placeholders(text)
    if text.isascii():  # Five times as fast as the expression, with the same result.
        return text.translate(_ASCII_BETWEEN_WORDS).split()
    return _WORD.findall(text)
