"""Python: tracebacks, pytest and unittest results.

Belongs here: what the interpreter and its test runners print. Type checkers and linters have `file:line: message` (`compilers`).
"""

from __future__ import annotations

import re

from debug_loop_pipeline.compute.commands.error_cutting.common import CutError, block, is_ours, number, one_line

_SUMMARY = re.compile(
    r"^(?:\[gw\d+\] )?(?P<word>FAILED|ERROR) (?P<id>\S+\.py(?:::\S+(?: \S+?)*?)?|\S+::\S+)(?: - (?P<message>.*))?$",
    re.MULTILINE,
)
_SECTION = re.compile(r"^_{3,} (?P<name>.+?) _{3,}$", re.MULTILINE)
_SECTION_END = re.compile(
    r"^(?:={5,}.*={3,}|_{3,} .+? _{3,}|-{5,} .*Captured|- generated | tests finished: )", re.MULTILINE
)
_E_LINE = re.compile(r"^E(?:   ?| {2,})(?P<text>.*)$", re.MULTILINE)
_PLACE = re.compile(
    r"^(?P<path>[^\s:]+\.pyx?):(?P<line>\d+): (?P<type>(?!in\b)[A-Za-z_][\w.]*)?(?P<rest>.*)$", re.MULTILINE
)
_EXCEPTION = re.compile(
    r"^(?P<type>[A-Za-z_][\w.]*(?:Error|Exception|Warning|Exit|Interrupt|Failure|Failed|Timeout|NotFound|DoesNotExist|Iteration|Fault|Abort\w*|Invalid\w*|[A-Z]\w+)|[a-z_]\w*\.(?:error|timeout))(?:: (?P<message>.*))?$"
)
_HEAD = re.compile(r"^(?P<indent>[ \t|+]*)Traceback \(most recent call last\):$", re.MULTILINE)
_FRAME = re.compile(r'^\s*File "(?P<path>[^"]+)", line (?P<line>\d+)(?:, in (?P<function>.+))?$')
_SYNTAX = re.compile(
    r'^[ \t]*File "(?P<path>[^"]+)", line (?P<line>\d+)\n(?:(?!\s*File ).*\n){0,4}?(?P<type>SyntaxError|IndentationError|TabError): (?P<message>.+)$',
    re.MULTILINE,
)
_UNITTEST = re.compile(r"^(?P<word>FAIL|ERROR): (?P<name>[\w ]+?) \((?P<where>[\w.<>]+)\)(?P<sub>.*)$", re.MULTILINE)
_USAGE = re.compile(
    r"^(?:collecting \.\.\. )?(?P<message>ERROR: (?:file or directory not found|not found|usage|found no collectors).*|INTERNALERROR> \w*Error.*|pytest: error: .*|.*: error: (?:unrecognized arguments|the following arguments).*)$",
    re.MULTILINE,
)
_INTERPRETER = re.compile(
    r"^\S*python[\d.]*: (?P<message>(?:No module named|can't open file|can't find).*)$", re.MULTILINE
)
_CONFTEST = re.compile(r"ImportError while loading conftest '(?P<path>[^']+)'")
_CUT_SHORT = re.compile(r"\w*\.\.\.\Z")
_UNITTEST_END = re.compile(r"^-{70}\nRan \d+ tests? in ", re.MULTILINE)
_PROGRESS = re.compile(r"[.EFsxu]+")
"""What unittest prints while it runs, a letter a test."""
_MAX_SECTIONS = 200
_MIN_BEGINNING = 8
"""Letters by which a shortened message is known again."""


def cut_pytest(output: str) -> list[CutError]:
    """One error per failing test or collection error: its id, the exception of its section."""
    sections = _sections(output) if "____ " in output else {}
    found: list[CutError] = []
    headless: tuple[int, str, str] | None = None
    for match in _SUMMARY.finditer(output):
        test, short = match["id"], match["message"] or ""
        if not (test.endswith(".py") or "::" in test):
            continue
        section = sections.get(_section_name(test, sections, match["word"]) or "")
        if section is None and short.endswith("...") and match["word"] == "FAILED":
            headless = len(found), test, short
        found.append(_pytest_error(test, match["message"], section, match["word"] == "ERROR"))
    if headless is not None:
        at, test, short = headless
        found[at] = _with_cut_section(found[at], test, short, output)
    if not found:
        found = [_pytest_error(name, None, text, name.startswith("ERROR ")) for name, text in sections.items()]
    if not found and "\nE  " in output and "ImportError while loading conftest" not in output:
        found = _headless(output)
    if not found and "ImportError while loading conftest" in output:
        kind, message = _of_e_lines([m["text"] for m in _E_LINE.finditer(output)])
        conftest = _CONFTEST.search(output)
        if message:
            found = [
                CutError(
                    one_line(message),
                    type=kind,
                    tool="pytest",
                    path=conftest["path"] if conftest else None,
                    stacktrace=block(output.split("\n")[:80]),
                )
            ]
    if not found:
        found = [CutError(one_line(m["message"]), tool="pytest") for m in _USAGE.finditer(output)]
    return found


def _with_cut_section(error: CutError, test: str, short: str, output: str) -> CutError:
    """The error of the last test that has no section out of what is left of it at the head of the output, where its short message begins so."""
    begin = _SECTION.search(output) or _SUMMARY.search(output)
    whole = _pytest_error(test, None, output[: begin.start()] if begin else "", collecting=False)
    begins = short.removesuffix("...")
    return whole if len(begins) > _MIN_BEGINNING and whole.message.startswith(begins) else error


def _headless(output: str) -> list[CutError]:
    """The one test whose section a `tail` left without its head and without its line in the summary: no test is named."""
    error = _pytest_error("", None, output, collecting=False)
    if error.message == "test failed":
        return []
    error.test, error.path = None, error.path or None
    return [error]


def _sections(output: str) -> dict[str, str]:
    sections: dict[str, str] = {}
    heads = list(_SECTION.finditer(output))[:_MAX_SECTIONS]
    for at, head in enumerate(heads):
        start = head.end()
        end = heads[at + 1].start() if at + 1 < len(heads) else len(output)
        stop = _SECTION_END.search(output, start, end)
        sections.setdefault(head["name"].strip(), output[start : stop.start() if stop else end])
    return sections


def _section_name(test: str, sections: dict[str, str], word: str) -> str | None:
    path, _, inside = test.partition("::")
    dotted = inside.replace("::", ".")
    candidates = [dotted, f"ERROR at setup of {dotted}", f"ERROR at teardown of {dotted}", f"ERROR collecting {path}"]
    if word == "ERROR":
        candidates = [*candidates[1:], dotted]
    return next((c for c in candidates if c in sections), None)


def _pytest_error(test: str, short: str | None, section: str | None, collecting: bool) -> CutError:
    kind = message = path = line = None
    if section:
        e_lines = [m["text"] for m in _E_LINE.finditer(section)]
        kind, message = _of_e_lines(e_lines)
        places = [m for m in _PLACE.finditer(section) if is_ours(m["path"])]
        if places:
            path, line = places[-1]["path"], number(places[-1]["line"])
            kind = kind or places[-1]["type"]
        if message is None and "Traceback" in section:
            inner = cut_tracebacks(section)
            if inner:
                kind, message = inner[-1].type, inner[-1].message
        if message is None and kind is None and not e_lines:
            kind, message, place = _of_frames(section)
            if place is not None:
                path, line = place["path"], number(place["line"])
    if message is None and short and not _CUT_SHORT.match(short):
        exception = _EXCEPTION.match(short)
        kind, message = (
            (exception["type"], short)
            if exception
            else ("AssertionError" if short.startswith("assert ") else None, short)
        )
    label = test.removeprefix("ERROR collecting ")
    return CutError(
        one_line(message or ("collection failed" if collecting else "test failed")),
        type=kind,
        tool="pytest",
        test=label,
        path=path or label.partition("::")[0] if ".py" in label else path,
        line=line,
        stacktrace=block(section.split("\n")) if section else None,
    )


def _of_frames(section: str) -> tuple[str | None, str | None, re.Match[str] | None]:
    """Exception, message and last place of our own in a section of a runner that prints a traceback without its head (SymPy's)."""
    lines = section.split("\n")
    ended = [match for line in lines if (match := _EXCEPTION.match(line))]
    places = [match for line in lines if (match := _FRAME.match(line)) and is_ours(match["path"])]
    kind, message = (ended[-1]["type"], ended[-1].group()) if ended else (None, None)
    return kind, message, places[-1] if places else None


def _of_e_lines(lines: list[str]) -> tuple[str | None, str | None]:
    """Exception type and message of a section's `E` lines; the exception that ended it is the last one that names a class."""
    named = [
        (at, m)
        for at, text in enumerate(lines)
        if (m := _EXCEPTION.match(text.strip())) and not text.startswith("    ")
    ]
    if named:
        at, match = named[-1]
        message = lines[at].strip()
        if not match["message"] and at + 1 < len(lines):
            message = f"{message}: {lines[at + 1].strip()}"
        return match["type"], message
    first = next((text.strip() for text in lines if text.strip()), None)
    if first is None:
        return None, None
    if first.startswith("assert "):
        return "AssertionError", first
    return None, first


def cut_unittest(output: str) -> list[CutError]:
    """One error per `FAIL:` or `ERROR:` block of unittest and Django."""
    heads = list(_UNITTEST.finditer(output))
    if not heads:
        closing = _UNITTEST_END.search(output)
        return _without_head(output[: closing.start()]) if closing is not None else []
    before = output[: heads[0].start()]
    found = _without_head(before) if before.endswith(f"\n{'=' * 70}\n") else []
    for at, head in enumerate(heads[:_MAX_SECTIONS]):
        end = heads[at + 1].start() if at + 1 < len(heads) else len(output)
        text = output[head.end() : end].split("\n======", 1)[0]
        inner = cut_tracebacks(text)
        where = head["where"]
        name = head["name"].strip()
        test = where if where.endswith("." + name) else f"{where}.{name}"
        error = inner[-1] if inner else _of_head(text)
        error.tool, error.test = "unittest", test.removeprefix("unittest.loader._FailedTest.")
        found.append(error)
    return found


def _of_head(text: str) -> CutError:
    """What a `grep` left of a block whose traceback it took off: the line of the exception, if that."""
    kind, message, _ = _of_frames(text)
    return CutError(one_line(message or "test failed"), type=kind)


def _without_head(block_left: str) -> list[CutError]:
    """What is left of a block whose head a `tail` took off: which test it was is not known."""
    whole = cut_tracebacks(block_left) if "Traceback (most recent" in block_left else []
    if whole:
        whole[-1].tool = "unittest"
        return whole[-1:]
    kind, message, place = _of_frames(block_left)
    if message is None or _PROGRESS.fullmatch(message):
        return []
    path, line = (place["path"], number(place["line"])) if place is not None else (None, None)
    stack = block(block_left.rstrip("\n").rstrip("=").rstrip("\n").split("\n"))
    return [CutError(one_line(message), type=kind, tool="unittest", path=path, line=line, stacktrace=stack)]


def cut_tracebacks(output: str) -> list[CutError]:
    """One error per traceback: the exception that ended a chain, its innermost own frame; syntax errors without a traceback too."""
    found: list[CutError] = []
    heads = list(_HEAD.finditer(output))
    for at, head in enumerate(heads[:_MAX_SECTIONS]):
        end = heads[at + 1].start() if at + 1 < len(heads) else len(output)
        error, chained = _traceback(output[head.start() : end], head["indent"])
        if error is not None and not chained:
            found.append(error)
    if len(found) > 1:
        found = [e for e in found if not (e.type or "").endswith("Warning")] or found
    if not found and ("SyntaxError" in output or "IndentationError" in output or "TabError" in output):
        for match in _SYNTAX.finditer(output):
            message = f"{match['type']}: {match['message'].strip()}"
            found.append(
                CutError(
                    one_line(message), type=match["type"], tool="python", path=match["path"], line=number(match["line"])
                )
            )
    if not found:
        found = [CutError(one_line(m["message"]), tool="python") for m in _INTERPRETER.finditer(output)]
    return found


_DJANGO = re.compile(r"^(?P<of>\?|[\w.<>]+): \((?P<id>[\w.]+\.(?P<level>[A-Z])\d{3})\) (?P<message>.+)$", re.MULTILINE)
_MIGRATIONS = re.compile(r"^Migrations for '(?P<app>\w+)':\n(?P<changes>(?:[ \t]+\S.*(?:\n|\Z))+)", re.MULTILINE)
_OPERATION = re.compile(r"^[ \t]+[-+~] (.+)$", re.MULTILINE)


def cut_django(output: str, tool: str | None) -> list[CutError]:
    """The findings of Django's system check; of `makemigrations --check` the migrations that are missing."""
    found = [
        CutError(
            one_line(f"{m['of']}: ({m['id']}) {m['message']}"),
            type=m["id"],
            tool="manage.py check",
            warning=m["level"] in "WID",
        )
        for m in _DJANGO.finditer(output)
    ]
    if tool == "manage.py makemigrations":
        found += [
            CutError(one_line(f"Migrations for '{m['app']}': {'; '.join(_OPERATION.findall(m['changes']))}"), tool=tool)
            for m in _MIGRATIONS.finditer(output)
        ]
    return found


_CHAINED = ("During handling of the above exception", "The above exception was the direct cause")


def _traceback(text: str, indent: str) -> tuple[CutError | None, bool]:
    """The error of one traceback and whether another follows it in a chain."""
    lines = text.split("\n")
    frames: list[tuple[str, str]] = []
    for at, raw in enumerate(lines[1:], 1):
        line = raw[len(indent) :] if raw.startswith(indent) else raw
        frame = _FRAME.match(line)
        if frame is not None:
            frames.append((frame["path"], frame["line"]))
            continue
        if not line or line[0] in " \t":
            continue
        exception = _EXCEPTION.match(line)
        if exception is None and (not frames or any(_EXCEPTION.match(rest) for rest in lines[at + 1 : at + 30])):
            continue
        message = [line]
        message += [
            more
            for more in lines[at + 1 : at + 4]
            if more.startswith("  ") and not more.strip().startswith(("File ", "+", "✓ ", "✕ ", "× ", "✗ ", "● "))
        ]
        chained = any(marker in rest for rest in lines[at + 1 : at + 6] for marker in _CHAINED)
        ours = next((f for f in reversed(frames) if is_ours(f[0]) and not f[0].startswith("<")), None)
        error = CutError(
            one_line(" ".join(message)),
            type=exception["type"].rsplit(".", 1)[-1] if exception else None,
            tool="python",
            path=ours[0] if ours else None,
            line=number(ours[1]) if ours else None,
            stacktrace=block(lines[: at + 1]),
        )
        return error, chained
    return None, False
