"""STFHashCompute: the identity of a piece of code (DOMAIN 3.4).

SHA-256 over the language and the normalised token stream. Formatting does not change it: blanks, comments, quotes,
redundant parentheses, trailing commas, statement ends, spelling of numbers. Any other change of a leaf or of the block
structure does.
"""

from __future__ import annotations

import hashlib

from debug_loop_pipeline.compute.code.languages import language_named
from debug_loop_pipeline.compute.code.source_tree import parse_source
from debug_loop_pipeline.compute.code.syntax_tokens import normalised_tokens

HASH_VERSION = "2"
_SEPARATOR = "\0"
"""Occurs in no source that parses, and in no token: literals are written with escapes."""


def stf_hash(code: str, language: str, docstrings: bool = True) -> str:
    """The hash of a function, method or class.

    Args:
        code: its source.
        language: its language, by name or alias.
        docstrings: whether Python docstrings count.

    Returns:
        64 hexadecimal digits, the same in every process and under every Python version.

    Raises:
        SourceError: the code is too large, too deep or malformed.
        UnsupportedLanguageError: no grammar for the language.
    """
    spec = language_named(language)
    tokens = normalised_tokens(parse_source(code, spec, standalone=True), docstrings=docstrings)
    return hashlib.sha256(_SEPARATOR.join((spec.name, *tokens)).encode("utf-8", "surrogatepass")).hexdigest()
