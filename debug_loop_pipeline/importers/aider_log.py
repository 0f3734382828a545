"""The tool's own lines (`> ...`) of an Aider chat history: usage, applied and failed edits, lint and test runs,
failures of the service.

They are plain prose, so each kind is told by how its first line begins. Not here: where a run or a message begins
(`aider`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from debug_loop_pipeline.importers.diffs import SearchReplace, search_replace_blocks

_NUMBER = r"([\d.,]+)\s*([kKmM]?)"
_USAGE_LINES = (
    re.compile(rf"^{_NUMBER} prompt tokens, {_NUMBER} completion tokens(?:, \$(?P<cost>[\d.,]+) cost)?"),
    re.compile(
        rf"^Tokens: {_NUMBER} sent(?:, {_NUMBER} cache write)?(?:, {_NUMBER} cache hit)?, {_NUMBER} received\."
        r"(?:.*?Cost: \$(?P<cost>[\d.,]+) (?:message|request|send))?"
    ),
)
_APPLIED = re.compile(r"^(?:Applied edit to|Wrote|Created file) (?P<path>.+)$")
_REFUSED = re.compile(
    r"^(?:Allow edits? to|Create new file|Allow creation of new file) ?(?P<path>\S*).*\?.*\bno?$", re.IGNORECASE
)
_SKIPPED = re.compile(r"^Skipping edits to (?P<path>\S+)")
_LINT_START = re.compile(r"^# Fix any (?:linting )?errors below")
_LINT_COMMAND = re.compile(r"^## Running: (?P<command>.+)$")
_TEST_START = re.compile(r"^Test Script: (?P<command>.+?);?$")
_RAN = re.compile(r"^I ran this command:(?P<command>.*)$")
_RAN_OUTPUT = "And got this output:"
_RETURN_CODE = re.compile(r"(?:Return Code|[Ee]xit (?:code|status)):? (?P<code>-?\d+)")
_WORKING_DIR = re.compile(r'"cwd": "(?P<cwd>[^"]+)"')
_STANDARD_OUTPUT = re.compile(r"\] Std\. (?:Output|Error):$")
_TESTS_FAILED = re.compile(r"^>>>>> (?:Some Tests Failed|Tests Errored|Tests Timed Out)")
_MISMATCH_START = re.compile(r"did not conform to the edit format|^Malformed response")
_MISMATCH_PATH = re.compile(r"failed to (?:exactly )?match lines in (?P<path>.+)$")
_OTHERS_APPLIED = re.compile(r"^# The other \d+ SEARCH/REPLACE blocks? (?:were|was) applied successfully")
_ANSWERED = re.compile(
    r"^Attempt to fix (?:lint|test) errors\?|^Only \d+ reflections allowed|^Add these files to the chat\?"
)
_SERVICE = re.compile(
    r"^(?P<kind>(?:litellm|openai|anthropic)\.(?:exceptions\.|error\.)?\w*(?:Error|Timeout|Exception)"
    r"|Rate limit error|APIError|The API provider's servers are down|Unexpected error: )"
)
_INTERRUPTED = re.compile(r"^\^C|KeyboardInterrupt|^Interrupted")
_UNITS = {"": 1, "k": 1_000, "m": 1_000_000}


@dataclass(frozen=True, slots=True)
class UsageLine:
    """What one request used, as Aider rounds it; `before_reply`: the line stands before the reply that it is about."""

    sent: int
    received: int
    cache_write: int
    cache_hit: int
    cost: str | None
    rounded: bool
    before_reply: bool


@dataclass(slots=True)
class CommandRun:
    """A lint, test or other command that Aider ran, with what it printed."""

    name: str
    command: str | None
    lines: list[str] = field(default_factory=list)
    exit_code: int | None = None
    failed: bool | None = None
    cwd: str | None = None

    @property
    def output(self) -> str:
        """What it printed."""
        return "\n".join(self.lines).strip("\n")


@dataclass(slots=True)
class ToolLines:
    """What a block of tool lines says."""

    usages: list[UsageLine] = field(default_factory=list)
    applied: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    mismatches: list[SearchReplace] = field(default_factory=list)
    mismatch_text: str = ""
    others_applied: bool = False
    runs: list[CommandRun] = field(default_factory=list)
    service_error: tuple[str, str] | None = None
    interrupted: bool = False
    rest: list[str] = field(default_factory=list)


def usage_line(line: str) -> UsageLine | None:
    """The usage that a line tells, in any of Aider's forms; None for other lines."""
    old = _USAGE_LINES[0].match(line)
    if old:
        cost = old["cost"].rstrip(".") if old["cost"] else None
        return UsageLine(_count(old[1], old[2]), _count(old[3], old[4]), 0, 0, cost, bool(old[2] or old[4]), True)
    new = _USAGE_LINES[1].match(line)
    if new:
        cost = new["cost"].rstrip(".") if new["cost"] else None
        rounded = any(new[group] for group in (2, 4, 6, 8))
        write, hit = _count(new[3], new[4]), _count(new[5], new[6])
        return UsageLine(_count(new[1], new[2]), _count(new[7], new[8]), write, hit, cost, rounded, False)
    return None


def _count(number: str | None, unit: str | None) -> int:
    if not number:
        return 0
    try:
        return round(float(number.replace(",", "").rstrip(".")) * _UNITS[(unit or "").lower()])
    except ValueError:
        return 0


def test_command(line: str) -> str | None:
    """The command of a test run that begins on this line."""
    match = _TEST_START.match(line)
    return match["command"].strip() if match else None


def working_directory(line: str) -> str | None:
    """Where a command was run, on the line that tells how it was started."""
    match = _WORKING_DIR.search(line) if line.startswith("[") else None
    return match["cwd"] if match else None


def read_tool_lines(lines: list[str]) -> ToolLines:
    """Sorts a block of consecutive tool lines (without their `> `)."""
    said = ToolLines()
    run: CommandRun | None = None
    mismatch: list[str] | None = None
    for line in lines:
        usage = usage_line(line)
        if usage is not None or _ANSWERED.match(line):
            run = mismatch = None
            if usage is not None:
                said.usages.append(usage)
            else:
                said.rest.append(line)
        elif begun := _begun(line):
            run, mismatch = begun, None
            said.runs.append(run)
        elif run is not None:
            run = _continue(said, run, line)
        elif _MISMATCH_START.search(line):
            mismatch = [line]
            said.mismatch_text = f"{said.mismatch_text}\n{line}".strip()
        elif mismatch is not None:
            said.others_applied = said.others_applied or bool(_OTHERS_APPLIED.match(line))
            mismatch.append(line)
            said.mismatch_text += f"\n{line}"
        else:
            _single(said, line)
    if said.mismatch_text:
        said.mismatches = _mismatches(said.mismatch_text)
    said.runs = [run for run in said.runs if run.command or run.output]
    return said


def _begun(line: str) -> CommandRun | None:
    """The run that a line begins."""
    if _LINT_START.match(line):
        return CommandRun("lint", None, failed=True)
    command = test_command(line)
    if command is not None:
        return CommandRun("test", command)
    ran = _RAN.match(line)
    return CommandRun("run", ran["command"].strip() or None) if ran else None


def _continue(said: ToolLines, run: CommandRun, line: str) -> CommandRun:
    """Adds a line to a run; a second lint command begins another one."""
    command = _LINT_COMMAND.match(line)
    if run.name == "lint" and command:
        if run.command is None:
            run.command = command["command"].strip()
            return run
        said.runs.append(CommandRun("lint", command["command"].strip(), failed=True))
        return said.runs[-1]
    if run.name == "run" and run.command is None:
        run.command = line.strip() or None
        return run
    if run.name == "run" and line.strip() == _RAN_OUTPUT:
        return run
    code = _RETURN_CODE.search(line) if run.name != "lint" else None
    if code and (line.startswith("[") or run.name == "run"):
        run.exit_code = int(code["code"])
        run.failed = bool(run.failed) or run.exit_code != 0
        return run
    if _TESTS_FAILED.match(line):
        run.failed = True
    if run.name == "test" and line.startswith("["):
        cwd = working_directory(line)
        run.cwd = cwd or run.cwd
        if cwd or _STANDARD_OUTPUT.search(line) or "] Command:" in line or "] Test script run" in line:
            return run
    run.lines.append(line)
    return run


def _single(said: ToolLines, line: str) -> None:
    applied = _APPLIED.match(line)
    refused = _REFUSED.match(line) or _SKIPPED.match(line)
    service = _SERVICE.match(line)
    if applied:
        said.applied.append(applied["path"].strip())
    elif refused:
        said.refused.append(refused["path"])
    elif service and said.service_error is None:
        said.service_error = (service["kind"].strip(": "), line)
    elif _INTERRUPTED.search(line):
        said.interrupted = True
    elif line.strip():
        said.rest.append(line)


def _mismatches(text: str) -> list[SearchReplace]:
    """The blocks that did not match, each under a line that names its file."""
    found: list[SearchReplace] = []
    path = ""
    part: list[str] = []
    for line in [*text.splitlines(), "## end"]:
        named = _MISMATCH_PATH.search(line)
        if named or line == "## end":
            found += [
                SearchReplace(path or block.path, block.search, block.replace)
                for block in search_replace_blocks("\n".join(part))
            ]
            path, part = (named["path"].strip() if named else ""), []
        else:
            part.append(line)
    return found
