"""Shell command lines as structure: simple commands, pipelines, and-or chains, groups, redirections, here-documents.

Belongs here: reading POSIX-shell text (bash, zsh, sh) tolerantly, as agents write it. What a command means is `goals`; what an
exit code says about each part is `shell_status`. Nothing is expanded or executed: `$X`, globs and `$(...)` stay as written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_OPERATORS = ("&&", "||", ";;", "|&", "&>>", "&>", ";", "|", "&", "\n", "(", ")")
_REDIRECTIONS = ("<<<", "<<-", "<<", "<>", "<&", "<", ">>", ">|", ">&", ">")
_OPERATOR_STARTS = frozenset("&|;\n()<>0123456789")
_SEPARATORS = frozenset({";", "\n", "&", ";;"})
_BLOCK_OPENERS = {"if": "fi", "while": "done", "until": "done", "for": "done", "case": "esac", "select": "done"}
_INNER_KEYWORDS = frozenset({"then", "do", "else", "elif"})
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*(?:\[[^\]]*\])?\+?=")
_PLAIN_RUN = re.compile(r"[^\s;|&()<>\\'\"$`]+")
_QUOTED_RUN = re.compile(r"[^\"\\$`]+")
_PLAIN = re.compile(r"[\w./:@%+,=~^ \t-]*\Z")
_MAX_DEPTH = 40
"""Nesting beyond this is no command line that an agent wrote; parentheses are then skipped."""


@dataclass(frozen=True, slots=True)
class Redirection:
    """`fd` op target, such as 2 `>` `err.log`; a here-document has its body in `body`."""

    op: str
    target: str
    fd: int | None = None
    body: str | None = None


@dataclass(slots=True)
class Simple:
    """One simple command: assignments, words without their quotes, redirections."""

    words: list[str] = field(default_factory=list)
    assignments: list[tuple[str, str]] = field(default_factory=list)
    redirections: list[Redirection] = field(default_factory=list)
    substitutions: list[str] = field(default_factory=list)
    """Text inside each `$(...)` or backquotes."""

    @property
    def name(self) -> str:
        """The program's name, without its directory."""
        return self.words[0].rsplit("/", 1)[-1] if self.words else ""

    @property
    def heredoc(self) -> str | None:
        """The body of its here-document or here-string."""
        return next((r.body for r in self.redirections if r.body is not None), None)

    def writes(self) -> list[str]:
        """Files its output goes to (not file descriptors, not /dev/null)."""
        return [
            r.target
            for r in self.redirections
            if r.op in (">", ">>", ">|", "&>", "&>>") and r.target and not r.target.startswith("/dev/")
        ]


@dataclass(slots=True)
class Group:
    """A subshell `( )`, a brace group `{ }`, or the body of if, for, while and case."""

    items: list[Item]
    kind: str
    redirections: list[Redirection] = field(default_factory=list)


@dataclass(slots=True)
class Pipeline:
    """Stages joined by `|`."""

    stages: list[Simple | Group]
    negated: bool = False
    background: bool = False


@dataclass(slots=True)
class Item:
    """A pipeline and how it follows the one before: "" (first), `&&`, `||` or `;` (also a new line)."""

    connector: str
    pipeline: Pipeline


@dataclass(slots=True)
class Token:
    """A word or an operator of the command line."""

    kind: str
    text: str
    raw: str
    substitutions: list[str]
    fd: int | None = None
    body: str | None = None


class _Lexer:
    """Characters to tokens; never fails: what is not closed ends with the text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.heredocs: list[tuple[Token, bool]] = []

    def tokens(self) -> Iterator[Token]:
        text, end = self.text, len(self.text)
        found: list[Token] = []
        while self.at < end:
            char = text[self.at]
            if char != "\n" and char.isspace():
                self.at += 1
            elif char == "\\" and text.startswith(("\\\n", "\\\r\n"), self.at):
                self.at += 2 if text[self.at + 1] == "\n" else 3
            elif char == "#" and (self.at == 0 or text[self.at - 1] in " \t\n;&|("):
                newline = text.find("\n", self.at)
                self.at = end if newline < 0 else newline
            elif (token := self._operator()) is not None:
                found.append(token)
                if token.text == "\n":
                    self._read_heredocs()
            else:
                found.append(self._word())
        self._read_heredocs()
        return iter(found)

    def _operator(self) -> Token | None:
        text, at = self.text, self.at
        fd: int | None = None
        if text[at] not in _OPERATOR_STARTS:
            return None
        if text[at] in "0123456789":
            digits = at
            while digits < len(text) and text[digits] in "0123456789":
                digits += 1
            if digits == len(text) or text[digits] not in "<>":
                return None
            fd, at = int(text[at:digits][:4]), digits
        if fd is None:
            for op in _OPERATORS:
                if text.startswith(op, at):
                    if op in ("&>", "&>>"):
                        return self._redirection(op, at, None)
                    self.at = at + len(op)
                    return Token("op", op, op, [])
        if text[at] in "<>" and text[at + 1 : at + 2] != "(":
            op = next(o for o in _REDIRECTIONS if text.startswith(o, at))
            return self._redirection(op, at, fd)
        return None

    def _redirection(self, op: str, at: int, fd: int | None) -> Token:
        self.at = at + len(op)
        text = self.text
        while self.at < len(text) and text[self.at] in " \t":
            self.at += 1
        target = self._word() if self.at < len(text) and text[self.at] not in "\n;|&" else Token("word", "", "", [])
        token = Token("redirect", op, target.text, target.substitutions, fd)
        if op in ("<<", "<<-"):
            self.heredocs.append((token, op == "<<-"))
        elif op == "<<<":
            token.body = target.text
        return token

    def _read_heredocs(self) -> None:
        for token, strip_tabs in self.heredocs:
            lines: list[str] = []
            while self.at < len(self.text):
                newline = self.text.find("\n", self.at)
                newline = len(self.text) if newline < 0 else newline
                line = self.text[self.at : newline]
                self.at = newline + 1
                bare = line.lstrip("\t") if strip_tabs else line
                if bare.rstrip("\r") == token.raw:
                    break
                lines.append(bare)
            token.body = "\n".join(lines) + ("\n" if lines else "")
        self.heredocs = []

    def _word(self) -> Token:
        text, end, start = self.text, len(self.text), self.at
        parts: list[str] = []
        inside: list[str] = []
        while self.at < end:
            plain = _PLAIN_RUN.match(text, self.at)
            if plain is not None:
                parts.append(plain.group())
                self.at = plain.end()
                continue
            char = text[self.at]
            if char.isspace() or char in ";|&)":
                break
            if char in "<>":
                if text[self.at + 1 : self.at + 2] == "(":
                    parts.append(self._nested(self.at + 2, inside))
                    continue
                break
            if char == "(":
                if self.at == start:
                    break
                parts.append(self._nested(self.at + 1, []))
                continue
            if char == "\\":
                if text[self.at + 1 : self.at + 2] != "\n":
                    parts.append(text[self.at + 1 : self.at + 2])
                self.at += 2
            elif char == "'":
                close = text.find("'", self.at + 1)
                close = end if close < 0 else close
                parts.append(text[self.at + 1 : close])
                self.at = close + 1
            elif char == '"':
                parts.append(self._double_quoted(inside))
            else:
                parts.append(self._dollar(inside))
        if self.at == start:
            self.at += 1
        return Token("word", "".join(parts), text[start : self.at], inside)

    def _double_quoted(self, inside: list[str]) -> str:
        text, end = self.text, len(self.text)
        parts: list[str] = []
        self.at += 1
        while self.at < end:
            plain = _QUOTED_RUN.match(text, self.at)
            if plain is not None:
                parts.append(plain.group())
                self.at = plain.end()
                continue
            char = text[self.at]
            if char == '"':
                self.at += 1
                break
            if char == "\\":
                following = text[self.at + 1 : self.at + 2]
                if following != "\n":
                    parts.append(following if following in ('"', "\\", "$", "`") else char + following)
                self.at += 2
            else:
                parts.append(self._dollar(inside))
        return "".join(parts)

    def _dollar(self, inside: list[str]) -> str:
        text, start = self.text, self.at
        if text[start] == "`":
            close = text.find("`", start + 1)
            close = len(text) if close < 0 else close
            inside.append(text[start + 1 : close])
            self.at = close + 1
            return text[start : self.at]
        following = text[start + 1 : start + 2]
        if following == "(":
            if text.startswith("$((", start):
                close = text.find("))", start)
                self.at = len(text) if close < 0 else close + 2
                return text[start : self.at]
            return "$" + self._nested(start + 2, inside)
        if following == "{":
            close = text.find("}", start)
            self.at = len(text) if close < 0 else close + 1
            return text[start : self.at]
        if following == "'":
            close = start + 2
            while close < len(text) and text[close] != "'":
                close += 2 if text[close] == "\\" else 1
            self.at = close + 1
            return text[start + 2 : close].replace("\\n", "\n").replace("\\t", "\t").replace("\\'", "'")
        self.at += 1
        return "$"

    def _nested(self, body: int, inside: list[str]) -> str:
        """Moves behind the parenthesis that closes the one before `body`; quotes inside count."""
        text, end, depth, at = self.text, len(self.text), 1, body
        while at < end:
            char = text[at]
            if char == "\\":
                at += 1
            elif char == "'":
                close = text.find("'", at + 1)
                at = end if close < 0 else close
            elif char == '"':
                at += 1
                while at < end and text[at] != '"':
                    at += 2 if text[at] == "\\" else 1
            elif char == "<" and (skipped := _heredoc_end(text, at)):
                at = skipped - 1
            elif char == "(":
                depth += 1
            elif char == ")":
                depth -= 1
                if depth == 0:
                    break
            at += 1
        inside.append(text[body:at])
        self.at = min(at + 1, end)
        return text[body - 1 : self.at]


_HEREDOC_START = re.compile(r"<<-?\s*(['\"]?)(\w+)\1")


def _heredoc_end(text: str, at: int) -> int:
    """Position behind the here-document that starts at `at`, 0 where none does (its body may hold unpaired quotes)."""
    start = _HEREDOC_START.match(text, at)
    if start is None or text.startswith("<<<", at):
        return 0
    close = re.compile(r"^[ \t]*" + re.escape(start.group(2)) + r"[ \t]*$", re.MULTILINE).search(text, start.end())
    return close.end() if close else 0


class _Parser:
    """Tokens to the tree of lists, pipelines and groups."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.at = 0
        self.depth = 0

    def _peek(self) -> Token | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def items(self, closers: frozenset[str] = frozenset()) -> list[Item]:
        found: list[Item] = []
        connector = ""
        while (token := self._peek()) is not None:
            if token.kind == "op":
                if token.text in closers:
                    break
                self.at += 1
                if token.text in ("&&", "||"):
                    connector = token.text
                elif token.text in _SEPARATORS:
                    if token.text == "&" and found:
                        found[-1].pipeline.background = True
                    if connector not in ("&&", "||") or token.text != "\n":
                        connector = ";" if found else ""
                elif token.text == "(":
                    self.at -= 1
                    found.append(Item(connector if found else "", self._pipeline(closers)))
                    connector = ";"
                continue
            if token.kind == "word" and token.raw in closers:
                break
            if token.kind == "word" and token.raw in _INNER_KEYWORDS | {"fi", "done", "esac", "}"}:
                self.at += 1
                continue
            pipeline = self._pipeline(closers)
            found.append(Item(connector if found else "", pipeline))
            connector = ";"
        return found

    def _pipeline(self, closers: frozenset[str]) -> Pipeline:
        pipeline = Pipeline([])
        while (token := self._peek()) is not None:
            if token.kind == "word" and token.raw == "!" and not pipeline.stages:
                pipeline.negated = True
                self.at += 1
                continue
            pipeline.stages.append(self._stage(closers))
            token = self._peek()
            if token is None or token.kind != "op" or token.text not in ("|", "|&"):
                break
            self.at += 1
            while (following := self._peek()) is not None and following.kind == "op" and following.text == "\n":
                self.at += 1
        return pipeline

    def _stage(self, closers: frozenset[str]) -> Simple | Group:
        token = self._peek()
        assert token is not None
        if self.depth >= _MAX_DEPTH:
            self.at += 1
            return Simple()
        self.depth += 1
        try:
            if token.kind == "op" and token.text == "(":
                self.at += 1
                return self._closed(Group(self.items(frozenset({")"})), "subshell"), ")")
            if token.kind == "word" and token.raw == "{":
                self.at += 1
                return self._closed(Group(self.items(frozenset({"}"})), "brace"), "}")
            if token.kind == "word" and token.raw in _BLOCK_OPENERS:
                return self._block(token.raw)
            return self._simple(closers)
        finally:
            self.depth -= 1

    def _closed(self, group: Group, closer: str) -> Group:
        token = self._peek()
        if token is not None and closer in (token.text, token.raw):
            self.at += 1
        while (token := self._peek()) is not None and token.kind == "redirect":
            group.redirections.append(Redirection(token.text, token.raw, token.fd, token.body))
            self.at += 1
        return group

    def _block(self, opener: str) -> Group:
        self.at += 1
        closer = _BLOCK_OPENERS[opener]
        if opener in ("for", "select", "case"):
            while (token := self._peek()) is not None and not (
                (token.kind == "op" and token.text in _SEPARATORS) or token.raw in ("do", "in")
            ):
                self.at += 1
            if (token := self._peek()) is not None and token.raw == "in" and opener != "case":
                while (token := self._peek()) is not None and not (token.kind == "op" and token.text in _SEPARATORS):
                    self.at += 1
        return self._closed(Group(self.items(frozenset({closer})), "block"), closer)

    def _simple(self, closers: frozenset[str]) -> Simple:
        simple = Simple()
        while (token := self._peek()) is not None:
            if token.kind == "op":
                break
            if not simple.words and token.kind == "word" and token.raw in closers:
                break
            self.at += 1
            simple.substitutions += token.substitutions
            if token.kind == "redirect":
                simple.redirections.append(Redirection(token.text, token.raw, token.fd, token.body))
            elif not simple.words and (match := _ASSIGNMENT.match(token.raw)):
                name = match.group()[:-1].rstrip("+")
                simple.assignments.append((name, token.text[match.end() :]))
            elif not simple.words and token.raw in _INNER_KEYWORDS:
                continue
            elif not simple.words and token.raw.endswith("()"):
                break
            else:
                simple.words.append(token.text)
        return simple


def parse(text: str) -> list[Item]:
    """The and-or list that `text` is. Tolerant: malformed text gives what can be read of it.

    A command line with no character that means anything to a shell is split on spaces at once.
    """
    if _PLAIN.match(text):
        simple = Simple()
        for word in text.split():
            if not simple.words and (match := _ASSIGNMENT.match(word)):
                simple.assignments.append((match.group()[:-1], word[match.end() :]))
            else:
                simple.words.append(word)
        if simple.words and simple.words[0] in _BLOCK_OPENERS:
            return _Parser(list(_Lexer(text).tokens())).items()
        return [Item("", Pipeline([simple]))] if simple.words or simple.assignments else []
    return _Parser(list(_Lexer(text).tokens())).items()


def simple_commands(items: list[Item]) -> Iterator[Simple]:
    """Every simple command of the tree, in order of writing; command substitutions are not entered."""
    for item in items:
        for stage in item.pipeline.stages:
            if isinstance(stage, Group):
                yield from simple_commands(stage.items)
            else:
                yield stage
