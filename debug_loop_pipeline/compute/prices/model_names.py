"""Which provider and model a name in a log means.

Logs name one model in many ways: `claude-sonnet-4-6`, `anthropic/claude-sonnet-4.6`, `openrouter/anthropic/...`,
`us.anthropic.claude-sonnet-4-5-20250929-v1:0`, `claude-opus-4-6[1m]`. Belongs here: the spellings. Not here: prices.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_PROVIDER_WORDS: tuple[tuple[str, str], ...] = (
    # A host goes before the vendor whose models it serves: "azure-openai" is billed by Azure.
    ("openrouter", "openrouter"),
    ("bedrock", "aws"),
    ("amazon", "aws"),
    ("azure", "azure"),
    ("vertex", "google"),
    ("copilot", "github-copilot"),
    ("together", "together"),
    ("fireworks", "fireworks"),
    ("cerebras", "cerebras"),
    ("groq", "groq"),
    ("gemini", "google"),
    ("google", "google"),
    ("anthropic", "anthropic"),
    ("claude", "anthropic"),
    ("openai", "openai"),
    ("codex", "openai"),
    ("xai", "x-ai"),
    ("grok", "x-ai"),
    ("deepseek", "deepseek"),
    ("mistral", "mistral"),
    ("moonshot", "moonshotai"),
    ("kimi", "moonshotai"),
    ("zhipu", "zhipuai"),
    ("z.ai", "zai"),
    ("z-ai", "zai"),
    ("minimax", "minimax"),
    ("perplexity", "perplexity"),
    ("cohere", "cohere"),
)

_VENDOR_OF_MODEL: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"claude"), "anthropic"),
    (re.compile(r"^(?:gpt-|chatgpt|codex|o\d\b|o\d-|ft:gpt-|text-embedding-|davinci)"), "openai"),
    (re.compile(r"gemini"), "google"),
    (re.compile(r"deepseek"), "deepseek"),
    (re.compile(r"grok"), "x-ai"),
    (re.compile(r"(?:mi|co|dev|magi|mini)stral|mixtral"), "mistral"),
    (re.compile(r"kimi|moonshot"), "moonshotai"),
    (re.compile(r"^glm-"), "zai"),
    (re.compile(r"^minimax"), "minimax"),
    (re.compile(r"^command"), "cohere"),
    (re.compile(r"^sonar"), "perplexity"),
)

LIST_PRICE_RESELLERS = frozenset({"aws", "azure", "google", "openrouter"})
"""Hosts that sell other vendors' models at list price: where they name no price of their own, the vendor's holds."""

_BRACKET_SUFFIX = re.compile(r"\[[^\]]*\]$")
_CLOUD_REGION = re.compile(r"^(?:us|eu|apac|jp|au|ca|sa|me|af|global|us-gov|regional)\.(?=[a-z0-9-]+\.)")
_CLOUD_VENDOR = re.compile(
    r"^(?:anthropic|amazon|meta|mistral|deepseek|cohere|ai21|openai|qwen|moonshotai?|minimax|zai)\.(?=[a-z])"
)
_CLOUD_VERSION = re.compile(r"-v\d+(?::\d+)?(?::\d+k)?$|@default$")
_COMPACT_DATE = re.compile(r"([-@])(20\d\d)(0[1-9]|1[0-2])([0-3]\d)(?=$|[-:])")
_DATE_SUFFIX = re.compile(r"[-@](?:20\d{6}|20\d\d-\d\d-\d\d)$|-latest$")
_DIGIT_DOT = re.compile(r"(?<=\d)\.(?=\d)")
_DIGIT_DASH = re.compile(r"(?<=-\d)-(?=\d(?:-|$))")


def canonical_provider(name: str | None, known: frozenset[str]) -> str | None:
    """Catalog provider that `name` means, or None.

    Args:
        name: The provider as a log tells it (`bedrock`, `openai-codex`, `vertex_ai`, ...).
        known: Providers the catalog has.
    """
    if not name:
        return None
    lowered = name.strip().lower()
    if lowered in known:
        return lowered
    for word, provider in _PROVIDER_WORDS:
        if word in lowered and provider in known:
            return provider
    return None


def vendor_of(model: str) -> str | None:
    """Vendor that makes the model of this name, told by the family in it; None where many hosts carry the family."""
    bare = model.rsplit("/", 1)[-1]
    bare = _CLOUD_VENDOR.sub("", _CLOUD_REGION.sub("", bare))
    return next((vendor for pattern, vendor in _VENDOR_OF_MODEL if pattern.search(bare)), None)


def billing_providers(provider: str | None, model: str, known: frozenset[str]) -> tuple[str, ...]:
    """Providers whose price list may hold the model, the one that bills first.

    The provider told wins; else a routing prefix in the name (`openrouter/...`, `us.anthropic...`); else the vendor of
    the family. A list-price reseller is followed by the vendor.
    """
    billing = canonical_provider(provider, known)
    if billing is None and "/" in model:
        billing = canonical_provider(model.split("/", 1)[0], known)
    if billing is None and _CLOUD_REGION.match(model) and "aws" in known:
        billing = "aws"  # Only Bedrock names a region in front of the vendor.
    vendor = vendor_of(model)
    if billing is None:
        return (vendor,) if vendor in known else ()
    if billing in LIST_PRICE_RESELLERS and vendor is not None and vendor in known and vendor != billing:
        return (billing, vendor)
    return (billing,)


def spellings(model: str) -> Iterator[str]:
    """Spellings of one model's name, the most exact first, without repeats.

    As told, then without routing prefixes, host decorations and date.
    """
    seen: set[str] = set()
    for name in _spellings(model.strip().lower()):
        if name and name not in seen:
            seen.add(name)
            yield name


def _spellings(name: str) -> Iterator[str]:
    yield name
    plain = _BRACKET_SUFFIX.sub("", name)
    yield plain
    parts = plain.split("/")
    for start in range(1, len(parts)):
        yield "/".join(parts[start:])
    bare = _CLOUD_REGION.sub("", parts[-1])
    yield bare
    bare = _CLOUD_VENDOR.sub("", bare)
    yield bare
    undecorated = _CLOUD_VERSION.sub("", bare)
    yield undecorated
    yield _COMPACT_DATE.sub(r"\1\2-\3-\4", undecorated)
    undated = _DATE_SUFFIX.sub("", undecorated)
    yield undated
    yield _DIGIT_DOT.sub("-", undated)
    yield _DIGIT_DASH.sub(".", undated)
