"""What the exit code and the output of a whole command line say about each of its commands.

Belongs here: and-or lists, hidden exit codes (a pipe, `;`, `|| true`), printed ones (`echo $?`), markers (`&& echo OK`), what
`head`, `tail` and `grep` took off the output, and the directory each command ran in. What the commands mean is `goals`.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache

from debug_loop_pipeline.compute.commands.output_view import View, seen_through
from debug_loop_pipeline.compute.commands.shell import Group, Item, Pipeline, Simple, parse
from debug_loop_pipeline.compute.commands.shell_variables import expanded, remember
from debug_loop_pipeline.compute.commands.wrappers import unwrap

_MAX_NESTED = 4
_MAX_LINE = 200_000
_REDACTED = re.compile(r"<REDACTED:([a-z0-9-]+)>")
"""Characters of a command line that are read; what is longer is data, not a command."""


_MAX_WHOLE = 20_000
_CUT_SHORT = re.compile(r"(?i)truncated|omitted|too (?:large|long)|persisted-output")
"""What tools of agents write into an output of which they left a part out; of a long one they may do so without a word."""
_EXPANDED = re.compile(r"[$`\\*?{~]")
_ASKS = frozenset(
    [
        "[",
        "[[",
        "test",
        "grep",
        "egrep",
        "fgrep",
        "rg",
        "ag",
        "diff",
        "cmp",
        "which",
        "command",
        "type",
        "find",
        "ls",
        "git",
        "pgrep",
        "curl",
    ]
)
"""Programs whose "no" is an answer, not a failure."""


class Told(StrEnum):
    """What is known of one command's exit."""

    PASSED = "passed"
    FAILED = "failed"
    SUSPECT = "suspect"
    """The line failed, and it may have been this command."""
    HIDDEN = "hidden"
    UNREACHED = "unreached"
    """The line stopped before it."""


@dataclass(slots=True)
class Ran:
    """One command of the line: its words without wrappers, where it ran, and what is known of its exit and output."""

    simple: Simple
    words: list[str]
    cwd: str
    told: Told = Told.HIDDEN
    exit_code: int | None = None
    view: View = field(default_factory=View)
    background: bool = False
    block: bool = False
    """Inside if, for or while: perhaps not run, perhaps often."""
    piped: bool = False
    """Whether it passed does not go on from here (`a | tail && b`): what stands behind it does not wait for that."""
    before: list[Ran] = field(default_factory=list)
    """Commands of the same and-list before it: when the line failed, one of them may have been why."""
    marker: str | None = None
    """The last literal line that the command line echoed before it."""
    mark: int = 0
    """How many such lines were echoed before it."""
    source: Ran | None = None
    """The command whose output it reads: the stage before it in its pipeline."""
    ends: bool = False
    """`... 2>&1 | tail -n N` at the end of the line: all that is seen of it is among the last N lines of the output."""

    @property
    def may_have_failed(self) -> bool:
        """Whether it may be why the line failed: not certain to have passed, and a command that can fail."""
        return self.told in (Told.SUSPECT, Told.FAILED) and self.name not in _SAFE | _NEVER_FAIL

    @property
    def name(self) -> str:
        """The program's name."""
        return self.words[0].rsplit("/", 1)[-1] if self.words else ""


@dataclass(slots=True)
class _Context:
    cwd: str
    output: str
    pipefail: bool = False
    errexit: bool = False
    ran: list[Ran] = field(default_factory=list)
    variables: dict[str, list[Ran]] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    """Of variables that were given a value that can be told."""
    printed: list[tuple[Ran, int]] = field(default_factory=list)
    marker: str | None = None
    mark: int = 0
    latest: list[Ran] = field(default_factory=list)
    """The stages of the last pipeline: what `PIPESTATUS` is about."""
    depth: int = 0


def commands_of(line: str, cwd: str = "", exit_code: int | None = None, output: str = "") -> list[Ran]:
    """The commands of `line`, in order, with what `exit_code` (of the whole line, None = unknown) and `output` say about each.

    `cwd` is where the line starts; relative `cd` arguments are joined to it. Nested command lines (`bash -c`, `eval`) and command
    substitutions of plain assignments are entered.
    """
    context = _Context(cwd, output)
    items = _parsed(line[:_MAX_LINE])
    _walk(items, exit_code, context, View(), False)
    _mark_end(items, context.ran)
    for ran, code in context.printed:
        ran.exit_code = code
        ran.told = Told.PASSED if code == 0 else Told.FAILED
    if exit_code and " not found" in output:
        _stop_at_unknown(context.ran, output)
    return context.ran


_UNKNOWN = re.compile(r"^(?:\(eval\):\d+|zsh(?::\d+)?): (?P<name>\S+) not found$", re.MULTILINE)


def _stop_at_unknown(ran: list[Ran], output: str) -> None:
    """Zsh reads `=name` as the path of a program (`echo ===`); where there is none it ends the whole line there."""
    words = {f"={match['name']}" for match in _UNKNOWN.finditer(output)}
    at = next((at for at, one in enumerate(ran) if words.intersection(one.simple.words)), len(ran))
    for one in ran[at:]:
        one.told, one.exit_code = Told.UNREACHED, None


@lru_cache(maxsize=64)
def _parsed(line: str) -> list[Item]:
    """The tree of a line; it is asked for when the command is called and again when its result comes."""
    # A placeholder's signs would be redirections.
    return parse(_REDACTED.sub(r"REDACTED-\1", line) if "<REDACTED:" in line else line)


def _mark_end(items: list[Item], ran: list[Ran]) -> None:
    stages = items[-1].pipeline.stages if items and items[-1].connector != "||" else []
    if len(stages) != 2:
        return
    command, tail = stages
    if not isinstance(command, Simple) or not isinstance(tail, Simple) or tail.name != "tail":
        return
    merged = any(r.fd == 2 and r.op == ">&" and r.target == "1" for r in command.redirections)
    if merged and not any(word.startswith(("-c", "--bytes", "-f", "-F")) for word in tail.words[1:]):
        for one in ran:
            one.ends = one.simple is command


def _walk(items: list[Item], code: int | None, context: _Context, view: View, block: bool) -> list[Ran]:
    context.errexit = context.errexit or _stops_at_errors(items)
    chains: list[list[Item]] = []
    for item in items:
        if context.errexit and item.connector == ";":
            item.connector = "&&"
        if item.connector in ("&&", "||") and chains:
            chains[-1].append(item)
        else:
            chains.append([item])
    everything: list[Ran] = []
    previous: list[Ran] = []
    for index, chain in enumerate(chains):
        last = index == len(chains) - 1
        chain_code = code if last else None
        exits = _exit_of(chain, context)
        if exits is not None and not exits and last:
            chain_code = None
        word = _unsaid(chain, context.output) if chain_code is None and view.whole and not block else None
        if word == "||":
            ran = _chain(chain[:-1], 0, context, view, block, previous)
            ran += _chain(chain[-1:], None, context, view, block, ran)
        else:
            ran = _chain(chain, 1 if word == "&&" else chain_code, context, view, block, previous)
        if exits is not None and exits and last and code is not None:
            _settle(exits, code)
        everything += ran
        previous = ran or previous
    return everything


def _unsaid(chain: list[Item], output: str) -> str | None:
    """How an and-list is joined to a word at its end (`&& echo OK`, `|| echo BROKEN`) that was not printed, though the output is whole."""
    if len(chain) < 2 or not output or len(output) > _MAX_WHOLE or any(i.connector != "&&" for i in chain[1:-1]):
        return None
    simple = _single(chain[-1].pipeline)
    if simple is None or simple.name != "echo" or simple.redirections or chain[-1].pipeline.background:
        return None
    text = " ".join(w for w in simple.words[1:] if w not in ("-e", "-n")).strip()
    if len(text) < 2 or _EXPANDED.search(text) or text in output or _CUT_SHORT.search(output):
        return None
    asked = (_single(item.pipeline) for item in chain[:-1])
    return None if any(one is None or one.name in _ASKS for one in asked) else chain[-1].connector


def _stops_at_errors(items: list[Item]) -> bool:
    """`set -e` at the head: what follows is one and-list in effect."""
    for item in items[:3]:
        simple = _single(item.pipeline)
        if simple is not None and simple.words[:1] == ["set"]:
            return any(re.fullmatch(r"-[a-z]*e[a-z]*", word) for word in simple.words[1:])
    return False


def _settle(exits: list[Ran], code: int) -> None:
    """`exit $rc`: the line's exit code is that of the commands whose status was kept."""
    for one in exits:
        one.told = Told.PASSED if code == 0 else Told.FAILED
        one.exit_code = code


def _exit_of(chain: list[Item], context: _Context) -> list[Ran] | None:
    """For `exit $name` the commands whose status it passes on; None for anything else."""
    simple = _single(chain[-1].pipeline)
    if simple is None or simple.name != "exit" or len(chain) > 1 or len(simple.words) < 2:
        return None
    stage = _STAGE.fullmatch(simple.words[1])
    return _stage(stage, context) if stage is not None else context.variables.get(simple.words[1].strip("${}"), [])


def _single(pipeline: Pipeline) -> Simple | None:
    stage = pipeline.stages[0] if len(pipeline.stages) == 1 else None
    return stage if isinstance(stage, Simple) else None


def _chain(
    chain: list[Item], code: int | None, context: _Context, view: View, block: bool, previous: list[Ran]
) -> list[Ran]:
    codes = _codes(chain, code, pipefail=context.pipefail or _sets_pipefail(chain))
    everything: list[Ran] = []
    and_list: list[Ran] = []
    preceding = previous
    for item, (told, known) in zip(chain, codes, strict=True):
        simple = _single(item.pipeline)
        if simple is not None:
            remember(simple, context.values, certain=not block and item.connector != "||")
            _read_status(
                simple,
                item.connector,
                [*preceding[:-1], *_not_echo(everything or previous)[-1:]]
                if item.connector in ("&&", "||")
                else preceding,
                context,
            )
        if item.connector != "&&":
            and_list = []
        marked = context.marker, context.mark
        ran = _pipeline(item.pipeline, told, known, context, view, block)
        if item.connector == "||":
            # It may not have been printed: what stands behind it does not begin there.
            context.marker, context.mark = marked
        for one in ran:
            one.before = [*and_list, *one.before]
        and_list = [*and_list, *ran]
        everything += ran
        if ran:
            preceding = ran
    return everything


def _not_echo(ran: list[Ran]) -> list[Ran]:
    return [one for one in ran if one.simple.name not in ("echo", "printf")]


def _codes(chain: list[Item], code: int | None, *, pipefail: bool = False) -> list[tuple[Told, int | None]]:
    """What the exit code of an and-or chain says about each pipeline of it (and its own exit code, where that is certain).

    What ends an and-list that failed and cannot fail itself (`a && b | tail`) was not reached.
    """
    told: list[tuple[Told, int | None]] = [(Told.HIDDEN, None)] * len(chain)
    if code is None:
        return told
    at = len(chain) - 1
    if code == 0:
        while at >= 0:
            if at and chain[at].connector == "||":
                if not _always_fails(chain[at].pipeline):
                    break
                told[at] = (Told.HIDDEN, None)
            else:
                told[at] = (Told.PASSED, 0)
            at -= 1
        return told
    if at and chain[at].connector == "||":
        forced = _always_fails(chain[at].pipeline)
        told[at] = (Told.HIDDEN if forced else Told.FAILED, None if forced else code)
        at -= 1
        code_left: int | None = None
    else:
        code_left = code
    start = at
    while start and chain[start].connector == "&&":
        start -= 1
    for index in range(start, at + 1):
        told[index] = (Told.SUSPECT if start != at else Told.FAILED, code_left)
    if start and chain[start].connector == "||":
        for index in range(start):
            told[index] = (Told.SUSPECT, None)
    able = [i for i in range(start, at + 1) if not _hardly_fails(chain[i].pipeline, pipefail=pipefail)]
    if start != at and len(able) == 1:
        for index in range(start, able[0]):
            told[index] = (Told.PASSED, 0)
        told[able[0]] = (Told.FAILED, code_left)
    if able:
        for index in range(able[-1] + 1, at + 1):
            told[index] = (Told.UNREACHED, None)
    return told


def _sets_pipefail(chain: list[Item]) -> bool:
    return any(
        simple is not None and simple.words[:1] == ["set"] and "pipefail" in simple.words
        for simple in (_single(item.pipeline) for item in chain)
    )


_NEVER_FAIL = frozenset({"tail", "head", "cat", "tee", "sort", "sed", "awk", "wc", "tr", "cut", "uniq", "less"})
_SAFE = frozenset(
    [
        "cd",
        "echo",
        "export",
        "printf",
        "set",
        "pwd",
        "true",
        ":",
        "mkdir",
        "sleep",
        "unset",
        "umask",
        "date",
        "clear",
        "pushd",
        "popd",
        "source",
        ".",
        "local",
        "declare",
        "which",
        "type",
        "ulimit",
    ]
)


def _hardly_fails(pipeline: Pipeline, *, pipefail: bool) -> bool:
    """Commands that stand before the one that matters and are not what failed (a failing `cd` says so in the output)."""
    last = pipeline.stages[-1] if pipeline.stages else None
    if len(pipeline.stages) > 1:
        return isinstance(last, Simple) and last.name in _NEVER_FAIL and not pipefail
    return isinstance(last, Simple) and (not last.words or last.name in _SAFE)


def _always_fails(pipeline: Pipeline) -> bool:
    """`|| exit 1`, `|| { echo failed; exit 1; }`: they hand the failure on."""
    last = pipeline.stages[-1] if pipeline.stages else None
    if isinstance(last, Group):
        return bool(last.items) and _always_fails(last.items[-1].pipeline)
    if last is None or not last.words:
        return False
    return last.name == "false" or (last.name in ("exit", "return") and last.words[1:2] != ["0"])


def _pipeline(
    pipeline: Pipeline, told: Told, code: int | None, context: _Context, view: View, block: bool
) -> list[Ran]:
    everything: list[Ran] = []
    latest: list[Ran] = []
    stages = pipeline.stages
    if pipeline.negated or pipeline.background:
        told, code = Told.HIDDEN, None
    for index, stage in enumerate(stages):
        last = index == len(stages) - 1
        seen = seen_through(stages[index + 1 :], view)
        if last or context.pipefail or told is Told.UNREACHED:
            here: tuple[Told, int | None] = (told, code)
        else:
            here = (Told.HIDDEN, None)
        if isinstance(stage, Group):
            saved, depth, values = context.cwd, context.depth, dict(context.values)
            inner = here[1] if here[0] in (Told.PASSED, Told.FAILED) and stage.kind != "block" else None
            everything += _walk(stage.items, inner, context, seen, block or stage.kind == "block")
            if stage.kind == "subshell":
                context.cwd, context.values = saved, values
            context.depth = depth
        else:
            ran = _simple(stage, here, context, seen, block, pipeline.background)
            for one in ran[:1] if latest else ():
                one.source = latest[-1]
            everything += ran
        if not last and not context.pipefail:
            for one in everything:
                one.piped = True
        latest += everything[-1:]
    if pipeline.negated or pipeline.background:
        for one in everything:
            one.piped = True
    if everything:
        context.latest = latest
    return everything


def _simple(
    simple: Simple, here: tuple[Told, int | None], context: _Context, view: View, block: bool, background: bool
) -> list[Ran]:
    if not simple.words:
        _remember_status(simple, context)
        found: list[Ran] = []
        for text in simple.substitutions:
            if context.depth < _MAX_NESTED and len(text) < _MAX_LINE:
                context.depth += 1
                found += _walk(parse(text), here[1] if len(simple.substitutions) == 1 else None, context, view, block)
                context.depth -= 1
        return found
    if simple.words[0] == "set":
        _shell_options(simple.words[1:], context)
    words, nested = _unwrapped(tuple(expanded(simple.words, context.values)))
    if nested is not None and context.depth < _MAX_NESTED:
        context.depth += 1
        saved = context.cwd
        inner = here[1] if here[0] in (Told.PASSED, Told.FAILED) else None
        ran = _walk(parse(nested[:_MAX_LINE]), inner, context, view, block)
        if here[0] is Told.SUSPECT:
            for one in ran[-1:]:
                one.told = Told.SUSPECT
        context.cwd = saved
        context.depth -= 1
        return ran
    one = Ran(simple, words, context.cwd, here[0], here[1], view, background, block)
    if any(r.op in (">", ">>", "&>", ">|", "&>>") and r.fd in (None, 1) for r in simple.redirections):
        one.view = View(opaque=True)
    one.marker, one.mark = context.marker, context.mark
    if one.name == "echo" and len(simple.words) > 1 and here[0] is not Told.FAILED and view.whole:
        literal = " ".join(w for w in simple.words[1:] if w not in ("-e", "-n")).replace("\\n", "").strip()
        if literal and "$" not in literal and "`" not in literal:
            context.marker, context.mark = literal, context.mark + 1
    context.ran.append(one)
    _change_directory(words, context)
    _shown_later(one, context)
    return [one]


@lru_cache(maxsize=128)
def _unwrapped(words: tuple[str, ...]) -> tuple[list[str], str | None]:
    """`unwrap`; each command is looked at when it is called and again when its result comes, and many come often."""
    return unwrap(list(words))


def _change_directory(words: list[str], context: _Context) -> None:
    if words and words[0] in ("cd", "pushd"):
        target = next((w for w in words[1:] if not w.startswith("-")), "~")
        context.cwd = posixpath.normpath(posixpath.join(context.cwd, target)) if target != "." else context.cwd


def _shown_later(reader: Ran, context: _Context) -> None:
    """`cmd > log; tail -20 log`: what the reader shows is what is seen of the command's output."""
    if reader.name not in ("cat", "tail", "head", "grep", "rg", "less", "more", "sed"):
        return
    named = {*reader.words[1:], *reader.simple.words[1:]}
    for earlier in context.ran[:-1]:
        if earlier.view.opaque and named.intersection(earlier.simple.writes()):
            earlier.view = seen_through([reader.simple], reader.view)


def _shell_options(words: list[str], context: _Context) -> None:
    for at, word in enumerate(words):
        if word == "pipefail" and at and words[at - 1].startswith("-"):
            context.pipefail = True


def _remember_status(simple: Simple, context: _Context) -> None:
    for name, value in simple.assignments:
        if value == "$?":
            context.variables[name] = _last_status(context)
        elif (stage := _STAGE.fullmatch(value)) is not None:
            context.variables[name] = _stage(stage, context)


def _last_status(context: _Context) -> list[Ran]:
    """The command that `$?` is about: the last one of the last pipeline; with `pipefail` the one of it that can fail."""
    if context.pipefail and context.latest:
        able = [one for one in context.latest if one.name not in _NEVER_FAIL]
        if len(able) == 1:
            return able
    return context.ran[-1:]


_STAGE = re.compile(r"\$\{PIPESTATUS\[(?P<bash>\d)\]\}|\$\{?pipestatus\[(?P<zsh>[1-9])\]\}?")


def _stage(match: re.Match[str], context: _Context) -> list[Ran]:
    """The stage of the last pipeline that `${PIPESTATUS[0]}` is about; zsh counts from one."""
    at = int(match["bash"]) if match["bash"] else int(match["zsh"]) - 1
    return context.latest[at : at + 1]


_STATUS = re.compile(r"\$\?|\$\{PIPESTATUS\[\d\]\}|\$\{?pipestatus\[\d\]\}?|\$\{?(\w+)\}?")


def _read_status(simple: Simple, connector: str, preceding: list[Ran], context: _Context) -> None:
    """Exit codes that are printed (`echo "exit: $?"`) and words printed on success or failure only (`&& echo OK`)."""
    if simple.name not in ("echo", "printf") or not preceding or not context.output:
        return
    text = " ".join(w for w in simple.words[1:] if w not in ("-e", "-n", "-en", "-ne"))
    text = text.split("\\n")[-1] if simple.name == "printf" and text.endswith("\\n") is False else text.strip()
    text = text.replace("\\n", "").strip()
    match = _STATUS.search(text)
    if match is not None:
        holders = _holders(match, preceding, context)
        code = _printed_code(text, match, context.output) if holders else None
        if holders and code is not None:
            context.printed += [(one, code) for one in holders]
        return
    if connector in ("&&", "||") and len(text) > 1 and "$" not in text and "`" not in text:
        last = preceding[-1]
        if re.search(rf"^{re.escape(text)}\s*$", context.output, re.MULTILINE):
            context.printed.append((last, 0 if connector == "&&" else last.exit_code or 1))


def _holders(match: re.Match[str], preceding: list[Ran], context: _Context) -> list[Ran]:
    if match.group(1):
        return context.variables.get(match.group(1), [])
    stage = _STAGE.fullmatch(match.group())
    if stage is not None:
        return _stage(stage, context)
    last = preceding[-1]
    if last.simple.name in ("echo", "printf"):
        return []
    return _last_status(context) if context.latest and last is context.latest[-1] else [last]


def _printed_code(text: str, match: re.Match[str], output: str) -> int | None:
    before, after = text[: match.start()].strip(), text[match.end() :].strip()
    if "$" in before:
        before = before.rsplit("$", 1)[-1].lstrip("?{}")
        before = re.sub(r"^\w*\}?", "", before).strip()
    tail = re.escape(after) if after and "$" not in after else ""
    found = re.findall(rf"^\s*{re.escape(before)}\s*(\d{{1,3}})\s*{tail}", output, re.MULTILINE)
    return int(found[-1]) if found else None
