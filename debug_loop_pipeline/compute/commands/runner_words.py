"""What runners of scripts, tasks and tests say last: which script has failed, and where one run ends and the next begins.

Belongs here: the last words of each runner. What is concluded from them is `verdicts` and `line_output`.
"""

from __future__ import annotations

import re

_FAILED_SCRIPTS = re.compile(
    r'^error: script "(?P<bun>[^"]+)" (?:exited|was terminated)|^npm (?:ERR!|error) Lifecycle script `(?P<npm>[^`]+)` failed'
    r"|^\[(?P<mise>[^\]\n]+)\] ERROR task failed|^error: [Rr]ecipe `(?P<just>[^`]+)` failed"
    r"|^\w*make(?:\[\d+\])?: \*\*\* \[(?:[^\]]*: )?(?P<make>[^\]:]+)\] Error|^task: Failed to run task \"(?P<task>[^\"]+)\""
    r"|^Script .+ handling the (?P<composer>\S+) event returned with error code \d",
    re.MULTILINE,
)


_OF_FAILED_SCRIPTS = (
    'error: script "',
    " Lifecycle script `",
    "] ERROR task failed",
    "ecipe `",
    ": *** [",
    "task: Failed to run task",
    " event returned with error code ",
)
_RUNNER_TALK = re.compile(r"\s*(?:$|npm (?:ERR!|error)|error:|ERROR\b|ELIFECYCLE\b|\w*make(?:\[\d+\])?:|info Visit )")
_GIVES_UP = re.compile(
    rf"{_FAILED_SCRIPTS.pattern}|^\s*ELIFECYCLE\b|^error Command failed with exit code \d", re.MULTILINE
)


def failed_scripts(text: str) -> set[str]:
    """Names of the scripts and tasks that a runner says have failed."""
    if not any(words in text for words in _OF_FAILED_SCRIPTS):
        return set()  # a cheap look: most outputs have none
    return {name.strip() for match in _FAILED_SCRIPTS.finditer(text) for name in match.groups() if name}


def runner_gave_up(section: str) -> bool:
    """Whether what is left of an output goes on to the last word of a script's runner: all that the script itself printed is before it."""
    match = _GIVES_UP.search(section)
    return match is not None and all(_RUNNER_TALK.match(line) for line in section[match.end() :].split("\n")[1:])


_TURBO_END = re.compile(r" *Cached: +\d+ cached, \d+ total")
_TURBO_TALK = re.compile(r"\s*(?:Time: |Failed: |ERROR +run failed)")


def turbo_runs(text: str) -> list[str]:
    """An output that is nothing but runs of Turborepo, cut behind the last words of each; else none."""
    runs: list[str] = []
    lines = text.split("\n")
    start = at = 0
    while at < len(lines):
        if not _TURBO_END.match(lines[at]):
            at += 1
            continue
        at += 1
        while at < len(lines) and (_TURBO_TALK.match(lines[at]) or _RUNNER_TALK.match(lines[at])):
            at += 1
        runs.append("\n".join(lines[start:at]))
        start = at
    return runs if start == len(lines) else []


_RUN_ENDS = {
    "pytest": re.compile(r"=*\s*(?:\d+ [a-z]+(?:, )?)+ in \d[\d.:]*\s?m?s\b.*|=*\s*no tests ran in .*"),
    "vitest": re.compile(r"\s*Duration\s+\d[\d.]*m?s\b.*"),
    "jest": re.compile(r"Ran all test suites\b.*"),
}
"""The last line of each run of these."""


def runs_of(tool: str, text: str) -> list[str]:
    """An output that is nothing but runs of one test runner, cut behind the last line of each; else none."""
    end = _RUN_ENDS.get(tool)
    if end is None:
        return []
    runs: list[str] = []
    lines = text.rstrip().split("\n")
    start = 0
    for at, line in enumerate(lines):
        if end.fullmatch(line):
            runs.append("\n".join(lines[start : at + 1]))
            start = at + 1
    return runs if start == len(lines) else []


_NAMELESS = re.compile(r"^\$ (?P<line>\S.*)$", re.MULTILINE)
_CALLS_A_SCRIPT = re.compile(r"\b(?:yarn|bun|bunx|npm|pnpm|npx|turbo|run-[sp]|concurrently)\b")


def nameless_banners(count: int, text: str) -> list[int | None]:
    """The lines at which `count` scripts of yarn or bun begin, which print `$ line` and no name: known where there are as many such lines as
    scripts and none of them calls another script.
    """
    seen = list(_NAMELESS.finditer(text)) if "$ " in text else []
    if len(seen) != count or any(_CALLS_A_SCRIPT.search(match["line"]) for match in seen):
        return [None] * count
    return [text.count("\n", 0, match.start()) for match in seen]


_BANNER = re.compile(
    r"^> (?:(?:@[\w.-]+/)?[\w.-]+@\S* )?(?P<script>[\w:.-]+)(?: /\S.*)?\n{1,2}> (?P<line>\S.*)$", re.MULTILINE
)
_NAMES = re.compile(r"[\w:.-]+")


def banners(scripts: list[str], text: str) -> list[int | None]:
    """The lines at which the runs of scripts begin by the banners of npm or pnpm, in their order; None where that is not seen or another
    script may have called it.
    """
    if "\n> " not in text:
        return [None] * len(scripts)
    found: list[int | None] = []
    called: set[str] = set()
    seen = list(_BANNER.finditer(text))
    at = 0
    for script in scripts:
        place = next((n for n in range(at, len(seen)) if seen[n]["script"] == script), None)
        known = place is not None and script not in called
        if place is not None and known:
            called.update(name for match in seen[at : place + 1] for name in _NAMES.findall(match["line"]))
            at = place + 1
        found.append(text.count("\n", 0, seen[place].start()) if place is not None and known else None)
    rest = {name for match in seen[at:] for name in (match["script"],)}
    return found if not rest & set(scripts) - called else [None] * len(scripts)
