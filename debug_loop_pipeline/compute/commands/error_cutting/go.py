"""go test: the leaf `--- FAIL` with its message; panics, races and time-outs; the JSON stream.

Belongs here: test results of Go. Compile errors have the form `file:line:col: message` and are in `compilers`.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from debug_loop_pipeline.compute.commands.error_cutting.common import CutError, block, number, one_line

_FAIL = re.compile(r"^(?P<indent>[ \t]*)--- FAIL: (?P<name>\S+)")
_GOTESTSUM = re.compile(r"^=== FAIL: (?P<package>\S+) (?P<name>[A-Z]\S*) \([\d.]+s\)$", re.MULTILINE)
"""gotestsum lists the failing tests once more, with their packages."""
_GINKGO = re.compile(r"^ +\[(?:FAIL|PANICKED!?)\] (?P<spec>.+)\n +(?P<path>\S+\.go):(?P<line>\d+)$", re.MULTILINE)
_GINKGO_SAYS = re.compile(
    r"^ +\[(?:FAILED|PANICKED!?)\] (?P<message>.+(?:\n(?! +In \[).+){0,12})\n +In \[\w+\] at: (?P<path>\S+\.go):(?P<line>\d+)",
    re.MULTILINE,
)
_GINKGO_KIND = re.compile(r" \[(?:It|BeforeEach|AfterEach|BeforeAll|AfterAll|DeferCleanup|Entry)\]")
_MARK = re.compile(
    r"^[ \t]*(?:=== (?:RUN|CONT|NAME|PAUSE)[ \t]+(?P<run>\S+)|--- (?:PASS|FAIL|SKIP|BENCH): (?P<done>\S+))"
)
_LOG = re.compile(r"^[ \t]+(?P<path>[\w./\-]+\.go):(?P<line>\d+):[ \t]?(?P<text>.*)$")
_TESTIFY_ERROR = re.compile(r"^\s*Error:\s+(?P<text>.*)$")
_TESTIFY_FIELD = re.compile(r"^\s*(?:Error Trace|Error|Test|Messages):")
_PANIC = re.compile(r"^(?P<kind>panic|fatal error): (?P<text>.+?)(?: \[recovered.*)?$", re.MULTILINE)
_FRAME = re.compile(r"^\t(?P<path>\S+\.go):(?P<line>\d+)(?: \+0x[0-9a-f]+)?$", re.MULTILINE)
_TELLS_FAILURE = re.compile(
    r"\b(?:want|wanted|expected|expect|got|error|err|fail(?:ed|ure)?|unexpected|should|must|cannot|not|invalid|mismatch|missing)\b|!=",
    re.IGNORECASE,
)
_RACE = re.compile(r"^WARNING: DATA RACE$", re.MULTILINE)
_RACE_TEST = re.compile(r"^ {2}(?P<package>\S+)\.(?P<test>Test\w*)(?:\.\S+)?\(\)$", re.MULTILINE)
_MAX_BLOCK = 60
_RAN = re.compile(r"^(?P<result>ok|FAIL)[ \t]+(?P<name>\S+)[ \t]+(?:\(cached\)|[\d.]+s\b)", re.MULTILINE)
_BROKEN = re.compile(
    r"^FAIL[ \t]+(?P<name>\S+) \[(?:build|setup) failed\]|^# (?P<head>[^\s\[]\S*)(?: \[\S+\])?\n(?=(?:vet: )?\S+\.go:\d+)"
    r"|^# \[(?P<vetted>\S+)\]\n(?=vet: )",
    re.MULTILINE,
)
"""`go vet` names a package a second time, in brackets: what it finds there is no error of the build, what it says with `vet:` is."""
_MAX_PACKAGES = 200
_MAX_TRACE = 60_000


class Packages(NamedTuple):
    """Import paths of packages whose tests ran, of those that could not be built, and of those among the first that have a failing test."""

    ran: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


def cut(output: str) -> list[CutError]:
    """One error per failing leaf test, with what it logged; a panic as an error of its own kind."""
    if '"Action":"' in output:
        output = _from_json(output)
    if "=== FAIL: " in output:
        return [_of_gotestsum(output, match) for match in _GOTESTSUM.finditer(output)]
    if "--- FAIL" not in output and "panic: " not in output and "fatal error: " not in output:
        return _race(output)
    lines = output.split("\n")
    failing = [(at, m["name"], len(m["indent"])) for at, line in enumerate(lines) if (m := _FAIL.match(line))]
    names = {name for _, name, _ in failing}
    leaves = [f for f in failing if not any(other.startswith(f[1] + "/") for other in names)]
    logs = _logs(lines)
    panics = _panics(output)
    found: list[CutError] = []
    for at, name, indent in leaves:
        told = _after(lines, at, indent) or logs.get(name, [])
        error = _error(name, told)
        error.package = _package_of(lines, at)
        found.append(error)
    if panics:
        panicked = [e for e in found if e.message.startswith("--- FAIL")]
        for error in panics:
            error.test = panicked[0].test if panicked else None
        found = [e for e in found if e not in panicked]
    specs = _ginkgo(output) if "[FAIL] " in output or "[PANICKED" in output else []
    if specs:
        # The test of Go that runs the suite says no more than that a spec failed.
        found = [error for error in found if not error.message.startswith("--- FAIL")]
    return [*panics, *specs, *found]


def _race(output: str) -> list[CutError]:
    """What the race detector says where a `head` took off which test failed by it: the test is in the stacks of the two accesses."""
    race = _RACE.search(output)
    if race is None:
        return []
    test = _RACE_TEST.search(output, race.end())
    error = CutError(
        "race detected during execution of test",
        tool="go test",
        test=test["test"] if test is not None else None,
        stacktrace=block(output[race.start() :].split("\n")[:40]),
    )
    error.package = test["package"] if test is not None else None
    return [error]


def _of_gotestsum(output: str, match: re.Match[str]) -> CutError:
    told = _after(output[match.start() : match.start() + 16_000].split("\n"), 0, 0)
    error = _error(match["name"], told)
    error.package = match["package"]
    return error


def _ginkgo(output: str) -> list[CutError]:
    said = {(m["path"], m["line"]): one_line(m["message"]) for m in _GINKGO_SAYS.finditer(output)}
    return [
        CutError(
            said.get((m["path"], m["line"]), "test failed"),
            tool="go test",
            test=_GINKGO_KIND.sub("", m["spec"]).strip(),
            path=m["path"],
            line=number(m["line"]),
        )
        for m in _GINKGO.finditer(output)
    ]


def packages(output: str) -> Packages:
    r"""Which packages were built, since their tests ran, and which were not, as far as the output tells.

    >>> packages("# a.io/x/db [a.io/x/db.test]\ndb/db.go:3:1: undefined: y\nFAIL\ta.io/x/db [build failed]\nok  \ta.io/x/web\t0.01s\n")
    Packages(ran=('a.io/x/web',), broken=('a.io/x/db',), failed=())
    >>> packages("# a.io/x/db\n# [a.io/x/db]\nvet: db/db.go:3:1: undefined: y\n# a.io/x/a\n# [a.io/x/a]\na/a.go:1:2: unreachable code\n").broken
    ('a.io/x/db',)
    >>> packages("--- FAIL: TestA (0.00s)\nFAIL\nFAIL\ta.io/x/a\t0.1s\n--- FAIL: TestB (0.00s)\n").failed
    ()
    """
    if '"Action":"' in output:
        output = _from_json(output)
    ran: dict[str, bool] = {}
    for match in _RAN.finditer(output):
        ran[match["name"]] = ran.get(match["name"], False) or match["result"] == "FAIL"
    broken = dict.fromkeys(m["name"] or m["head"] or m["vetted"] for m in _BROKEN.finditer(output))
    failed = tuple(name for name, fails in ran.items() if fails)
    if output.rfind("--- FAIL: ") > max(
        (m.start() for m in _RAN.finditer(output) if m["result"] == "FAIL"), default=-1
    ):
        failed = ()  # The line of the package that the last failing test is in was cut off.
    return Packages(tuple(ran)[:_MAX_PACKAGES], tuple(broken)[:_MAX_PACKAGES], failed[:_MAX_PACKAGES])


def _package_of(lines: list[str], at: int) -> str | None:
    """The package whose result follows a failing test: its tests stand before it."""
    for line in lines[at + 1 :]:
        if line.startswith(("FAIL", "ok")) and (match := _RAN.match(line)) is not None:
            return match["name"] if match["result"] == "FAIL" else None
    return None


def _after(lines: list[str], at: int, indent: int) -> list[str]:
    """The lines below a `--- FAIL` that are indented deeper than it, up to the next mark."""
    told: list[str] = []
    for line in lines[at + 1 : at + _MAX_BLOCK]:
        if _MARK.match(line) or (line.strip() and len(line) - len(line.lstrip()) <= indent):
            break
        told.append(line)
    return told


def _logs(lines: list[str]) -> dict[str, list[str]]:
    """What each test logged while it ran (`go test -v` prints it before the result)."""
    logs: dict[str, list[str]] = {}
    current = ""
    for line in lines:
        mark = _MARK.match(line)
        if mark is not None:
            current = mark["run"] or ""
        elif current and line[:1] in " \t" and len(logs.setdefault(current, [])) < _MAX_BLOCK:
            logs[current].append(line)
    return logs


def _error(name: str, told: list[str]) -> CutError:
    """The error of one test: testify's `Error:`, else the last line it logged that tells a failure, else the last one."""
    logged: list[tuple[str, int | None, str]] = []
    for at, text in enumerate(told):
        testify = _TESTIFY_ERROR.match(text)
        if testify is not None:
            path, line, _ = logged[-1] if logged else (None, None, "")
            return _test_error(name, _testify(testify["text"], told[at + 1 :]), path, line, told)
        log = _LOG.match(text)
        if log is not None:
            logged.append((log["path"], number(log["line"]), log["text"].strip()))
    telling = (
        [entry for entry in logged if _TELLS_FAILURE.search(entry[2])]
        or [entry for entry in logged if entry[2]]
        or logged
    )
    path, line, message = telling[-1] if telling else (None, None, "")
    if path == "testing.go":
        path = line = None
    return _test_error(name, message, path, line, told)


def _test_error(name: str, message: str, path: str | None, line: int | None, told: list[str]) -> CutError:
    return CutError(
        one_line(message) or f"--- FAIL: {name}",
        tool="go test",
        test=name,
        path=path,
        line=line,
        stacktrace=block(told) if len(told) > 1 else None,
    )


def _testify(first: str, following: list[str]) -> str:
    parts = [first.strip()]
    for line in following[:6]:
        if _TESTIFY_FIELD.match(line) or not line.strip():
            break
        parts.append(line.strip())
    return " ".join(p for p in parts if p)


def _panics(output: str) -> list[CutError]:
    found: list[CutError] = []
    for match in _PANIC.finditer(output):
        rest = output[match.end() : match.end() + 8_000]
        frames = [(f["path"], f["line"]) for f in _FRAME.finditer(rest)]
        ours = next(
            (
                f
                for f in frames
                if "/go/src/" not in f[0] and "/usr/local/go/" not in f[0] and "/libexec/src/" not in f[0]
            ),
            None,
        )
        text = match["text"]
        kind = "timeout" if text.startswith("test timed out") else match["kind"]
        found.append(
            CutError(
                one_line(f"{match['kind']}: {text}"),
                type=kind,
                tool="go test",
                path=ours[0] if ours else None,
                line=number(ours[1]) if ours else None,
                stacktrace=block(rest.split("\n\n\n")[0].split("\n")[:40]),
                package=_package_of(output[match.end() : match.end() + _MAX_TRACE].split("\n"), 0),
            )
        )
    return found[:3]


def _from_json(output: str) -> str:
    """The text that `go test -json` carries in its `Output` fields."""
    parts: list[str] = []
    for line in output.split("\n"):
        if not line.startswith("{"):
            parts.append(line + "\n")
            continue
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and isinstance(event.get("Output"), str):
            parts.append(event["Output"])
    return "".join(parts)
