"""Tokens of code fragments that need not parse: hunks, lines, commands.

Here: a lexical tokeniser for many languages and the names a fragment binds. Not here: whole functions, which are parsed
(`stf_hash`). Linear in the length of the text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from re import Pattern

MAX_FRAGMENT = 200_000
"""Characters of one side of a hunk that are read."""


class TokenKind(StrEnum):
    """What a token is."""

    NAME = "name"
    NUMBER = "number"
    STRING = "string"
    OPERATOR = "operator"
    DIRECTIVE = "directive"
    LAYOUT = "layout"


@dataclass(frozen=True, slots=True)
class Token:
    """One token. `text` is normalised: strings in double quotes where the value is the same, directives stripped.

    tight: nothing stands between it and the token before; value: content of a string.
    """

    kind: TokenKind
    text: str
    tight: bool = False
    value: str | None = None


_EXTENSIONS = {
    "python": "py pyi pyx ipynb",
    "javascript": "js jsx mjs cjs vue svelte",
    "typescript": "ts tsx mts cts",
    "go": "go",
    "rust": "rs",
    "java": "java",
    "kotlin": "kt",
    "scala": "scala",
    "c": "c h",
    "cpp": "cc cpp hpp",
    "csharp": "cs",
    "swift": "swift",
    "php": "php",
    "ruby": "rb",
    "shell": "sh bash zsh",
    "yaml": "yaml yml",
    "toml": "toml",
    "ini": "ini cfg",
    "json": "json",
    "sql": "sql",
    "text": "md rst txt",
    "html": "html",
    "css": "css scss",
    "dart": "dart",
    "lua": "lua",
    "elixir": "ex exs",
}
_BY_EXTENSION = {
    extension: language for language, extensions in _EXTENSIONS.items() for extension in extensions.split()
}

_HASH_COMMENTS = frozenset({"python", "shell", "yaml", "toml", "ini", "ruby", "elixir"})
_NO_COMMENTS = frozenset({"json", "text"})
_LAYOUT = frozenset({"python", "yaml"})

_COMMENT = {
    "hash": r"\#[^\n]*",
    "dash": r"--[^\n]*|/\*.*?(?:\*/|\Z)",
    "markup": r"<!--.*?(?:-->|\Z)",
    "slash": r"//[^\n]*|/\*.*?(?:\*/|\Z)",
    "none": r"(?!)",
}
_DIRECTIVE = re.compile(
    r"(?i)\bnoqa\b|\bnolint\b|type:\s*ignore|@ts-(?:ignore|expect-error|nocheck)|eslint-(?:disable|enable)|biome-ignore"
    r"|pylint:|pyright:|mypy:|fmt:\s*(?:off|on|skip)|pragma[: ]|go:(?:build|embed|generate)|\+build|prettier-ignore"
    r"|coding[:=]|^#!|istanbul ignore|c8 ignore|noinspection|clippy::|swiftlint:|rubocop:|shellcheck "
)
_STRING = {
    "python": r"(?i:[rbuf]{0,2})(?:\"\"\".*?(?:\"\"\"|\Z)|'''.*?(?:'''|\Z)|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*')",
    "tick": r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`",
    "char": r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\\n]|\\.[^'\n]{0,8})'",
}
_CHARACTER_QUOTES = frozenset({"rust", "java", "kotlin", "scala", "c", "cpp", "csharp", "swift"})
"""Languages whose single quotes hold one character (and, in Rust, lifetimes have one quote)."""
_REST = r"|(?P<name>[^\W\d][\w$]*|\$\w+|@[^\W\d]\w*)|(?P<number>\d[\w.]*)|(?P<newline>\n[ \t]*)|(?P<space>[^\S\n]+)"
_OPERATOR = (
    r"|(?P<operator>===|!==|\*\*=|//=|>>=|<<=|\.\.\.|&&=|\|\|=|\?\?=|:=|==|!=|<=|>=|->|=>|\+=|-=|\*=|/=|%=|&=|\|=|\^=|\*\*|//|<<|>>|&&"
    r"|\|\||\?\?|\?\.|::|\+\+|--|<-|.)"
)


def _lexer(comment: str, string: str) -> Pattern[str]:
    return re.compile(f"(?P<comment>{_COMMENT[comment]})|(?P<string>{_STRING[string]}){_REST}{_OPERATOR}", re.DOTALL)


_LEXERS = {(comment, string): _lexer(comment, string) for comment in _COMMENT for string in _STRING}


def language_of(path: str, declared: str | None = None) -> str | None:
    """Language of a file by what the source declares or its name; None where neither tells."""
    if declared:
        return declared.lower()
    name = PurePosixPath(path.replace("\\", "/")).name
    return _BY_EXTENSION.get(name.rsplit(".", 1)[-1].lower()) if "." in name else None


def tokenise(text: str, language: str | None) -> list[Token]:
    """Tokens of a fragment, comments and layout dropped.

    Comments that steer a tool (`noqa`, `nolint`, `@ts-ignore`, build tags) stay: they are changes of meaning. In
    languages where indentation is syntax, its rises and falls are tokens, relative to the fragment's first line.
    """
    comment = (
        "hash" if language in _HASH_COMMENTS else "none" if language in _NO_COMMENTS
        else "dash" if language in ("sql", "lua") else "markup" if language == "html" else "slash"
    )  # fmt: skip
    string = "python" if language == "python" else "char" if language in _CHARACTER_QUOTES else "tick"
    layout = language in _LAYOUT
    tokens: list[Token] = []
    indents: list[int] = []
    pending: int | None = None
    end_of_last = -1
    depth = 0
    text = text[:MAX_FRAGMENT].replace("\r\n", "\n").expandtabs(4)
    for match in _LEXERS[comment, string].finditer("\n" + text):
        group = match.lastgroup
        piece = match.group()
        if group == "space":
            continue
        if group == "newline":
            pending = len(piece) - 1
            continue
        if group == "comment":
            if _DIRECTIVE.search(piece):
                tokens.append(Token(TokenKind.DIRECTIVE, " ".join(piece.split())))
            continue
        if pending is not None:
            if layout and depth == 0:
                tokens += _layout(indents, pending, first=not tokens)
            pending = None
        tight = match.start() == end_of_last
        end_of_last = match.end()
        if group == "string":
            tokens += _string_tokens(piece, tight, language)
        elif group == "operator":
            depth = max(0, depth + (piece in "([{") - (piece in ")]}"))
            tokens.append(Token(TokenKind.OPERATOR, piece, tight))
        else:
            tokens.append(Token(TokenKind.NAME if group == "name" else TokenKind.NUMBER, piece, tight))
    return tokens


def _layout(indents: list[int], width: int, *, first: bool) -> list[Token]:
    found = [] if first else [Token(TokenKind.LAYOUT, "<NL>")]
    if not indents:
        indents.append(width)
    while width < indents[-1] and len(indents) > 1:
        indents.pop()
        found.append(Token(TokenKind.LAYOUT, "<DEDENT>"))
    if width < indents[-1]:
        indents[-1] = width
        found.append(Token(TokenKind.LAYOUT, "<DEDENT>"))
    elif width > indents[-1]:
        indents.append(width)
        found.append(Token(TokenKind.LAYOUT, "<INDENT>"))
    return found


_TEMPLATE_LITERALS = frozenset({"javascript", "typescript", None})
_F_STRING = re.compile(r"(?i)(?:f|rf|fr)['\"]")
_SPEC = re.compile(r"(?:![rsa])?(?::.*)?", re.DOTALL)


def _string_tokens(piece: str, tight: bool, language: str | None) -> list[Token]:
    """A string as one token; one with expressions in it as the string without them, then each of them in braces."""
    opening = ""
    if language == "python" and _F_STRING.match(piece):
        opening = "{"
    elif piece.startswith("`") and language in _TEMPLATE_LITERALS:
        opening = "${"
    if not opening or opening not in piece:
        return [_string(piece, tight)]
    found = _expressions(piece, opening)
    if found is None:
        return [_string(piece, tight)]
    rest, expressions = found
    tokens = [_string(rest, tight)]
    for expression in expressions:
        inside = [t for t in tokenise(expression, language) if t.kind is not TokenKind.LAYOUT]
        tokens += [Token(TokenKind.OPERATOR, "{", True), *inside, Token(TokenKind.OPERATOR, "}", True)]
    return tokens


def _expressions(piece: str, opening: str) -> tuple[str, list[str]] | None:
    """A string's text with empty braces where its expressions were, and these; None where the braces do not match."""
    rest: list[str] = []
    expressions: list[str] = []
    at = 0
    while at < len(piece):
        start = piece.find(opening, at)
        if start < 0:
            break
        if opening == "{" and piece.startswith("{{", start):
            rest.append(piece[at : start + 2])
            at = start + 2
            continue
        end = _closing(piece, start + len(opening))
        if end is None:
            return None
        inside, spec = piece[start + len(opening) : end], ""
        if opening == "{":
            inside, spec = _without_spec(inside)
        rest.append(piece[at:start] + opening + spec + "}")
        expressions.append(inside)
        at = end + 1
    rest.append(piece[at:])
    return "".join(rest), expressions


def _closing(text: str, start: int) -> int | None:
    depth = 0
    for i in range(start, len(text)):
        if text[i] in "([{":
            depth += 1
        elif text[i] in ")]}":
            if depth == 0:
                return i if text[i] == "}" else None
            depth -= 1
    return None


def _without_spec(inside: str) -> tuple[str, str]:
    """The expression of a replacement field, and its conversion and format."""
    depth = 0
    for i, character in enumerate(inside):
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif depth == 0 and character in "!:" and inside[i + 1 : i + 2] != "=" and _SPEC.fullmatch(inside, i):
            return inside[:i].removesuffix("="), inside[i:]
    return inside.removesuffix("="), ""


_STRING_PARTS = re.compile(r"(?s)(?P<prefix>[A-Za-z]*)(?P<quote>\"\"\"|'''|[\"'`])(?P<value>.*?)(?:(?P=quote))?\Z")


def _string(piece: str, tight: bool) -> Token:
    match = _STRING_PARTS.match(piece)
    if match is None:
        return Token(TokenKind.STRING, piece, tight, piece)
    prefix, quote, value = match["prefix"].lower(), match["quote"], match["value"]
    if quote == "'" and '"' not in value and "\\" not in value:
        quote = '"'
    return Token(TokenKind.STRING, f"{prefix}{quote}{value}{quote}", tight, value)


_KEYWORDS = frozenset(
    """
    False None True and as assert async await break case catch chan class const continue def default defer del
    do elif else enum except export extends false final finally fn fallthrough for from func function global go
    goto if impl implements import in instanceof interface is lambda let loop map match mod move mut new nil
    nonlocal not null of or package pass private protected pub public raise range return select self static
    struct super switch template this throw throws trait true try type typeof undefined union unsafe use using
    var virtual void volatile where while with yield int float str bool string number boolean byte rune error
    any object double long char short auto list dict set tuple
    """.split()  # noqa: SIM905 - a list of this length reads better as words
)
_ASSIGN = frozenset(
    {"=", ":=", "+=", "-=", "*=", "/=", "//=", "%=", "&=", "|=", "^=", ">>=", "<<=", "**=", "||=", "&&=", "??="}
)
_DECLARE = frozenset({"let", "const", "var", "mut", "val", "auto"})
_FUNCTION = frozenset({"def", "func", "function", "fn", "fun"})


def bound_names(tokens: Sequence[Token], language: str | None) -> frozenset[str]:
    """Names that the fragment itself binds: parameters, assignment targets, loop and exception variables.

    Attributes, keyword arguments, called names and imports are not among them: they carry the meaning.
    """
    if language in ("yaml", "toml", "ini", "json", "text", "html", "css"):
        return frozenset()
    bound: set[str] = set()
    code = [t for t in tokens if t.kind is not TokenKind.DIRECTIVE]
    for i, token in enumerate(code):
        if token.kind is TokenKind.NAME and _is_free(code, i):
            after = code[i + 1] if i + 1 < len(code) else None
            before = code[i - 1].text if i else ""
            if before in _DECLARE or (before in ("as", "catch") and "import" not in _line_before(code, i)):
                bound.add(token.text)
            elif after is not None and after.text in _ASSIGN and not _is_keyword_argument(code, i, language):
                bound.update(_targets(code, i))
            elif after is not None and after.text == ":" and language == "python" and _assigned_later(code, i):
                bound.add(token.text)
        elif token.text == "for":
            bound.update(_names_until(code, i + 1, ("in", "of", ":=", "=", "range", ":")))
        elif token.text in _FUNCTION:
            bound.update(_parameters(code, i + 1, language))
        elif token.text == "lambda":
            bound.update(_names_until(code, i + 1, (":",)))
        elif token.text == "=>":
            bound.update(_arrow_parameters(code, i))
        elif token.text in ("{", "[") and i and code[i - 1].text in _DECLARE:
            bound.update(_names_until(code, i + 1, ("}", "]")))
    return frozenset(bound - _KEYWORDS)


def _is_free(code: Sequence[Token], i: int) -> bool:
    return code[i].text not in _KEYWORDS and (i == 0 or code[i - 1].text not in (".", "?.", "::", "->"))


def _line_before(code: Sequence[Token], i: int) -> list[str]:
    words: list[str] = []
    for token in reversed(code[max(0, i - 12) : i]):
        if token.text in ("<NL>", ";"):
            break
        words.append(token.text)
    return words


def _is_keyword_argument(code: Sequence[Token], i: int, language: str | None) -> bool:
    equals = code[i + 1]
    if equals.text != "=" or language not in ("python", "kotlin", "csharp", "swift", "php", "ruby", None):
        return False
    tight_after = i + 2 < len(code) and code[i + 2].tight
    return (equals.tight and tight_after) or (i > 0 and code[i - 1].text in ("(",))


def _targets(code: Sequence[Token], i: int) -> list[str]:
    names = [code[i].text]
    while i >= 2 and code[i - 1].text == "," and code[i - 2].kind is TokenKind.NAME and _is_free(code, i - 2):
        i -= 2
        names.append(code[i].text)
    return names


def _assigned_later(code: Sequence[Token], i: int) -> bool:
    if i and code[i - 1].text not in ("<NL>", "<INDENT>", "<DEDENT>"):
        return False
    return any(t.text == "=" for t in code[i + 2 : i + 12]) and all(t.text != "<NL>" for t in code[i + 2 : i + 4])


def _names_until(code: Sequence[Token], start: int, stops: tuple[str, ...]) -> list[str]:
    names: list[str] = []
    for i in range(start, min(start + 24, len(code))):
        token = code[i]
        if token.text in stops or token.text in ("<NL>", ";"):
            return names
        if token.kind is TokenKind.NAME and _is_free(code, i) and not (i > start and code[i - 1].text == "="):
            names.append(token.text)
    return []


def _parameters(code: Sequence[Token], start: int, language: str | None) -> list[str]:
    """Parameter names of the lists that follow a function keyword (a receiver is a list of its own)."""
    names: list[str] = []
    depth = 0
    named = False
    for i in range(start, min(start + 120, len(code))):
        token = code[i]
        if token.text in ("(", "[", "{"):
            if token.text == "{" and depth == 0:
                break
            depth += 1
        elif token.text in (")", "]", "}"):
            depth -= 1
            if depth <= 0 and (named or language != "go"):
                break
        elif depth == 0 and token.kind is TokenKind.NAME:
            named = True
        elif depth == 0 and token.text in (":", "->", "=>"):
            break
        elif depth == 1 and token.kind is TokenKind.NAME and _is_free(code, i) and _opens_parameter(code, i):
            names.append(token.text)
    return names


def _opens_parameter(code: Sequence[Token], i: int) -> bool:
    """Whether a name is the first word of its parameter: `a`, `*args`, `mut a`, but not a type behind its name."""
    at = i - 1
    while at >= 0 and code[at].text in ("*", "**", "...", "mut", "&", "@"):
        at -= 1
    return at >= 0 and code[at].text in ("(", ",", "|")


def _arrow_parameters(code: Sequence[Token], arrow: int) -> list[str]:
    if arrow == 0:
        return []
    last = code[arrow - 1]
    if last.kind is TokenKind.NAME:
        return [last.text]
    if last.text != ")":
        return []
    depth = 0
    for i in range(arrow - 1, max(-1, arrow - 60), -1):
        depth += (code[i].text == ")") - (code[i].text == "(")
        if depth == 0:
            inside = range(i + 1, arrow - 1)
            return [
                code[j].text for j in inside if code[j].kind is TokenKind.NAME and code[j - 1].text in ("(", ",", "{")
            ]
    return []


_HEADER = re.compile(
    r"^\s*(?:(?:export|default|public|private|protected|static|async|pub)\s+)*(?:def|func|function|fn|fun)\b"
    r"|=>\s*\{?\s*$|^\s*\w[\w<>\[\], ]*\([^;]*\)\s*\{\s*$"
)
_MAX_LINES_UP = 400


def enclosing_function(content: str, fragment: str) -> str | None:
    """The text from the header of the function around `fragment` to its end; None where either is not found."""
    first = next((line for line in fragment.split("\n") if line.strip()), None)
    start = content.find(fragment) if first is not None else -1
    if start < 0 or first is None:
        return None
    indent = len(first) - len(first.lstrip())
    lines = content[: start + len(fragment)].split("\n")
    top = content[:start].count("\n")
    for i in range(top, max(-1, top - _MAX_LINES_UP), -1):
        line = lines[i]
        if line.strip() and len(line) - len(line.lstrip()) < max(indent, 1) and _HEADER.search(line):
            return "\n".join(lines[i:])
    return None
