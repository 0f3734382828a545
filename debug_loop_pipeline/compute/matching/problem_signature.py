"""The problem signature: a request, normalised for comparison (DOMAIN 3.2).

Belongs here: the placeholders, their order, the hash. Not here: the words of the signature that a matcher indexes
(compute/matching/tfidf_index.py) and the category (compute/matching/problem_category.py).
"""

from __future__ import annotations

import hashlib
import re

PROBLEM_SIGNATURE_VERSION = 1
SIGNATURE_MAX_CHARS = 2_000

_RAW_MAX_CHARS = 1_000_000
"""What is read of a request while stepping over its fenced code."""
_PROSE_SIGNATURES = 8
"""What is read of the rest, in signatures' worth: little enough to stay below the time budget on any input."""
_QUOTED_MAX_CHARS = 200

PLACEHOLDERS = ("<code>", "<url>", "<path>", "<uuid>", "<hash>", "<literal>", "<num>")

_FENCE = re.compile(r"(```|~~~).*?(?:\1[`~]*|\Z)", re.DOTALL)

_NO_PLACEHOLDER = "(?!" + "|".join(PLACEHOLDERS) + ")"
"""A quoted literal never swallows a placeholder: what was too long to be one before stays none afterwards."""

_EXTENSIONS = (
    "py|pyi|pyx|ipynb|js|jsx|mjs|cjs|ts|tsx|mts|cts|vue|svelte|go|mod|sum|rs|java|kt|kts|scala|rb|php|cs|fs|c|h|cc|cpp|hpp|m|mm|"
    "swift|sh|bash|zsh|ps1|bat|sql|html|htm|css|scss|sass|less|json|jsonl|json5|yaml|yml|toml|ini|cfg|conf|env|lock|xml|svg|csv|"
    "tsv|parquet|md|mdx|rst|txt|log|diff|patch|proto|graphql|tf|gradle|png|jpg|jpeg|gif|pdf|zip|gz|tar|whl|db|sqlite|exs?|erl|hs|"
    "lua|r|jl|dart|zig|nix"
)
_PRODUCTS = "node|next|vue|nuxt|three|express|react|angular|ember|backbone|discord|socket|alpine|solid|asp"
"""`node.js` is a product, `index.js` a file."""


def _quoted(opening: str, closing: str) -> str:
    return rf"(?<!\w){opening}(?:{_NO_PLACEHOLDER}[^{opening}{closing}]){{1,{_QUOTED_MAX_CHARS}}}{closing}(?!\w)"


_PLACEHOLDER_RULES: tuple[tuple[str, str], ...] = (
    # Runs of plain words are stepped over at once: most of a request, and nothing below can begin inside them.
    ("kept", "|".join(PLACEHOLDERS) + r"|(?<![\w./\\@<-])(?:[a-z]++[ ,;]++)++"),
    ("url", r"\b(?:[a-z][a-z0-9+.-]{0,20}://|www\.)[^\s<>\"'`]+|\bgit@[\w.-]+:[^\s<>\"'`]+"),
    ("literal", "|".join(_quoted(*marks) for marks in (('"', '"'), ("'", "'"), ("“", "”"), ("‘", "’"), ("«", "»")))),
    ("uuid", r"(?<![\w-])[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?![\w-])"),
    (
        "path",
        # From a root: /a, ~/a, ./a, ../a, c:\a; then any with a known extension; then several directories deep.
        r"(?<![\w/.~<>])(?:~|\.{1,2})?/[\w.@+-]+(?:/[\w.@+*-]*)*(?::\d+){0,2}"
        r"|(?<!\w)[a-z]:[\\/][^\s\"'`<>|]+"
        rf"|(?<![\w./@-])(?!(?:{_PRODUCTS})\.js\b)(?:[\w.@+-]{{1,100}}[\\/]){{0,20}}[\w@+-][\w.@+-]{{0,100}}"
        rf"\.(?:{_EXTENSIONS})\b(?![\w/\\(-])(?::\d+){{0,2}}"
        r"|(?<![\w./@-])(?=[\d/.-]*[a-z_])[\w.@+-]{1,100}(?:/[\w.@+-]{1,100}){2,20}/?(?::\d+){0,2}",
    ),
    ("hash", r"\b(?:sha(?:1|256|512)[:-])?(?=[a-f]{0,64}\d)(?=\d{0,64}[a-f])[0-9a-f]{7,64}\b"),
    (
        "num",
        r"\b\d{4}-\d\d-\d\d(?:[t ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:z|[+-]\d\d:?\d\d)?)?\b"
        r"|\b0x[0-9a-f]+\b"
        r"|\bv?\d+(?:[.,:]\d+)*(?:e[+-]?\d+)?(?:ns|us|ms|s|sec|min|h|d|b|k|kb|m|mb|g|gb|tb|px|em|rem|x|%)?(?![\w])",
    ),
)
_RULES = re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in _PLACEHOLDER_RULES))


def problem_signature(request: str, max_chars: int = SIGNATURE_MAX_CHARS) -> str:
    """The request in lower case, with placeholders, white space folded, at most `max_chars` characters.

    Fenced code, URLs, paths, UUIDs, hashes, quoted literals and numbers become placeholders. Idempotent; linear in the
    request's length. A cut falls between words where there are any.
    """
    text = _FENCE.sub(" <code> ", request[:_RAW_MAX_CHARS].lower())[: _PROSE_SIGNATURES * max_chars]
    while True:
        # Cutting, or a placeholder beside a mark, can leave something that reads as a value only now: once more then.
        # Every further turn has replaced or cut something, and two suffice but for inputs made to prevent it.
        normalised = _cut(_RULES.sub(_placeholder, " ".join(text.replace("`", " ").split())), max_chars)
        if normalised == text:
            return normalised
        text = normalised


def problem_hash(signature: str) -> str:
    """SHA-256 of a problem signature, hex."""
    return hashlib.sha256(signature.encode("utf-8", "surrogatepass")).hexdigest()


def _placeholder(match: re.Match[str]) -> str:
    return match[0] if match.lastgroup == "kept" else f"<{match.lastgroup}>"


def _cut(text: str, max_chars: int) -> str:
    if len(text) <= max_chars:
        return text
    space = text.rfind(" ", 0, max_chars + 1)
    return text[:space] if space > 0 else text[:max_chars]
