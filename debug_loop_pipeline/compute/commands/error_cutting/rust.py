"""Rust: rustc and clippy diagnostics, panics of failing tests.

Belongs here: the two-line form `error[E0308]: message` / ` --> file:line:col` and the `---- test stdout ----` sections of cargo test.
"""

from __future__ import annotations

import re

from debug_loop_pipeline.compute.commands.error_cutting.common import CutError, block, is_ours, number, one_line

_DIAGNOSTIC = re.compile(
    r"^(?P<level>error|warning)(?:\[(?P<code>[\w\-]+)\])?: (?P<message>.+)\n(?:(?![ \t]*-->)[ \t]*(?:[|=].*)?\n)?[ \t]*--> (?P<path>[^\s:]+):(?P<line>\d+):\d+",
    re.MULTILINE,
)
_BARE = re.compile(
    r"^error(?:\[(?P<code>\w+)\])?: (?P<message>(?!could not compile|aborting due|test failed|\d+ targets? failed|build failed|process didn't|recipe|script ).+)$",
    re.MULTILINE,
)
_CAUSES = re.compile(r"\n(?:\nCaused by:\n(?P<cause>(?:[ \t]+\S.*(?:\n|\Z))+))+")
"""What cargo found behind an error of its own; the last one is where it began."""
_RULE = re.compile(r"(?:#\[(?:deny|warn)\(|`-[DW] )(?P<rule>[\w:\-]+)|index\.html#(?P<lint>\w+)")
_STDOUT = re.compile(
    r"^---- (?P<test>\S+\.(?:rs|md) - .*?(?=(?: \(line \d+\))? stdout)|\S+)(?: - .*| \(line \d+\))? stdout ----$",
    re.MULTILINE,
)
"""A test in the documentation is named by its file and what it stands at; its line changes."""
_NEW_PANIC = re.compile(
    r"^thread '(?P<thread>[^']*)'(?: \(\d+\))? panicked at (?P<path>[^\s:']+):(?P<line>\d+):\d+:\n(?P<message>(?:[^\n]+(?:\n|\Z)){1,6}?)(?=note: |stack backtrace|[ \t]*\n|\Z|----|test \S+ \.\.\. |test result: |failures:|error: |thread ')",
    re.MULTILINE,
)
_PLACE = re.compile(r"^[ \t]*(?:-->|:::) (?P<path>[^\s:]+\.rs):\d+:\d+", re.MULTILINE)
"""Where what the notes of a diagnostic speak of is defined."""
_THREAD = re.compile(r"^thread '", re.MULTILINE)
_MAX_PANICS = 20
_OLD_PANIC = re.compile(
    r"^thread '(?P<thread>[^']*)' panicked at '(?P<message>.*?)', (?P<path>[^\s:]+):(?P<line>\d+):\d+",
    re.MULTILINE | re.DOTALL,
)
_FAILED_LINE = re.compile(
    r"^test (?P<test>\S+\.(?:rs|md) - .*?(?=(?: \(line \d+\))? (?:- .*)?\.\.\.)|\S+)(?: - .*| \(line \d+\).*)? \.\.\. FAILED$",
    re.MULTILINE,
)
_NEXTEST = re.compile(
    r"^ +(?:FAIL|TIMEOUT|ABORT|SIG[A-Z]+|LEAK-FAIL) \[ *[>\d.]+s\](?: \( *\d+/\d+\))? +(?P<crate>\S+) (?P<test>\S+)$",
    re.MULTILINE,
)
_NEXTEST_WORDS = ("FAIL [", "TIMEOUT [", "ABORT [", " SIG")
_DEEPER = re.compile(r"^ {4}(?=thread '|assertion |  left: | right: |test |note: )", re.MULTILINE)
"""nextest prints what a test wrote deeper than the test did."""
_DOC_LINE = re.compile(r" \(line \d+\)$")
_LINKS = "linking with "
_LINKERS_WORD = re.compile(
    r"(?:ld|ld\.lld|lld|rust-lld|link\.exe|ld64\.lld): (?:error: )?(?!warning)(?P<message>\S.*)|(?P<symbol>undefined reference to .+|LNK\d+: .+)"
)
_LISTED = re.compile(r"^failures:\n(?P<tests>(?: {4}\S.*\n)+)(?=\n|\Z)", re.MULTILINE)
"""The names of the failing tests at the end, all that `tail` left of them."""
_ERROR_RESULT = re.compile(r"^Error: (?P<message>.+)$", re.MULTILINE)


def cut(output: str) -> list[CutError]:
    """Errors of the compiler (warnings only where there is no error), then failing tests, then panics outside tests."""
    nextest = any(word in output for word in _NEXTEST_WORDS) and _NEXTEST.search(output) is not None
    if nextest:
        output = _DEEPER.sub("", output)
    found = _diagnostics(output)
    tests = _tests(output) if nextest or "FAILED" in output or "stdout ----" in output else []
    if not tests and not found and "panicked at" in output:
        tests = _panics(output)
    if not found and not tests and "error: " in output:
        found = [
            CutError(_with_cause(m["message"], output, m.end()), type=m["code"], tool="cargo")
            for m in _BARE.finditer(output)
            if m["message"] != "test run failed"
        ]
    return [*found, *tests]


def _with_cause(message: str, output: str, end: int) -> str:
    if message.startswith(_LINKS):
        word = _LINKERS_WORD.search(output, end)
        return one_line(f"linking failed: {word['message'] or word['symbol']}" if word is not None else message)
    causes = _CAUSES.match(output, end)
    return one_line(f"{message}: {causes['cause'].strip().splitlines()[0]}" if causes is not None else message)


def _diagnostics(output: str) -> list[CutError]:
    if "-->" not in output:
        return []
    strong: list[CutError] = []
    weak: list[CutError] = []
    matches = list(_DIAGNOSTIC.finditer(output))
    for at, match in enumerate(matches):
        if match["message"].startswith(("aborting due", "could not compile")):
            continue
        end = matches[at + 1].start() if at + 1 < len(matches) else len(output)
        rule = _RULE.search(output, match.end(), min(end, match.end() + 3_000))
        name = match["code"] or ((rule["rule"] or rule["lint"]) if rule else None)
        text = match["message"]
        if match["code"]:
            text = f"[{match['code']}] {text}"
        elif name:
            text = f"{text} ({name})"
        error = CutError(
            one_line(text),
            type=name,
            tool=_tool(match["path"], rule.group() if rule else ""),
            path=match["path"],
            line=number(match["line"]),
            stacktrace=block([m.group() for m in _PLACE.finditer(output, match.end(), end) if is_ours(m["path"])]),
            warning=match["level"] == "warning",
        )
        (weak if error.warning else strong).append(error)
    return strong or weak


def _tool(path: str, rule: str) -> str | None:
    """Others print diagnostics in rustc's form, too: theirs have the goal's own tool."""
    if not path.endswith(".rs"):
        return None
    return "clippy" if "clippy" in rule else "rustc"


def _tests(output: str) -> list[CutError]:
    heads = list(_STDOUT.finditer(output))
    found: list[CutError] = []
    for at, head in enumerate(heads):
        end = heads[at + 1].start() if at + 1 < len(heads) else len(output)
        text = output[head.end() : end].split("\nfailures:\n", 1)[0]
        if any(m["level"] == "error" for m in _DIAGNOSTIC.finditer(text)):
            continue  # An example that does not compile: the compiler's own error is why.
        error = _panic(text, head["test"])
        if error is None:
            told = _ERROR_RESULT.search(text)
            error = CutError(one_line(told["message"]) if told else "test failed", tool="cargo test", test=head["test"])
        error.stacktrace = block(text.split("\n"))
        found.append(error)
    sectioned = {head["test"] for head in heads}
    unseen = [test for test in _failing(output) if test not in sectioned]
    found += [_thread_of(output, test) or CutError("test failed", tool="cargo test", test=test) for test in unseen]
    return found


def _failing(output: str) -> list[str]:
    marked = [match["test"] for match in _FAILED_LINE.finditer(output)]
    listed = [_listed(line.strip()) for match in _LISTED.finditer(output) for line in match["tests"].splitlines()]
    ran = [match["test"] for match in _NEXTEST.finditer(output)]
    return list(dict.fromkeys([*marked, *listed, *ran]))


def _listed(line: str) -> str:
    return _DOC_LINE.sub("", line) if " - " in line else line.split()[0]


def _panics(output: str) -> list[CutError]:
    """The panics of all threads, each looked for up to the next one."""
    heads = [match.start() for match in _THREAD.finditer(output)][:_MAX_PANICS]
    texts = (output[at:end] for at, end in zip(heads, [*heads[1:], len(output)], strict=False))
    return [error for error in (_panic(text, None) for text in texts) if error is not None]


def _thread_of(output: str, test: str) -> CutError | None:
    """The assertion of a test's own thread, where `grep` took the head of its section off; another panic's message may be off too."""
    at = output.find(f"thread '{test}'")
    error = _panic(output[at:].split("\nfailures:\n", 1)[0].split("\nthread '", 1)[0], test) if at >= 0 else None
    return error if error is not None and error.message.startswith("assertion ") else None


def _panic(text: str, test: str | None) -> CutError | None:
    match = _NEW_PANIC.search(text) or _OLD_PANIC.search(text)
    if match is None:
        return None
    ours = is_ours(match["path"])
    return CutError(
        one_line(match["message"]),
        type="panic",
        tool="cargo test" if test else "rust",
        test=test,
        path=match["path"] if ours else None,
        line=number(match["line"]) if ours else None,
    )
