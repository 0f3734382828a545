"""Test results and uncaught errors of .NET, Ruby, PHP, Elixir, Swift and C++ (gtest, Catch2, sanitizers).

Belongs here: one short cutter per ecosystem. Compiler lines are in `compilers`.
"""

from __future__ import annotations

import re

from debug_loop_pipeline.compute.commands.error_cutting.common import CutError, block, is_ours, number, one_line

_DOTNET = re.compile(
    r"^\s*(?:\[xUnit\.net [^\]]*\]\s+)?(?:Failed|X) (?P<test>[\w.]+(?:\(.*?\))?) \[[^\]]+\]\n\s*Error Message:\n\s*(?P<message>(?:.+(?:\n|\Z))+?)\s*(?:Stack Trace:|\Z)(?P<stack>(?:\n?\s+at .+)*)",
    re.MULTILINE,
)
_XUNIT = re.compile(
    r"^[ \t]*\[xUnit\.net [\d:.]+\] +(?P<test>\S[^\n]*?) \[FAIL\]$(?:\n[ \t]*\[xUnit\.net [\d:.]+\] {6,}(?P<message>\S[^\n]*)$)?",
    re.MULTILINE,
)
_DOTNET_ANY_LANGUAGE = re.compile(
    r"^ {2}[^\W\d]+ (?P<test>[\w.]+(?:\([^\n]*?\))?) \[[^\]\n]+\]\n {2}\S[^\n]{2,40}:\n(?P<message>(?: {3}[^\n]*\n){1,40})(?: {2}\S[^\n]{2,40}:\n(?P<stack>(?: {3,}[^\n]*(?:\n|\Z)){1,40}))?",
    re.MULTILINE,
)
"""A failing test with its message and its stack, each below a heading in the language of the machine."""
_DOTNET_LINE = re.compile(r"in (?P<path>\S+\.(?:cs|fs|vb)):line (?P<line>\d+)")
_DOTNET_UNHANDLED = re.compile(r"^Unhandled exception\. (?P<type>[\w.]+): (?P<message>.+)$", re.MULTILINE)
_RSPEC = re.compile(
    r"^  \d+\) (?P<test>.+)\n(?P<body>(?:(?!^  \d+\) |^Finished in|^Failed examples).*\n?)+)", re.MULTILINE
)
_RSPEC_LOADING = re.compile(
    r"^An error occurred (?:while loading|in an? `[^`]+` hook|in a `[^`]+`) ?(?P<file>\S+?)?\.?\nFailure/Error: .*\n(?P<body>(?:(?!^An error occurred|^No examples found|^Finished in|^Run options).*\n?)+)",
    re.MULTILINE,
)
_RSPEC_PLACE = re.compile(r"^\s+# (?P<path>\./\S+?):(?P<line>\d+)", re.MULTILINE)
_BATS = re.compile(
    r"^(?: ✗ |not ok \d+ )(?P<test>.+?)(?: \[\d+\]| in \d+ms)?\n(?:#? +\(from .*\n)?(?:#? +\(?(?:from .*)?in test file (?P<path>\S+), line (?P<line>\d+)\)\n)(?:#? +(?P<message>.+))?$",
    re.MULTILINE,
)
_MINITEST = re.compile(
    r"^(?:\s*\d+\) )?(?P<word>Failure|Error):\n(?P<test>[\w:]+#\S+?)(?: \[(?P<path>[^\]:]+):(?P<line>\d+)\])?:\n(?P<message>(?:.+\n?)+?)(?=\n|\Z)",
    re.MULTILINE,
)
_RUBY = re.compile(
    r"^(?P<path>[^\s:]+\.rb):(?P<line>\d+):in [`'](?P<where>[^']*)': (?P<message>.+) \((?P<type>[\w:]+)\)$",
    re.MULTILINE,
)
_PHPUNIT = re.compile(
    r"^\d+\) (?P<test>[\w\\]+::\S+.*)\n(?P<message>(?:.+\n){1,80}?)\n?(?P<path>/\S+?):(?P<line>\d+)$", re.MULTILINE
)
_DATA_OF_SET = re.compile(r"( with data set (?:\"[^\"]*\"|#\d+)) \(.*\)$")
_TESTDOX = re.compile(
    r"^(?:(?P<head>[A-Z][\w ]*)(?: \((?P<suite>[\w\\]+)\))?$(?=\n [✔✘☢⚠∅↩])| ✘ (?P<test>\S.*)\n(?P<body>(?:[ \t]+[│┐┘├┤╭╰┊].*(?:\n|\Z))*))",
    re.MULTILINE,
)
_TESTDOX_PLACE = re.compile(r"(?P<path>/\S+?):(?P<line>\d+)$")
_COLLISION = re.compile(
    r"^ {1,8}FAILED {1,8}(?P<suite>[\w\\]+) > (?P<test>[^\n]{1,400})\n(?P<message>(?: {0,8}[^\s\n][^\n]*\n){1,40}?)(?:[ \t]{0,8}\n){0,3} {1,8}at (?P<path>\S{1,400}?):(?P<line>\d+)$",
    re.MULTILINE,
)
_PHP = re.compile(
    r"^(?:PHP )?(?P<type>Fatal error|Parse error|Uncaught \w+):\s+(?P<message>.+?) in (?P<path>\S+)(?: on line |:)(?P<line>\d+)",
    re.MULTILINE,
)
_PHPSTAN = re.compile(r"^[ \t]+(?:Line[ \t]+(?P<path>\S+\.php)|(?P<line>\d+)[ \t]{2,}(?P<message>\S.*))$", re.MULTILINE)
_PHPCS = re.compile(
    r"^(?:FILE: (?P<path>\S.*)| *(?P<line>\d+) \| (?P<level>ERROR|WARNING) +\| (?:\[[x ]\] )?(?P<message>.+(?:\n +\| +\| .+)*))$",
    re.MULTILINE,
)
_PHPSTAN_GROUP = re.compile(
    r"^\[(?P<type>[A-Za-z]\w*(?:\.\w+)+)\] [1-9]\d* occurrences?:$(?:\n +(?P<path>\S+\.php):(?P<line>\d+)\b)?",
    re.MULTILINE,
)
"""A formatter for agents: each rule once, with the places below it."""
_DEPTRAC = re.compile(
    r"^ {1,8}(?P<type>DependsOn\w+) {1,8}(?P<message>\S[^\n]*)\n(?: {4,}[^\s/].*\n){0,4}? {4,}(?P<path>\S+\.php):(?P<line>\d+) *$",
    re.MULTILINE,
)
_NUMBERED = re.compile(
    r"^\d+\. (?P<path>[\w./@-]+):(?P<line>\d+) \[(?P<type>[\w./-]+)\]\n(?: {2,}\w+: .*\n){0,6}? {2,}message: (?P<message>.+)$",
    re.MULTILINE,
)
"""A list of findings with a place, a rule and fields below, as checkers that write for agents print it."""
_EXUNIT = re.compile(
    r"^  \d+\) (?P<kind>test|doctest|property) (?P<test>.+)\n\s+(?P<path>\S+\.exs?):(?P<line>\d+)\n(?P<body>(?:     .*\n?)+)",
    re.MULTILINE,
)
_ELIXIR = re.compile(r"^\*\* \((?P<type>[\w.]+)\) (?P<message>.+)$", re.MULTILINE)
_ELIXIR_DIAGNOSTIC = re.compile(
    r"^\s*(?P<level>error|warning): (?P<message>.+)\n(?:(?!\s*(?:error|warning): ).*\n){0,8}?\s*└─ (?P<path>[^\s:]+):(?P<line>\d+)",
    re.MULTILINE,
)
_CREDO = re.compile(r"^┃ \[[A-Z]\] \S (?P<message>.+)\n┃\s+(?P<path>[^\s:]+):(?P<line>\d+)", re.MULTILINE)
_XCTEST = re.compile(
    r"^(?P<path>\S+\.swift):(?P<line>\d+): error: (?:-\[)?(?P<test>[\w.]+(?: \w+\]|\.\w+)) : (?P<message>.+)$",
    re.MULTILINE,
)
_SWIFT_TESTING = re.compile(
    r"^[✘􀢄] Test (?P<test>.+?) recorded an issue at (?P<path>[^\s:]+):(?P<line>\d+):\d+: (?P<message>.+)$", re.MULTILINE
)
_GTEST = re.compile(
    r"^(?:(?P<path>\S+):(?P<line>\d+)|unknown file): Failure\n(?P<message>(?:.+\n?)+?)(?=\n|\Z|^\[)", re.MULTILINE
)
_GTEST_RUN = re.compile(r"^\[ RUN      \] (?P<test>\S+)$", re.MULTILINE)
_CATCH = re.compile(
    r"^(?P<path>\S+):(?P<line>\d+): (?:FAILED|ERROR):?\s*\n?(?P<message>(?:.+\n?)+?)(?=\n|\Z)", re.MULTILINE
)
_CTEST = re.compile(
    r"^\s+\d+ - (?P<test>\S+) \((?P<word>Failed|SEGFAULT|Timeout|Not Run|Subprocess aborted|Exception.*)\)$",
    re.MULTILINE,
)
_SANITIZER = re.compile(
    r"(?:ERROR|WARNING): (?P<type>(?:Address|Thread|Memory|Leak|UndefinedBehavior)Sanitizer): (?P<message>[^\n]+?)(?: on (?:unknown )?address 0x\w+.*| \(pid=\d+\))?$",
    re.MULTILINE,
)
_ASSERT = re.compile(r"^\S+: (?P<path>\S+?):(?P<line>\d+): .*: Assertion [`'](?P<message>.+)' failed\.$", re.MULTILINE)
_CRASH = re.compile(
    r"^(?:.*?: )?(?P<message>Segmentation fault|Bus error|Aborted|Illegal instruction|Floating point exception|terminate called after throwing an instance of .+|Killed)(?: \(core dumped\))?.*$",
    re.MULTILINE,
)


def cut(output: str) -> list[CutError]:
    """Findings of every ecosystem of this module; each is read only where a word of its own occurs."""
    found: list[CutError] = []
    for needle, cutter in _CUTTERS:
        if needle in output:
            found += cutter(output)
    return found


def _dotnet(output: str) -> list[CutError]:
    return [_dotnet_test(match["test"], match) for match in _DOTNET.finditer(output)]


def _dotnet_test(test: str, match: re.Match[str]) -> CutError:
    place = _DOTNET_LINE.search(match["stack"] or "")
    kind = re.match(r"\s*(?P<type>[\w.]+(?:Exception|Error))\b", match["message"])
    return CutError(
        one_line(match["message"]),
        type=kind["type"].rsplit(".", 1)[-1] if kind else None,
        tool="dotnet test",
        test=test,
        path=place["path"] if place else None,
        line=number(place["line"]) if place else None,
        stacktrace=block(match.group().split("\n")),
    )


def _xunit(output: str) -> list[CutError]:
    """Tests that xUnit itself marks, where the runner's own report is cut off or in another language."""
    known = {match["test"] for match in _DOTNET.finditer(output)}
    reports = {match["test"]: match for match in _DOTNET_ANY_LANGUAGE.finditer(output)}
    found: list[CutError] = []
    for mark in _XUNIT.finditer(output):
        test = mark["test"]
        if test in known:
            continue
        known.add(test)
        if test in reports:
            found.append(_dotnet_test(test, reports[test]))
        else:
            found.append(CutError(one_line(mark["message"] or "test failed"), tool="dotnet test", test=test))
    return found


def _dotnet_unhandled(output: str) -> list[CutError]:
    return [
        CutError(one_line(f"{m['type']}: {m['message']}"), type=m["type"].rsplit(".", 1)[-1], tool="dotnet")
        for m in _DOTNET_UNHANDLED.finditer(output)
    ]


def _rspec(output: str) -> list[CutError]:
    found: list[CutError] = []
    for match in _RSPEC.finditer(output):
        body = match["body"]
        place = next((m for m in _RSPEC_PLACE.finditer(body) if is_ours(m["path"])), None)
        lines = [line.strip() for line in body.split("\n") if line.strip() and not line.strip().startswith("#")]
        told = [line for line in lines if not line.startswith(("Failure/Error:", "Shared Example"))]
        message = " ".join(told[:3]) if told else (lines[0] if lines else "example failed")
        kind = re.match(r"(?P<type>[A-Z][\w:]*(?:Error|Exception))\b", message)
        found.append(
            CutError(
                one_line(message),
                type=kind["type"] if kind else None,
                tool="rspec",
                test=match["test"].strip(),
                path=place["path"] if place else None,
                line=number(place["line"]) if place else None,
                stacktrace=block(body.split("\n")),
            )
        )
    return found


def _rspec_loading(output: str) -> list[CutError]:
    found: list[CutError] = []
    for match in _RSPEC_LOADING.finditer(output):
        body = match["body"]
        place = next((m for m in re.finditer(r"^# (?P<path>\./\S+?):(?P<line>\d+)", body, re.MULTILINE)), None)
        lines = [line.strip() for line in body.split("\n") if line.strip() and not line.startswith("#")]
        kind = next((m for line in lines if (m := re.match(r"(?P<type>[A-Z][\w:]*(?:Error|Exception)):?", line))), None)
        after = lines.index(kind.string) if kind else 0
        found.append(
            CutError(
                one_line(" ".join(lines[after : after + 2])) or "could not be loaded",
                type=kind["type"] if kind else None,
                tool="rspec",
                path=match["file"] or (place["path"] if place else None),
                line=number(place["line"]) if place else None,
                stacktrace=block(body.split("\n")),
            )
        )
    return found


def _bats(output: str) -> list[CutError]:
    return [
        CutError(
            one_line(m["message"] or "test failed"),
            tool="bats",
            test=m["test"].strip(),
            path=m["path"],
            line=number(m["line"]),
        )
        for m in _BATS.finditer(output)
    ]


def _minitest(output: str) -> list[CutError]:
    found: list[CutError] = []
    for match in _MINITEST.finditer(output):
        kind = re.match(r"(?P<type>[A-Z][\w:]*(?:Error|Exception)):", match["message"])
        found.append(
            CutError(
                one_line(match["message"].split("\n    ")[0]),
                type=kind["type"] if kind else None,
                tool="minitest",
                test=match["test"],
                path=match["path"],
                line=number(match["line"]),
            )
        )
    return found


def _ruby(output: str) -> list[CutError]:
    return [
        CutError(
            one_line(f"{m['type']}: {m['message']}"),
            type=m["type"],
            tool="ruby",
            path=m["path"],
            line=number(m["line"]),
        )
        for m in _RUBY.finditer(output)
    ]


def _phpunit(output: str) -> list[CutError]:
    found = [
        CutError(
            one_line(m["message"]),
            tool="phpunit",
            test=_DATA_OF_SET.sub(r"\1", m["test"].strip()),
            path=m["path"],
            line=number(m["line"]),
        )
        for m in _PHPUNIT.finditer(output)
    ]
    return found


def _testdox(output: str) -> list[CutError]:
    """`phpunit --testdox`: a mark and the test's name in words below its class, what it says in a box."""
    found: list[CutError] = []
    suite = ""
    for match in _TESTDOX.finditer(output):
        if match["head"]:
            suite = match["suite"] or match["head"]
            continue
        said = [line.strip().lstrip("│┐┘├┤╭╰┊").strip() for line in match["body"].split("\n")]
        places = [place for line in said if (place := _TESTDOX_PLACE.fullmatch(line)) is not None]
        text = one_line(" ".join(line for line in said if _TESTDOX_PLACE.fullmatch(line) is None))
        place = next((place for place in places if is_ours(place["path"])), None)
        found.append(
            CutError(
                text or "test failed",
                tool="phpunit",
                test=_named_in_words(suite, match["test"].strip(), [place["path"] for place in places]),
                path=place["path"] if place else None,
                line=number(place["line"]) if place else None,
            )
        )
    return found


def _named_in_words(suite: str, words: str, files: list[str]) -> str:
    """The test that --testdox names in words, as PHPUnit names it else: `Cart`, `Adds a line` is `CartTest::testAddsALine`."""
    name, of_data, data = words.partition(" with data set ")
    method = "test" + "".join(word[:1].upper() + word[1:] for word in name.split())
    stems = (file.rsplit("/", 1)[-1].removesuffix(".php") for file in files)
    own = "" if "\\" in suite else suite.replace(" ", "")
    suite = next((stem for stem in stems if own and stem in (f"{own}Test", f"Test{own}")), suite)
    return f"{suite}::{method}{of_data}{data}" if suite else f"{method}{of_data}{data}"


def _collision(output: str) -> list[CutError]:
    """What Pest and `php artisan test` print of a failing test."""
    return [
        CutError(
            one_line(m["message"]),
            tool="phpunit",
            test=f"{m['suite']}::{re.split(' {3,}', m['test'], maxsplit=1)[0].strip()}",
            path=m["path"],
            line=number(m["line"]),
        )
        for m in _COLLISION.finditer(output)
    ]


def _php(output: str) -> list[CutError]:
    return [
        CutError(
            one_line(f"{m['type']}: {m['message']}"), type=m["type"], tool="php", path=m["path"], line=number(m["line"])
        )
        for m in _PHP.finditer(output)
    ]


def _phpstan(output: str) -> list[CutError]:
    found: list[CutError] = []
    path: str | None = None
    for match in _PHPSTAN.finditer(output):
        if match["path"]:
            path = match["path"]
        elif path:
            found.append(CutError(one_line(match["message"]), tool="phpstan", path=path, line=number(match["line"])))
    return found or [
        CutError(m["type"], type=m["type"], tool="phpstan", path=m["path"], line=number(m["line"]))
        for m in _PHPSTAN_GROUP.finditer(output)
    ]


def _deptrac(output: str) -> list[CutError]:
    return [
        CutError(one_line(m["message"]), type=m["type"], tool="deptrac", path=m["path"], line=number(m["line"]))
        for m in _DEPTRAC.finditer(output)
    ]


def _numbered(output: str) -> list[CutError]:
    return [
        CutError(one_line(m["message"]), type=m["type"], path=m["path"], line=number(m["line"]))
        for m in _NUMBERED.finditer(output)
    ]


def _phpcs(output: str) -> list[CutError]:
    """Warnings only where there are no errors: phpcs fails for either."""
    found: dict[str, list[CutError]] = {"ERROR": [], "WARNING": []}
    path: str | None = None
    for match in _PHPCS.finditer(output):
        if match["path"]:
            path = match["path"].strip()
        else:
            message = one_line(re.sub(r"\n +\| +\| +", " ", match["message"]))
            found[match["level"]].append(CutError(message, tool="phpcs", path=path, line=number(match["line"])))
    return found["ERROR"] or found["WARNING"]


def _credo(output: str) -> list[CutError]:
    return [
        CutError(one_line(m["message"]), tool="mix credo", path=m["path"], line=number(m["line"]))
        for m in _CREDO.finditer(output)
    ]


def _exunit(output: str) -> list[CutError]:
    found: list[CutError] = []
    for match in _EXUNIT.finditer(output):
        lines = [line.strip() for line in match["body"].split("\n") if line.strip()]
        kind = _ELIXIR.match(lines[0]) if lines else None
        found.append(
            CutError(
                one_line(" ".join(lines[:2])),
                type=kind["type"] if kind else None,
                tool="mix test",
                test=match["test"].strip(),
                path=match["path"],
                line=number(match["line"]),
                stacktrace=block(match["body"].split("\n")),
            )
        )
    return found


def _elixir(output: str) -> list[CutError]:
    found = [
        CutError(
            one_line(m["message"]),
            tool="mix compile",
            path=m["path"],
            line=number(m["line"]),
            warning=m["level"] == "warning",
        )
        for m in _ELIXIR_DIAGNOSTIC.finditer(output)
    ]
    return found or [
        CutError(one_line(f"{m['type']}: {m['message']}"), type=m["type"], tool="mix") for m in _ELIXIR.finditer(output)
    ]


def _swift(output: str) -> list[CutError]:
    matches = [*_XCTEST.finditer(output), *_SWIFT_TESTING.finditer(output)]
    return [
        CutError(
            one_line(m["message"]),
            tool="swift test",
            test=m["test"].rstrip("]"),
            path=m["path"],
            line=number(m["line"]),
        )
        for m in matches
    ]


def _gtest(output: str) -> list[CutError]:
    runs = [(m.start(), m["test"]) for m in _GTEST_RUN.finditer(output)]
    found: list[CutError] = []
    for match in _GTEST.finditer(output):
        test = next((name for at, name in reversed(runs) if at < match.start()), None)
        found.append(
            CutError(
                one_line(match["message"]), tool="gtest", test=test, path=match["path"], line=number(match["line"])
            )
        )
    return found


def _catch(output: str) -> list[CutError]:
    return [
        CutError(one_line(m["message"]), tool="catch2", path=m["path"], line=number(m["line"]))
        for m in _CATCH.finditer(output)
    ]


def _ctest(output: str) -> list[CutError]:
    return [CutError(f"test failed: {m['word']}", tool="ctest", test=m["test"]) for m in _CTEST.finditer(output)]


def _native(output: str) -> list[CutError]:
    found = [
        CutError(one_line(f"{m['type']}: {m['message']}"), type=m["type"], tool="sanitizer")
        for m in _SANITIZER.finditer(output)
    ]
    return found + [
        CutError(
            one_line(f"Assertion failed: {m['message']}"),
            type="Assertion",
            tool="assert",
            path=m["path"],
            line=number(m["line"]),
        )
        for m in _ASSERT.finditer(output)
    ]


def cut_crashes(output: str) -> list[CutError]:
    """Programs ended by a signal: only where nothing better is known."""
    return [CutError(one_line(m["message"]), type="signal", tool="shell") for m in _CRASH.finditer(output)]


_CUTTERS = (
    ("Error Message:", _dotnet),
    (" [FAIL]", _xunit),
    ("Unhandled exception. ", _dotnet_unhandled),
    ("Failure/Error", _rspec),
    ("An error occurred ", _rspec_loading),
    ("in test file ", _bats),
    ("Failure:\n", _minitest),
    ("Error:\n", _minitest),
    (".rb:", _ruby),
    ("::", _phpunit),
    (" ✘ ", _testdox),
    (" FAILED ", _collision),
    ("PHP ", _php),
    (".php", _phpstan),
    (" occurrence", _phpstan),
    ("FILE: ", _phpcs),
    (" | ERROR | ", _phpcs),
    (" DependsOn", _deptrac),
    (" message: ", _numbered),
    (".exs:", _exunit),
    ("** (", _elixir),
    ("┃ [", _credo),
    ("└─ ", _elixir),
    (".swift:", _swift),
    (": Failure\n", _gtest),
    (": FAILED:", _catch),
    (" - ", _ctest),
    ("Sanitizer", _native),
    ("Assertion ", _native),
)
