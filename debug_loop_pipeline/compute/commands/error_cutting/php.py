"""Failing tests, fatal errors and findings of PHP: PHPUnit, Pest, PHPStan, PHP_CodeSniffer, Deptrac."""

from __future__ import annotations

import re

from debug_loop_pipeline.compute.commands.error_cutting.common import CutError, is_ours, number, one_line

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

_PHPSTAN = re.compile(
    r"^[ \t]+(?:Line[ \t]+(?P<path>\S+\.php)[ \t]*|(?P<line>\d+)[ \t]{2,}(?P<message>\S.*))$", re.MULTILINE
)

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


CUTTERS = (
    ("::", _phpunit),
    (" ✘ ", _testdox),
    (" FAILED ", _collision),
    ("PHP ", _php),
    (".php", _phpstan),
    (" occurrence", _phpstan),
    ("FILE: ", _phpcs),
    (" | ERROR | ", _phpcs),
    (" DependsOn", _deptrac),
)
