"""JavaScript and TypeScript test runners: jest, vitest, bun test, mocha, node --test, playwright, deno; uncaught errors with a stack.

Belongs here: the failing test's own block, because passing tests print `error:` too. Linters in blocks are in `blocks`, the
compiler's `file(line,col)` in `compilers`.
"""

from __future__ import annotations

import re

from debug_loop_pipeline.compute.commands.error_cutting.common import CutError, block, is_ours, number, one_line

_AT = re.compile(
    r"^\s*(?:at |❯ )(?:async )?(?:.*?\()?(?:file://)?(?P<path>(?:[A-Za-z]:)?[^\s():]+\.\w+):(?P<line>\d+)(?::\d+)?\)?",
    re.MULTILINE,
)
_ERROR = re.compile(
    r"^\s*(?:Uncaught )?(?:\[)?(?P<type>[A-Z]\w*(?:Error|Exception|Rejection|Warning)|Error|TypeError)(?: \[(?P<code>[A-Z_0-9]+)\])?\]?: (?P<message>.+)$",
    re.MULTILINE,
)
_NAMED_ERROR = re.compile(r"^(?P<type>[A-Z]\w*(?:Error|Exception))\b")
_JEST = re.compile(r"^  ● (?P<name>.+)$", re.MULTILINE)
_JEST_MARK = re.compile(r"^\s*✕ (?P<name>.+?)(?: \([\d.]+ m?s\))?$", re.MULTILINE)
_JEST_TOTAL = re.compile(r"^Tests:\s+.*\btotal$", re.MULTILINE)
_VITEST = re.compile(
    r"^[ \t]*(?:×|❌)?[ \t]*FAIL[ \t]+(?:\|?[\w@/\-]+\|?[ \t]+)?(?P<name>\S+\.\w+(?:[ \t]*>[ \t]*.+)?)(?:[ \t]*\[.*\])?$",
    re.MULTILINE,
)
_VITEST_MARK = re.compile(
    r"^\s*×[ \t]+(?:\S+\.\w+[ \t]+>[ \t]+)?(?P<name>\S.*?)(?P<time>[ \t]+\(?\d+(?:\.\d+)?[ \t]?m?s\)?)?$(?!\n\s*[╭│,]-?)",
    re.MULTILINE,
)
"""A failing test in the list of tests, in its file: `× Suite > test 6ms`."""
_VITEST_TOTAL = re.compile(r"^[ \t]*Test(?:s|[ ]Files)[ \t]+.*\(\d+\)$", re.MULTILINE)
_BUN_END = re.compile(
    r"^\((?P<word>pass|fail|skip|todo)\) (?P<name>.+?)(?: \[[\d.]+\s?m?s\])?$|^[✗✓»] (?P<other>.+)$", re.MULTILINE
)
_BUN_FILE = re.compile(r"^\S+\.(?:test|spec)\.\w+:$", re.MULTILINE)
_BUN_ERROR = re.compile(
    r"^(?:\x1b\[\d+m)?(?P<kind>error|\w*Error|\w*Exception)(?: \[\w+\])?: (?P<message>.+)$", re.MULTILINE
)
_UNHANDLED = re.compile(r"^# Unhandled error between tests\n-+\n(?P<body>.*?)\n-{5,}$", re.MULTILINE | re.DOTALL)
_MOCHA = re.compile(r"^  (?P<n>\d+)\) (?P<name>.+)$", re.MULTILINE)
_PLAYWRIGHT = re.compile(r"^  \d+\) (?P<name>(?:\[[^\]]+\] › )?\S+\.\w+:\d+:\d+ › .+?)(?: [─-]+)?$", re.MULTILINE)
_PLACE = re.compile(r":\d+:\d+")
_PLAYWRIGHT_LIST = re.compile(r"^ +\d+ failed\n(?P<names>(?: {4}\S.*:\d+:\d+ › .+(?:\n|\Z))+)", re.MULTILINE)
_SYSTEM_ERROR = re.compile(
    r"^\s*code: '(?P<code>E[A-Z]+)',\n\s*syscall: '(?P<call>\w+)'"
    r"(?:,\n\s*(?:address|hostname|path): '(?P<address>[^'\n]{1,200})')?(?:,\n\s*port: (?P<port>\d+))?",
    re.MULTILINE,
)
_NODE_SPEC = re.compile(r"^test at (?P<path>.+):(?P<line>\d+):\d+\n✖ (?P<name>.+?) \([\d.]+m?s\)$", re.MULTILINE)
_COVERAGE = re.compile(
    r"^(?P<message>Jest: .*\bcoverage threshold for .* not met: .*|(?:ERROR: )?Coverage for \w+ \([\d.]+%\) does not meet .*)$",
    re.MULTILINE,
)
_AVA_MARK = re.compile(r"^[ \t]*✘ \[fail\]: (?P<name>\S.*?)(?: \(\d+m?s\))?$", re.MULTILINE)
_AVA_SAYS = re.compile(
    r"^  (?P<message>(?:Difference|Function returned|Value (?:is|must)|Expected|Error thrown|\w*Error)\b.*)$",
    re.MULTILINE,
)
_TAP = re.compile(r"^[ \t]*not ok (?:\d+ (?:- )?|- )(?P<name>[^#\n]*)(?P<rest>#.*)?$", re.MULTILINE)
_TAP_FIELD = re.compile(r"^\s*(?P<key>error|message|code|location|type|failureType):\s*(?P<value>\|-?|.*)$")
_DENO = re.compile(r"^(?P<name>.+?) => (?P<path>\S+?):(?P<line>\d+):\d+\n(?:error: )(?P<message>.+)$", re.MULTILINE)
_RESOLVE = re.compile(
    r"^(?:.*?: )?(?P<message>(?:Cannot find (?:module|package)|Could not resolve|Failed to resolve (?:import|entry)|Module not found|Can't resolve|\[?\w*\]?: ?Rollup failed to resolve).*)$",
    re.MULTILINE,
)
_MAX_BLOCK = 6_000


def cut_jest(output: str) -> list[CutError]:
    """`● Suite › test` blocks; jest repeats them at the end, the key makes them one."""
    heads = [
        m for m in _JEST.finditer(output) if not m["name"].startswith(("Console", "Deprecation", "Validation Warning"))
    ]
    return [_block_error(output, m.end(), _next(heads, at, output), m["name"], "jest") for at, m in enumerate(heads)]


def cut_jest_marks(output: str) -> list[CutError]:
    """`✕ test` lines where a filter left no block: which tests failed, by their own names, without those of their suites."""
    if _JEST_TOTAL.search(output) is None:
        return []
    return [CutError("test failed", tool="jest", test=match["name"]) for match in _JEST_MARK.finditer(output)]


def cut_vitest(output: str) -> list[CutError]:
    """` FAIL  path > suite > test` blocks."""
    heads = list(_VITEST.finditer(output))
    found: list[CutError] = []
    for at, head in enumerate(heads):
        text = output[head.end() : _next(heads, at, output)]
        if not text.strip() and at + 1 < len(heads):
            text = output[heads[at + 1].end() : _next(heads, at + 1, output)]
        path, _, test = head["name"].partition(" > ")
        error = _of_block(text, test.strip() or path, "vitest")
        error.path = error.path or path
        found.append(error)
    return found


def cut_vitest_marks(output: str, told: list[CutError]) -> list[CutError]:
    """`× test` lines of tests whose blocks a filter took off: which failed, by their names in the list."""
    counted = _VITEST_TOTAL.search(output) is not None
    marks = [match for match in _VITEST_MARK.finditer(output) if match["time"] or counted]
    known = [error.test or "" for error in told]
    return [
        CutError("test failed", tool="vitest", test=match["name"])
        for match in marks
        if not any(f" > {name}".endswith(f" > {match['name']}") for name in known)
    ]


def cut_bun(output: str) -> list[CutError]:
    """The block before each `(fail)` line, and errors between tests; what passing tests printed is passed over."""
    found: list[CutError] = []
    start = 0
    for end in _BUN_END.finditer(output):
        if end["word"] == "fail":
            text = output[start : end.start()]
            files = list(_BUN_FILE.finditer(text))
            text = text[files[-1].end() :] if files else text
            found.append(_bun_error(text[-_MAX_BLOCK:], end["name"]))
        start = end.end()
    return [*found, *(_bun_error(match["body"], None) for match in _UNHANDLED.finditer(output))]


def _bun_error(text: str, test: str | None) -> CutError:
    errors = list(_BUN_ERROR.finditer(text))
    if not errors:
        return CutError(
            "test failed" if not text.strip() else one_line(text.strip().split("\n")[-1]), tool="bun test", test=test
        )
    last = errors[-1]
    place = _own_place(text[last.end() :])
    kind = last["kind"] if last["kind"] != "error" else None
    message = _without_origin(last["message"])
    if message.startswith("expect(") and (
        detail := re.search(r"^Expected: .*\nReceived: .*$", text[last.end() :], re.MULTILINE)
    ):
        message = f"{message} {detail.group()}"
    return CutError(
        one_line(f"{kind}: {message}" if kind else message),
        type=kind,
        tool="bun test",
        test=test,
        path=place[0],
        line=place[1],
        stacktrace=block(text[last.start() :].split("\n")),
    )


_ORIGIN = re.compile(r" from '(?P<path>/[^']+)'$| from \"(?P<path2>/[^\"]+)\"$")


def _without_origin(message: str) -> str:
    """`Cannot find module 'x' from '/abs/file.ts'`: the file is a position, not the error."""
    return _ORIGIN.sub("", message)


def cut_mocha(output: str) -> list[CutError]:
    """The numbered blocks behind `N failing`."""
    start = re.search(r"^\s+\d+ failing", output, re.MULTILINE)
    if start is None:
        return []
    text = output[start.end() :]
    heads = list(_MOCHA.finditer(text))
    found: list[CutError] = []
    for at, head in enumerate(heads):
        body = text[head.end() : _next(heads, at, text)]
        titles, _, rest = body.partition(":\n")
        name = (
            " ".join([head["name"].strip(), *titles.split("\n")]) if "Error" not in titles else head["name"].rstrip(":")
        )
        found.append(_of_block(rest or body, one_line(name, 300), "mocha"))
    return found


def cut_playwright(output: str) -> list[CutError]:
    """The numbered blocks of Playwright, and the tests that only its list at the end still names."""
    heads = list(_PLAYWRIGHT.finditer(output))
    found = [
        _block_error(output, m.end(), _next(heads, at, output), _PLACE.sub("", m["name"]), "playwright")
        for at, m in enumerate(heads)
    ]
    told = {error.test for error in found}
    for listed in _PLAYWRIGHT_LIST.finditer(output):
        names = [_PLACE.sub("", line.rstrip(" ─-").strip()) for line in listed["names"].splitlines()]
        found += [
            CutError("test failed", tool="playwright", test=name, path=name.split("] › ")[-1].split(" › ")[0])
            for name in names
            if name not in told
        ]
    return found


def cut_coverage(output: str) -> list[CutError]:
    """Thresholds that Jest, Vitest, c8 and nyc say are not met."""
    return [CutError(one_line(match["message"]), type="CoverageThreshold") for match in _COVERAGE.finditer(output)]


def cut_ava(output: str) -> list[CutError]:
    """The marks of AVA, with the place and the first line of what the block of that title says."""
    found = []
    for mark in _AVA_MARK.finditer(output):
        title = mark["name"].rsplit(" › ", 1)[-1]
        body = re.search(
            rf"^  (?:.* › )?{re.escape(title)}\n\n  (?P<path>[^\s:]+\.[cm]?[jt]sx?):(?P<line>\d+)\n(?P<rest>(?:.*\n){{0,24}})",
            output[mark.end() :],
            re.MULTILINE,
        )
        says = _AVA_SAYS.search(body["rest"]) if body else None
        found.append(
            CutError(
                one_line(says["message"].rstrip(":")) if says else "test failed",
                tool="ava",
                test=mark["name"],
                path=body["path"] if body else None,
                line=number(body["line"]) if body else None,
            )
        )
    return found


def cut_node(output: str) -> list[CutError]:
    """Node --test (spec reporter and TAP) and any TAP producer; deno test."""
    found: list[CutError] = []
    heads = list(_NODE_SPEC.finditer(output))
    for at, head in enumerate(heads):
        error = _block_error(output, head.end(), _next(heads, at, output), head["name"], "node --test")
        error.path, error.line = head["path"], number(head["line"])
        found.append(error)
    for match in _DENO.finditer(output):
        kind = _NAMED_ERROR.match(match["message"])
        found.append(
            CutError(
                one_line(match["message"]),
                type=kind["type"] if kind else None,
                tool="deno test",
                test=match["name"],
                path=match["path"],
                line=number(match["line"]),
            )
        )
    if found:
        return found
    names = [
        m for m in _TAP.finditer(output) if not (m["rest"] and re.match(r"#\s*(?:todo|skip)", m["rest"], re.IGNORECASE))
    ]
    for match in names:
        fields = _tap_fields(output[match.end() : match.end() + 1_500].split("\n")[1:40])
        if fields.get("failureType", "").strip("'") == "subtestsFailed":
            continue
        message = fields.get("error") or fields.get("message") or f"not ok - {match['name'].strip()}"
        kind = _NAMED_ERROR.match(message)
        found.append(
            CutError(
                one_line(message), type=kind["type"] if kind else None, tool="tap", test=match["name"].strip() or None
            )
        )
    return found


def _tap_fields(lines: list[str]) -> dict[str, str]:
    fields: dict[str, str] = {}
    if not lines or lines[0].strip() != "---":
        return fields
    at = 1
    while at < len(lines) and lines[at].strip() != "...":
        field = _TAP_FIELD.match(lines[at])
        if field is not None:
            value = field["value"].strip().strip("'\"")
            if value in ("|", "|-") and at + 1 < len(lines):
                value = lines[at + 1].strip()
            fields.setdefault(field["key"], value)
        at += 1
    return fields


def cut_uncaught(output: str) -> list[CutError]:
    """Errors with a stack of `at` lines, outside any test runner, and modules that do not resolve."""
    found: list[CutError] = []
    last_end = 0
    for match in _ERROR.finditer(output):
        if match.start() < last_end:
            continue
        after = output[match.end() : match.end() + _MAX_BLOCK]
        stack: list[str] = []
        for line in after.split("\n")[1:40]:
            if re.match(r"\s+at ", line):
                stack.append(line)
            elif stack or not line.strip():
                break
        if not stack:
            continue
        last_end = match.end() + sum(len(line) + 1 for line in stack)
        place = _own_place("\n".join(stack))
        message = _without_origin(match["message"])
        found.append(
            CutError(
                one_line(f"{match['type']}: {message}"),
                type=match["code"] or match["type"],
                tool="node",
                path=place[0],
                line=place[1],
                stacktrace=block([match.group(), *stack]),
            )
        )
    if not found:
        told = (_without_origin(m["message"]) for m in _RESOLVE.finditer(output))
        found = [CutError(one_line(text), type="ModuleNotFound", tool="bundler") for text in told]
    return found or _cut_system_errors(output)


def _cut_system_errors(output: str) -> list[CutError]:
    """What ended Node, out of the fields it prints below the stack, where a `tail` left no more: `connect ECONNREFUSED 127.0.0.1:1`."""
    if "\nNode.js v" not in output:
        return []
    found: list[CutError] = []
    for match in _SYSTEM_ERROR.finditer(output):
        host = f" {match['address']}" if match["address"] else ""
        port = f":{match['port']}" if match["port"] else ""
        found.append(CutError(f"{match['call']} {match['code']}{host}{port}", type=match["code"], tool="node"))
    return found


def _next(heads: list[re.Match[str]], at: int, output: str) -> int:
    end = heads[at + 1].start() if at + 1 < len(heads) else len(output)
    return min(end, heads[at].end() + _MAX_BLOCK)


def _block_error(output: str, start: int, end: int, name: str, tool: str) -> CutError:
    return _of_block(output[start:end], name.strip(), tool)


_CODE_FRAME = re.compile(r"^\s*(?:>\s*)?\d*\s*\|")
_DETAIL = re.compile(r"(?:Expected|Received|expected|actual|got)\b[^:]{0,40}:\s*\S")
_END_OF_BLOCK = re.compile(
    r"^(?:Test(?:s| Suites| Files)?:? |Snapshots:|⎯+|={5,}|(?:PASS|FAIL) |\s+\d+ (?:failed|passed|flaky)"
    r"|\s*(?:Test Files|Tests|Errors|Snapshots|Start at|Duration)  +\S|\s*[✓×✕✗↓] )"
)
"""The next block, the totals of the run or marks of a list of tests: a filter may leave one right behind another."""


def _of_block(text: str, test: str, tool: str) -> CutError:
    lines = text.split("\n")
    body: list[str] = []
    for line in lines:
        if body and _END_OF_BLOCK.match(line):
            break
        body.append(line)
    message: list[str] = []
    for line in body:
        bare = line.strip()
        if not bare:
            if message and len(message) > 1:
                break
            continue
        if _CODE_FRAME.match(line) or _AT.match(line) or set(bare) <= set("─-⎯^~"):
            if message:
                break
            continue
        message.append(bare)
        if len(message) >= 6:
            break
    kind = next((m["type"] for part in message if (m := _NAMED_ERROR.match(part))), None)
    detail = [part for part in message[1:] if _DETAIL.match(part)]
    head = message[0] if message else "test failed"
    joined = " ".join([head, *detail]) if head.startswith(("expect(", "Error: expect(", "AssertionError")) else head
    place = _own_place("\n".join(body))
    return CutError(
        one_line(joined), type=kind, tool=tool, test=test, path=place[0], line=place[1], stacktrace=block(body)
    )


def _own_place(text: str) -> tuple[str | None, int | None]:
    for match in _AT.finditer(text):
        if is_ours(match["path"]):
            return match["path"], number(match["line"])
    return None, None
