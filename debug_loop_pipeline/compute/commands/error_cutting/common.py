"""The error item that every cutter makes, and the helpers they share.

Belongs here: the shape of a cut error, cleaning of messages, lines of an output. The formats are in the modules beside this one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

GENERIC = "RunFailed"
"""Type of an error that says only that something failed (a runner's trailer, a bare count): it teaches no fix."""

MAX_MESSAGE = 2_000
MAX_STACK = 8_000

_ANSI = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_SPACE = re.compile(r"\s+")
_NOT_OURS = re.compile(
    r"site-packages|dist-packages|/lib/python\d|node_modules|node:internal|<frozen |/usr/lib/|/\.cargo/registry|/rustc/|/go/pkg/mod/"
    r"|/[Pp]ython[^/]*/(?:[^/]+/)?Lib/|/usr/local/go/|/opt/|internal/process|bun:|/\.rbenv/|/gems/|importlib/|unittest/(?:case|suite|loader|main|mock)\.py|_pytest/|pluggy/"
)


@dataclass(slots=True)
class CutError:
    """One error of an output. The position is in `path` and `line`, never in `message`."""

    message: str
    type: str | None = None
    stacktrace: str | None = None
    tool: str | None = None
    test: str | None = None
    path: str | None = None
    line: int | None = None
    package: str | None = None
    """Import path of the Go package whose test it is, where the output tells."""
    warning: bool = False
    """The tool itself calls it a warning: an error only where nothing worse explains the failure."""

    @property
    def key(self) -> tuple[str | None, str, str | None, str | None]:
        """Two errors with the same key are one."""
        return self.type, self.message, self.test, self.path


def without_ansi(text: str) -> str:
    """`text` without terminal control sequences and carriage returns."""
    if "\x1b" in text:
        text = _ANSI.sub("", text)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text


_TASK_PREFIX = re.compile(r"^(?:[@\w./-]+:[\w:.-]+:(?: |$)|[\w./@-]+ [\w:-]+: |\d+\| )", re.MULTILINE)
_TASKS_TOTAL = re.compile(r"^ *Tasks: +\d+ successful, \d+ total$", re.MULTILINE)
_TASKS_SUCCESSFUL = " successful, "
_MONOREPO = ("Packages in scope", "workspace projects", "Scope: ", "• Running ", "turbo ")


_MISE_SIGNS = ("] $ ", "] ERROR task failed", "] Finished in ")
_MISE_OWN = re.compile(r"^(\[[\w:./@-]+\] )(?:\$ |ERROR task failed|Finished in )", re.MULTILINE)


def without_task_prefixes(text: str, scripts: Iterable[str] = ()) -> str:
    """An output of turbo, `pnpm -r` or mise without the name of the task at the head of each line that the task itself printed.

    scripts: names of the scripts that were run. The lines begin with one of them behind a package, also where the runner's own words are cut off.
    """
    if any(sign in text for sign in _MISE_SIGNS):
        heads = tuple(dict.fromkeys(_MISE_OWN.findall(text)))
        if heads:
            return "\n".join(_of_task(line, heads) for line in text.split("\n"))
    told_total = _TASKS_SUCCESSFUL in text and _TASKS_TOTAL.search(text) is not None
    if not told_total and not any(sign in text for sign in _MONOREPO):
        for script in scripts:
            if f"{script}: " in text:
                head = rf"^(?:[@\w./-]+:|[\w.-]*[@/][\w./@-]* ){re.escape(script)}:(?: |$)"
                text = re.sub(head, "", text, flags=re.MULTILINE)
        return text
    return _TASK_PREFIX.sub("", text)


def _of_task(line: str, heads: tuple[str, ...]) -> str:
    if not line.startswith(heads) or _MISE_OWN.match(line):
        return line
    return line[line.index("] ") + 2 :]


def one_line(text: str, limit: int = MAX_MESSAGE) -> str:
    """`text` on one line, white space folded, cut to `limit`."""
    return _SPACE.sub(" ", text).strip()[:limit]


def is_ours(path: str) -> bool:
    """Whether a frame's path looks like the project's own code, not a library's or the runtime's."""
    return _NOT_OURS.search(path.replace("\\", "/")) is None


def block(lines: list[str], limit: int = MAX_STACK) -> str | None:
    """Lines as one stack text, None where they are empty."""
    text = "\n".join(lines).strip("\n")
    return text[:limit] if text.strip() else None


def number(text: str | None) -> int | None:
    """A line number, None where there is none (or an absurd one)."""
    return int(text) if text and text.isdigit() and len(text) < 9 else None
