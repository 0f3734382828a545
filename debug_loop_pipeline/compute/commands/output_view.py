"""What later stages of a pipeline let through of a command's output: `head`, `tail`, `grep` and their kind.

Belongs here: how much of an output is seen. What is concluded from it is `verdicts`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from debug_loop_pipeline.compute.commands.shell import Group, Simple
from debug_loop_pipeline.compute.commands.wrappers import unwrap


@dataclass(slots=True)
class View:
    """What later stages let through of a command's output."""

    head: int | None = None
    tail: int | None = None
    kept: list[str] = field(default_factory=list)
    """Patterns of `grep`: only these lines are seen."""
    dropped: list[str] = field(default_factory=list)
    """Patterns of `grep -v`: these lines were taken off."""
    around: bool = False
    """A `grep` shows more than the lines that its pattern finds, or shows them otherwise (`-B 3`, `-n`)."""
    opaque: bool = False
    """Rewritten (`wc`, `jq`, `awk`), sent to a file that is not shown, or captured."""

    @property
    def whole(self) -> bool:
        """Nothing stands between the command and the reader."""
        return self.head is None and self.tail is None and not self.kept and not self.opaque

    def shows(self, text: str) -> bool:
        """Whether `text` is too short to have lost its first lines."""
        return self.whole or (
            self.tail is not None
            and text.count("\n") + 1 < self.tail
            and self.head is None
            and not self.kept
            and not self.opaque
        )


_NUMBER = re.compile(r"-?n?(\d+)\Z")


def seen_through(stages: list[Simple | Group], outer: View) -> View:
    """What `stages` (and what stands behind the group, `outer`) let through."""
    if not stages:
        return outer
    view = View(outer.head, outer.tail, list(outer.kept), list(outer.dropped), outer.around, outer.opaque)
    for stage in stages:
        if isinstance(stage, Group):
            view.opaque = True
            continue
        words, _ = unwrap(stage.words)
        name = words[0].rsplit("/", 1)[-1] if words else ""
        if name in ("head", "tail"):
            _cut(view, name, words[1:])
        elif name in ("grep", "egrep", "fgrep", "rg", "ag", "ugrep"):
            _filtered(view, words[1:])
        elif name == "sed" and len(words) == 3 and words[1] == "-n" and (m := re.fullmatch(r"1,(\d+)p", words[2])):
            view.head = int(m.group(1))
        elif name in (
            "cat",
            "tee",
            "less",
            "more",
            "ts",
            "nl",
            "strings",
            "col",
            "fold",
            "sort",
            "sed",
            "tr",
            "expand",
            "uniq",
            "awk",
            "xcpretty",
            "xcbeautify",
            "gotestfmt",
            "tparse",
            "pino-pretty",
            "tap-spec",
            "cut",
        ):
            view.opaque = view.opaque or name in (
                "awk",
                "xcpretty",
                "xcbeautify",
                "gotestfmt",
                "tparse",
                "pino-pretty",
                "tap-spec",
                "cut",
            )
        else:
            view.opaque = True
    return view


def _cut(view: View, name: str, args: list[str]) -> None:
    count = 10
    for at, arg in enumerate(args):
        if arg.startswith("-c") or arg.startswith("--bytes"):
            digits = re.search(r"\d+", arg if len(arg) > 2 else " ".join(args[at + 1 : at + 2]))
            count = max(1, int(digits.group()) // 80) if digits else 10
            break
        if arg.startswith(("+", "-n+")) or (arg == "-n" and args[at + 1 : at + 2] and args[at + 1].startswith("+")):
            return
        match = _NUMBER.match(arg.removeprefix("--lines="))
        if match:
            count = int(match.group(1))
    if name == "head":
        view.head = count if view.head is None else min(count, view.head)
    else:
        view.tail = count if view.tail is None else min(count, view.tail)


_GREP_VALUES = frozenset(
    [
        "-e",
        "-f",
        "-A",
        "-B",
        "-C",
        "-m",
        "--regexp",
        "--max-count",
        "--after-context",
        "--before-context",
        "--context",
        "--include",
        "-g",
    ]
)


_AROUND = re.compile(
    r"-(?!-)\w*[ABCFHbfno\d]|--(?:after-context|before-context|context|line-number|fixed-strings|file|only-matching)"
)


def _filtered(view: View, args: list[str]) -> None:
    patterns: list[str] = []
    inverted = counted = False
    view.around = view.around or any(_AROUND.match(arg) for arg in args)
    at = 0
    while at < len(args):
        arg = args[at]
        at += 1
        if arg in _GREP_VALUES:
            if arg in ("-e", "--regexp") and at < len(args):
                patterns.append(args[at])
            at += 1
        elif arg.startswith("-") and len(arg) > 1:
            short = arg[1:] if not arg.startswith("--") else ""
            inverted = inverted or "v" in short or arg == "--invert-match"
            counted = counted or "c" in short or "q" in short or arg in ("--count", "--quiet")
        elif not patterns:
            patterns.append(arg)
    if counted:
        view.opaque = True
    if inverted:
        view.dropped += patterns or [""]
    else:
        view.kept += patterns or [""]
