"""Templates: what a change says once the values of its error and the names of its place are taken out (DOMAIN 3.8).

Here: one hunk or one command -> one template. Not here: which parts of a change are credited (`credit`).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import pairwise

from debug_loop_pipeline.compute.code.code_tokens import (
    Token,
    TokenKind,
    bound_names,
    enclosing_function,
    language_of,
    tokenise,
)

TEMPLATE_VERSION = "2"
MAX_DIFF_TOKENS = 1_500
"""Beyond this many tokens on both sides (ends that agree left out) a hunk is a replacement as a whole."""

REFORMATTED = "<layout>"
COMMENTED = "<comment>"
DELETED = "<delete file>"
_BREAKS = frozenset({"<NL>", "<INDENT>", "<DEDENT>"})


def edit_template(
    before: str | None,
    after: str | None,
    *,
    path: str = "",
    language: str | None = None,
    subjects: Sequence[str] = (),
    content: str | None = None,
) -> str:
    """Template of one hunk: its removed tokens on lines with `-`, its added ones on lines with `+`, in order.

    Args:
        before: removed text; None where it is not known or there was none.
        after: new text; None where the file was deleted.
        path: file, for its language.
        language: language, where the source tells it.
        subjects: the error's VALUE, VAR and PATH slots in order; a token equal to one becomes `<SLOT n>`, the lowest n.
        content: the file around the hunk, where it is known: names that its function binds are folded too.
    """
    if after is None:
        return DELETED
    spoken = language_of(path, language)
    old_text, new_text = before or "", after
    old, new = tokenise(old_text, spoken), tokenise(new_text, spoken)
    around = enclosing_function(content, new_text) if content else None
    bound = bound_names(old, spoken) | bound_names(new, spoken)
    if around is not None:
        bound |= bound_names(tokenise(around, spoken), spoken)
    slots = _slot_sequences(subjects, spoken)
    old_words, new_words = (_words(tokens, slots, bound) for tokens in (old, new))
    regions = _regions(old_words, new_words)
    if not regions:
        return COMMENTED if "".join(old_text.split()) != "".join(new_text.split()) else REFORMATTED
    return "\n".join(_fold(regions))


def command_template(command: str, *, subjects: Sequence[str] = ()) -> str:
    """Template of one shell command: without what only moves, filters or shows, slots and absolute paths replaced."""
    found: list[str] = []
    for piece in _SEPARATOR.split(_HEREDOC.sub(r"\1", command)):
        words = _shell_words(_REDIRECTION.sub(" ", piece))
        while words and (words[0] in _WRAPPERS or _ENVIRONMENT.fullmatch(words[0])):
            words = words[1:]
        writes = _REDIRECTED.search(piece)
        if not words or (words[0] in _SHOWS and not writes):
            continue
        if writes and words[0] in _SHOWS:
            words = [words[0], ">", writes[1]]
        found.append(" ".join(_command_word(word, subjects) for word in words))
    return " && ".join(found) or " ".join(command.split())


_SEPARATOR = re.compile(r"\s*(?:&&|\|\||;|\||\n)\s*")
_REDIRECTION = re.compile(r"\s\d?>{1,2}\s*(?:&\d|\S+)|\s<\s*\S+")
_REDIRECTED = re.compile(r"(?:^|\s)>{1,2}\s*([^\s&>|]+)")
_HEREDOC = re.compile(r"(<<-?\s*['\"]?(\w+)['\"]?).*?^\s*\2\s*$", re.DOTALL | re.MULTILINE)
_WRAPPERS = frozenset({"sudo", "time", "env", "rtk", "command", "exec", "nohup"})
_ENVIRONMENT = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)
_SHOWS = frozenset(
    "cd pushd popd echo cat head tail grep rg wc ls pwd true set export sleep source printf".split()  # noqa: SIM905
)
_WORD_PART = re.compile(r"[@\w][\w.+/-]*|\W")
_ABSOLUTE = re.compile(r"(?:~|/)[\w.@%+-]+(?:/[\w.@%+-]+)*/?")


def _shell_words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def _command_word(word: str, subjects: Sequence[str]) -> str:
    if word in subjects:
        return _slot(word, subjects)
    if _ABSOLUTE.fullmatch(word):
        return "<PATH>"
    parts = _WORD_PART.findall(word) if len(word) <= 2_000 else [word]
    return "".join(_slot(part, subjects) if len(part) > 1 else part for part in parts)


def _slot(text: str, subjects: Sequence[str]) -> str:
    return f"<SLOT {subjects.index(text) + 1}>" if text in subjects else text


def _slot_sequences(subjects: Sequence[str], language: str | None) -> list[tuple[int, str, tuple[str, ...]]]:
    """(number, value, its tokens' texts) of each distinct subject, longest first so that the most is replaced."""
    distinct: dict[str, int] = {}
    for number, value in enumerate(subjects, 1):
        if value.strip():
            distinct.setdefault(value, number)
    sequences = [
        (number, value, tuple(t.text for t in tokenise(value, language) if t.kind is not TokenKind.LAYOUT))
        for value, number in distinct.items()
        if len(value) <= 300
    ]
    return sorted(sequences, key=lambda s: (-len(s[2]), s[0]))


def _words(
    tokens: Sequence[Token], slots: Sequence[tuple[int, str, tuple[str, ...]]], bound: frozenset[str]
) -> list[str]:
    """Texts of the tokens; slots replaced, bound names marked by a NUL in front, for the folding after the diff."""
    by_value = {value: number for number, value, _ in reversed(slots)}
    by_first: dict[str, list[tuple[int, str, tuple[str, ...]]]] = {}
    for slot in slots:
        if slot[2]:
            by_first.setdefault(slot[2][0], []).append(slot)
    texts = [token.text for token in tokens]
    words: list[str] = []
    i = 0
    while i < len(tokens):
        token = tokens[i]
        if token.kind is TokenKind.STRING and token.value in by_value:
            words.append(f"<SLOT {by_value[token.value]}>")
            i += 1
            continue
        match = next((s for s in by_first.get(token.text, ()) if tuple(texts[i : i + len(s[2])]) == s[2]), None)
        if match is not None:
            words.append(f"<SLOT {match[0]}>")
            i += len(match[2])
            continue
        free = i == 0 or texts[i - 1] not in (".", "?.", "::", "->")
        folds = token.kind is TokenKind.NAME and free and token.text in bound
        words.append(f"\0{token.text}" if folds else token.text)
        i += 1
    return words


def _regions(old: list[str], new: list[str]) -> list[tuple[list[str], list[str]]]:
    start = 0
    while start < len(old) and start < len(new) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    a, b = old[start : len(old) - end], new[start : len(new) - end]
    if not a and not b:
        return []
    if len(a) > MAX_DIFF_TOKENS or len(b) > MAX_DIFF_TOKENS:
        return [(a, b)]
    if a and b:
        matcher = SequenceMatcher(None, a, b, autojunk=False)
        spans = [(i1, i2, j1, j2) for op, i1, i2, j1, j2 in matcher.get_opcodes() if op != "equal"]
    else:
        spans = [(0, len(a), 0, len(b))]
    regions: list[tuple[list[str], list[str]]] = []
    for n, (i1, i2, j1, j2) in enumerate(spans):
        if i1 < i2 and j1 < j2:
            regions.append((a[i1:i2], b[j1:j2]))
            continue
        # Between two changes the sides agree, so that a removal or an addition may move as far as they do.
        low, high = (spans[n - 1] if n else None), (spans[n + 1] if n + 1 < len(spans) else None)
        if i1 == i2:
            first = start + low[3] if low else 0
            last = start + high[2] if high else len(new)
            regions.append(([], _placed(new, start + j1, start + j2, first, last)))
        else:
            first = start + low[1] if low else 0
            last = start + high[0] if high else len(old)
            regions.append((_placed(old, start + i1, start + i2, first, last), []))
    return regions


def _placed(words: list[str], start: int, end: int, first: int, last: int) -> list[str]:
    """`words[start:end]`, moved between `first` and `last` to the place where the same change stands however its hunk was cut.

    `a b a` between `a` and what follows is the same change as `b a a` one place further on: whole lines where that is possible, else
    as far back as it goes. The line breaks around whole lines belong to the neighbours.
    """
    low = start
    while low > first and words[low - 1] == words[low - 1 + end - start]:
        low -= 1
    high = start
    while high + end - start < last and words[high] == words[high + end - start]:
        high += 1
    size = end - start
    place = next((at for at in range(low, high + 1) if _whole_lines(words, at, at + size)), high)
    return _without_breaks(words[place : place + size])


def _whole_lines(words: list[str], start: int, end: int) -> bool:
    begins = start == 0 or words[start] in _BREAKS or words[start - 1] in _BREAKS
    ends = end == len(words) or words[end] in _BREAKS or words[end - 1] in _BREAKS
    return begins and ends


def _without_breaks(words: list[str]) -> list[str]:
    start, end = 0, len(words)
    while start < end and words[start] in _BREAKS:
        start += 1
    while end > start and words[end - 1] in _BREAKS:
        end -= 1
    return words[start:end] or words


def _fold(regions: Sequence[tuple[list[str], list[str]]]) -> list[str]:
    """Lines of the template; bound names become V1, V2, ... in the order in which they first appear in it."""
    names: dict[str, str] = {}

    def shown(words: list[str]) -> str:
        return " ".join(
            names.setdefault(word, f"V{len(names) + 1}") if word.startswith("\0") else word.replace("\n", "\\n")
            for word in words
        )

    lines: list[str] = []
    for removed, added in regions:
        if removed:
            lines.append(f"- {shown(removed)}")
        if added:
            lines.append(f"+ {shown(added)}")
    return lines


def template_similarity(one: str, other: str) -> float:
    """How near two templates are, 0..1: Jaccard of their words and pairs of words, removed and added ones apart."""
    a, b = _shingles(one), _shingles(other)
    union = len(a | b)
    return len(a & b) / union if union else float(one == other)


def _shingles(template: str) -> set[tuple[str, ...]]:
    found: set[tuple[str, ...]] = set()
    for line in template.split("\n"):
        sign, _, rest = line.partition(" ")
        words = rest.split()
        found.update((sign, word) for word in words)
        found.update((sign, a, b) for a, b in pairwise(words))
    return found
