"""What is left when no format fits: lines that name an error, the shell's complaints, a runner's trailer.

Belongs here: the fallbacks, weakest last. An error from here of type `RunFailed` says only that something failed.
"""

from __future__ import annotations

import re

from debug_loop_pipeline.compute.commands.error_cutting.common import GENERIC, CutError, number, one_line

_SHELL = re.compile(
    r"^(?:(?:/bin/|/usr/bin/)?(?:ba|z|da|k)?sh: )?(?:line \d+: |\d+: |\(eval\):\d+: )?(?P<message>(?:[\w./@~+\-']+: ){1,2}(?:command not found|not found|Permission denied|No such file or directory|Is a directory|Not a directory|cannot execute.*)|command not found: \S+|no such file or directory: \S+|syntax error.*|unexpected EOF.*)$",
    re.MULTILINE,
)
_PACKAGE = re.compile(
    r"^(?:npm (?:ERR!|error) (?P<npm>Missing script: .+|code (?!ELIFECYCLE)E\w+|404 .+|notarget .+|peer .+|enoent .+|Invalid .+|Unsupported .+)"
    r"|error:? (?P<named>Script not found .+|unrecognized subcommand .+|Command \".+\" not found\.?|unexpected argument .+|no such command: .+|.*No matching distribution.*|could not find .+)"
    r"|(?P<pnpm>\s?ERR_PNPM_(?!RECURSIVE)\w+.+)|ERROR: (?P<pip>(?:Could not|No matching|Cannot) .+))$",
    re.MULTILINE,
)
_ERROR_LINE = re.compile(
    r"^[ \t]*(?:\[[^\]\n]{1,40}\][ \t]*)?(?:(?P<kind>\w*(?:Error|Exception)|error|ERROR|fatal|FATAL|Fatal|critical|CRITICAL)(?:\[[^\]]+\])?\s{0,8}[:\s]\s{0,8}"
    r"|(?:[✗✘✖×❌]|FAIL(?:ED|URE)?|E)[ \t]{0,8}[: \t][ \t]{0,8})(?P<message>\S.{2,})$",
    re.MULTILINE,
)
_TEST_LINE = re.compile(
    r"^[ \t]*(?P<test>\w\S*(?: \S+){0,8}?) ?\.{2,} *(?:FAIL(?:ED)?|NOT OK|not ok|✗|✘)\b:? *(?P<message>.*)$",
    re.MULTILINE,
)
_TRAILERS = re.compile(
    r"script \"[^\"]+\" (?:exited|was terminated)|Lifecycle script|ELIFECYCLE|ERROR task failed|Command failed with exit code|Some (?:errors|warnings) were emitted"
    r"|^\*\*\*|\bError \d+$|recipe .* failed|process didn't exit successfully|test failed, to rerun|could not compile|aborting due to|build stopped|exited with code|exit code:? \d+|^\d+ (?:errors?|problems?|failed)"
    r"|npm (?:ERR!|error) (?:A complete log|This is probably|path|command|errno|workspace|location|Failed at|Test failed)|Process completed|Found \d+ (?:errors?|warnings?|issues?)"
    r"|Tests? failed|Build failed|BUILD FAILED|collect2|returned \d+ exit status|^FAILED?$|^FAILED \((?:failures|errors|unexpected successes|skipped|expected failures)=\d|run failed: command|There (?:was|were) (?:a|\d+) |Usage:|Failed to run task",
    re.IGNORECASE,
)
_TRAILER_LINE = re.compile(
    r"^(?P<message>.*(?:script \"[^\"]+\" (?:exited|was terminated)|ELIFECYCLE|ERROR task failed|Command failed with exit code|Some (?:errors|warnings) were emitted|\*\*\* .*Error \d+|could not compile|test failed, to rerun|\b[1-9]\d* (?:fail|failed|failing|failures|errors?|problems?)\b|FAILED|BUILD FAILURE|Build failed|Failed to compile|evaluation failed|affected by [1-9]\d* vulnerabilit|\b[1-9]\d* files? would be reformatted\b).*)$",
    re.MULTILINE,
)
_GO_NOT_SET_UP = re.compile(r"FAIL[ \t]+(?:\S+ )?\[setup failed\]$")
_GO_PACKAGE = re.compile(
    r"^[ \t]*FAIL[ \t]+(?P<name>\S+)[ \t]+(?:[\d.]+s|\[(?P<stage>build|setup) failed\])$", re.MULTILINE
)
"""`FAIL pkg 0.3s`, `FAIL pkg [build failed]`: which test, or what the compiler said, was taken off (`| tail`, `2>/dev/null`)."""
_EXPLAINED = re.compile(r"(?:rustc --explain |have detailed explanations: )(?P<codes>E\d{4}(?:, E\d{4})*)")
"""The codes of rustc's errors, which it names once more below them."""
_WRONG_CALL = re.compile(r"^(?P<message>named files must .+|flag provided but not defined: .+)$", re.MULTILINE)
"""What `go` says about its arguments, without the word error."""
_COUNTED_OK = re.compile(r"\b(?:0|no) (?:errors?|failures?|failed|warnings?|problems?|fail)\b", re.IGNORECASE)
_EXIT_LINE = re.compile(
    r"^(?:(?:Exit code|exit status|\[exit code|Process exited)\b.*|Node\.js v\d+\.\d+\.\d+|[\]})>,;]+)$", re.IGNORECASE
)
"""Lines without a message: what an agent's tool, or Node behind an uncaught exception, adds, and closing brackets."""


def cut_shell(output: str) -> list[CutError]:
    """Commands and files that the shell or a package manager did not find."""
    found = [CutError(one_line(m["message"]), tool="shell") for m in _SHELL.finditer(output)]
    for match in _PACKAGE.finditer(output):
        text = match["npm"] or match["named"] or match["pnpm"] or match["pip"]
        found.append(CutError(one_line(text), tool="package manager"))
    return found


_MARKED = re.compile(r"^(?:(?P<path>[\w./@+-]+\.\w+):|[ \t]*(?P<line>\d+)█(?P<text>.*))[ \t]*$", re.MULTILINE)


def cut_marked(output: str) -> list[CutError]:
    """Lines of a file's outline that bear a mark, where nothing says why (Aider's own check of the syntax)."""
    found: list[CutError] = []
    path: str | None = None
    for match in _MARKED.finditer(output):
        if match["path"]:
            path = match["path"]
        elif path is not None:
            found.append(CutError("line marked without a reason", path=path, line=number(match["line"])))
    return found


def cut_error_lines(output: str) -> list[CutError]:
    """Lines that begin with an error word and are no trailer, or say of a test that it failed (`name ... FAIL: why`)."""
    found = [
        CutError(one_line(m["message"] or "test failed"), test=m["test"].strip()) for m in _TEST_LINE.finditer(output)
    ]
    found += [CutError(one_line(m["message"])) for m in _WRONG_CALL.finditer(output)]
    for match in _ERROR_LINE.finditer(output):
        line = match.group().strip()
        if _TRAILERS.search(line) or _COUNTED_OK.search(line) or _GO_PACKAGE.match(line):
            continue
        if found and _GO_NOT_SET_UP.match(line):
            continue
        kind = match["kind"]
        named = (
            kind
            if kind and kind[0].isupper() and kind not in ("ERROR", "FATAL", "CRITICAL", "Fatal", "Error")
            else None
        )
        message = match["message"].strip()
        found.append(CutError(one_line(f"{named}: {message}" if named else message), type=named))
    return found


def cut_trailer(output: str, exit_code: int | None) -> list[CutError]:
    """What only says that it failed: a trailer, else the last line, else the exit code."""
    packages = [(m["stage"] or "test", m["name"]) for m in _GO_PACKAGE.finditer(output)]
    if packages:
        return [CutError(f"{stage} failed in {name}", type=GENERIC) for stage, name in packages]
    matches = [m["message"] for m in _TRAILER_LINE.finditer(output) if not _COUNTED_OK.search(m["message"])]
    if matches:
        codes = _EXPLAINED.search(output) if "could not compile" in matches[-1] else None
        told = f" [{codes['codes']}]" if codes is not None else ""
        return [CutError(one_line(matches[-1]) + told, type=GENERIC)]
    lines = [line for line in output.split("\n") if line.strip() and not _EXIT_LINE.match(line.strip())]
    if lines:
        return [CutError(one_line(lines[-1], 400), type=GENERIC)]
    return [CutError(f"exit status {exit_code}" if exit_code is not None else "failed", type=GENERIC)]
