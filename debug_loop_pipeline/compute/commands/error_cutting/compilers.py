"""Compilers and linters that print one line per finding: `file:line:col: message`, `file(line,col): error CODE: message`.

Belongs here: gcc, clang, go, golangci-lint, tsc, mypy, pyright, flake8, ruff, pylint, rubocop, shellcheck, javac, kotlinc, Maven and
MSBuild lines, and formatters that list files. Findings in blocks (eslint, biome, rustc) are in `blocks` and `rust`.
"""

# ruff: noqa: SIM905 - a list of words reads as words

from __future__ import annotations

import re
from collections.abc import Iterator

from debug_loop_pipeline.compute.commands.error_cutting.common import CutError, number, one_line
from debug_loop_pipeline.compute.commands.toolbox import GoalKind, kind_of

_PATH = r"(?:[A-Za-z]:[\\/])?(?:[\w.@~+\-\[\]()$\\/]*[\\/])?[\w.@+\-\[\]$]+\.[A-Za-z][\w+]{0,12}|(?:[\w.\-]+/)*(?:Dockerfile|Makefile|Rakefile|Gemfile|Jenkinsfile|Vagrantfile|BUILD|WORKSPACE)[\w.\-]*"
_COLON = re.compile(
    rf"^[ \t]*(?:\[(?:ERROR|error|WARNING|warn)\] |e: |w: |[EW]: |vet: )?(?:file://)?(?P<path>{_PATH}):(?P<line>\d+)(?::(?P<col>\d+))?(?:-\d+(?::\d+)?)?"
    r"(?::[ \t]*|[ \t]+-[ \t]+|[ \t]+)(?P<rest>\S.*)$",
    re.MULTILINE,
)
_PAREN = re.compile(
    rf"^[ \t]*(?P<path>{_PATH})\((?P<line>\d+)(?:,(?P<col>\d+))?(?:,\d+,\d+)?\)[ \t]*:[ \t]*(?P<rest>\S.*)$",
    re.MULTILINE,
)
_COLON_PLACE = re.compile(r":\d")
_PAREN_PLACE = re.compile(r"\(\d")
_MAVEN = re.compile(rf"^\[ERROR\] (?P<path>{_PATH}):\[(?P<line>\d+),(?P<col>\d+)\] (?P<rest>.+)$", re.MULTILINE)
_SEVERITY = re.compile(
    r"^(?P<severity>fatal error|fatal|error|warning|warn|note|info|information|remark|hint|style|help|convention|refactor|suggestion"
    r"|Error|Warning|Note|Info|ERROR|WARNING|[CWEFRNS](?=: ))"
    r"(?:\[(?P<bracket>[\w\-:/]+)\](?:[ \t]*:)?[ \t]+|[ \t]*:[ \t]+|[ \t]+(?=[A-Z]+\d+[ \t]*:|[\w\-@/]+\([\w\-@/]+\): ))(?:(?P<code>(?:TS|CS|FS|BC|MSB|NU|CA|SA|IDE|NETSDK|AVLN|SYSLIB|LNK|C)\d{3,5})[ \t]*:[ \t]*)?",
)
_RULE_AT_END = re.compile(r"[ \t]+[\[(](?P<rule>[a-zA-Z][\w\-./:@]*\d*)[\])]\s*$")
_CODE_AT_START = re.compile(
    r"^(?P<code>[A-Z]{1,5}\d{2,5}|SC\d{4}|DL\d{4})(?::|[ \t])[ \t]*(?:(?:warning|error|info|style)[: ]+)?(?:\[\*\] )?"
)
_CODE_BEFORE_SEVERITY = re.compile(r"^(?P<code>(?:DL|SC)\d{4}) (?P<severity>error|warning|info|style): ")
_OXLINT_RULE = re.compile(r"^(?P<rule>[\w\-@/]+\([\w\-@/]+\)): ")
_PROJECT_TRAILER = re.compile(r"\s+\[[^\]]*\.\w*proj[^\]]*\]\s*$")
_NOISE = re.compile(
    r"^(?:[)\\]}]+[,;]?$|too many errors|# |: # |\d+ (?:errors?|warnings?) generated|In (?:file included|function|member|constructor)|required from|instantiat"
    r"|note: |help: |in (?:function|<|\w+$|module)|\d+:\d+$|Failure$|\+0x[0-9a-f]+|0x[0-9a-f]+ in |\(\.text|at |FAILED$|\^)"
)
_QUIET = frozenset({"note", "info", "information", "remark", "hint", "help", "Note", "Info", "N", "suggestion"})
_WEAK = frozenset({"warning", "warn", "Warning", "WARNING", "style", "convention", "refactor", "C", "R", "W", "S"})
_LINTERS_OF_GO = frozenset(
    "errcheck govet staticcheck unused gosimple ineffassign typecheck revive gocritic goconst gosec gocyclo gocognit maintidx dupl lll misspell"
    " unparam unconvert prealloc nakedret exhaustive exhaustruct wrapcheck ireturn usetesting paralleltest testpackage thelper tparallel wsl nlreturn"
    " godot gofmt gofumpt goimports gci stylecheck bodyclose noctx errorlint forbidigo funlen cyclop nestif nolintlint perfsprint predeclared"
    " copyloopvar intrange modernize mnd err113 errname contextcheck containedctx depguard gochecknoglobals gochecknoinits sloglint tagliatelle".split()
)
_NOT_A_COMPILER = re.compile(r"^(?:DEBUG|INFO|TRACE|time=|level=|\[[A-Z]+\]|\d{4}[-/])")
_RUNNERS = frozenset("npm bun yarn pnpm make mise just task run go gradle mvn sbt ctest turbo nx rake composer".split())
"""They run a compiler: what it finds is the compiler's, though it stands in their output."""
_TOOL_BY_SUFFIX = {
    "go": "go build",
    "ts": "tsc",
    "tsx": "tsc",
    "mts": "tsc",
    "vue": "tsc",
    "c": "cc",
    "h": "cc",
    "cc": "cc",
    "cpp": "cc",
    "cxx": "cc",
    "hpp": "cc",
    "m": "cc",
    "mm": "cc",
    "java": "javac",
    "kt": "kotlinc",
    "kts": "kotlinc",
    "scala": "scalac",
    "cs": "dotnet build",
    "fs": "dotnet build",
    "vb": "dotnet build",
    "swift": "swift build",
    "zig": "zig build",
    "hs": "ghc",
    "proto": "protoc",
    "rb": "ruby",
    "sh": "shellcheck",
}
_SYMBOL = re.compile(
    r"cannot find symbol(?P<between>\n(?:(?!.*(?:error|ERROR)).*\n){0,4}?)(?P<tail>(?:\[ERROR\])?\s*symbol\s*:\s*(?P<kind>\w+) (?P<name>.+))$",
    re.MULTILINE,
)
_GO_TEST_LOG = re.compile(r"_test\.go\Z|\Atesting\.go\Z")


def cut(output: str, tool: str | None = None) -> list[CutError]:
    """One error per finding, errors before warnings: warnings only where there is no error.

    `tool` is the goal's own tool, the name of a finding that does not tell its compiler by itself.
    """
    strong: list[CutError] = []
    weak: list[CutError] = []
    if "cannot find symbol" in output:
        output = _SYMBOL.sub(_with_symbol, output)
    for path, line, col, rest in _lines(output):
        found = _finding(path, line, col, rest, tool)
        if found is not None:
            (weak if found[1] else strong).append(found[0])
    return strong or weak


def _with_symbol(match: re.Match[str]) -> str:
    """Javac names the missing symbol lines below the message: without it all missing symbols would be one error."""
    return f"cannot find symbol: {match['kind']} '{match['name'].strip()}'{match['between']}{match['tail']}"


def _lines(output: str) -> Iterator[tuple[str, str, str | None, str]]:
    if ":" not in output:
        return
    if "[ERROR]" in output:
        for match in _MAVEN.finditer(output):
            yield match["path"], match["line"], match["col"], match["rest"]
    for sign, pattern in ((_COLON_PLACE, _COLON), (_PAREN_PLACE, _PAREN)):
        done = 0
        # Each match is one line with a place in it: most lines have none, and their paths need not be read.
        for place in sign.finditer(output):
            if place.start() < done:
                continue
            found = pattern.match(output, output.rfind("\n", 0, place.start()) + 1)
            end = output.find("\n", place.start())
            done = len(output) if end < 0 else end
            if found is not None:
                yield found["path"], found["line"], found["col"], found["rest"]


def _finding(path: str, line: str, col: str | None, rest: str, tool: str | None) -> tuple[CutError, bool] | None:
    if _NOISE.match(rest) or len(path) > 300 or "━━" in rest:
        return None
    suffix = path.rsplit(".", 1)[-1].lower()
    severity, code, named, bracket = None, None, None, None
    coded = _CODE_BEFORE_SEVERITY.match(rest)
    marked = _SEVERITY.match(rest)
    if coded is not None:
        severity, code, rest = coded["severity"], coded["code"], rest[coded.end() :]
    elif marked is not None:
        severity, bracket = marked["severity"], marked["bracket"]
        code = marked["code"] or bracket
        rest = rest[marked.end() :]
        oxlint = _OXLINT_RULE.match(rest)
        if oxlint is not None:
            code, named = oxlint["rule"], "oxlint"
    if severity in _QUIET:
        return None
    rest = _PROJECT_TRAILER.sub("", rest)
    if code is None and (at_start := _CODE_AT_START.match(rest)):
        code = at_start["code"]
    at_end = _RULE_AT_END.search(rest)
    rule = at_end["rule"] if at_end else None
    if severity is None and code is None and not _plausible(path, suffix, col, rest, rule, tool):
        return None
    if rule == "typecheck" and suffix == "go":
        rest, rule, named = rest[: at_end.start()] if at_end else rest, None, "go build"
    elif rule in _LINTERS_OF_GO and suffix == "go":
        named = "golangci-lint"
    elif rule and severity is None and suffix in ("kt", "kts"):
        named = "ktlint"
    message = one_line(rest)
    if not message or _NOISE.match(message):
        return None
    if code is not None and code not in message:
        # As the same finding reads in its long form: `error[rule]: message`, the place below it.
        message = f"[{code}] {message}" if code == bracket else f"{code}: {message}"
    error = CutError(
        message,
        type=code or (rule if named == "golangci-lint" else None),
        tool=named or _tool_of(code, suffix, tool, severity, rule),
        path=path,
        line=number(line),
        warning=severity is not None and severity.lower() in ("warning", "warn"),
    )
    return error, severity in _WEAK


def _plausible(path: str, suffix: str, col: str | None, rest: str, rule: str | None, tool: str | None) -> bool:
    """Whether `path:line: text` without a severity or a code is a finding and not a log line or a place in a stack."""
    if suffix == "go":
        return (col is not None or not _GO_TEST_LOG.search(path)) and not _NOT_A_COMPILER.match(rest)
    if suffix == "rb":
        return (" (" in rest and "Error)" in rest) or rest.startswith("syntax error")
    if tool is None or (suffix not in _TOOL_BY_SUFFIX and suffix != "py"):
        return rule is not None and col is not None
    if suffix == "py" and tool.split()[0] in ("flake8", "ruff", "pylint", "pycodestyle", "black", "pytest"):
        return False
    return col is not None and not _NOT_A_COMPILER.match(rest) and not rest.startswith(("at ", "in ", "› "))


def _tool_of(code: str | None, suffix: str, tool: str | None, severity: str | None, rule: str | None) -> str | None:
    if code:
        if code.startswith("TS"):
            return "tsc"
        if code.startswith(("CS", "FS", "MSB", "NU", "NETSDK")) and suffix in (
            "cs",
            "fs",
            "vb",
            "csproj",
            "fsproj",
            "targets",
        ):
            return "dotnet build"
        if code.startswith("SC"):
            return "shellcheck"
        if code.startswith("DL"):
            return "hadolint"
    if suffix in ("py", "pyi") and severity == "error" and rule and kind_of(tool) is not GoalKind.TYPES:
        return "pyright" if rule.startswith("report") else "mypy"
    if suffix in ("py", "pyi") and severity is None and code and kind_of(tool) in (GoalKind.TYPES, GoalKind.FORMAT):
        return "flake8"  # Neither a type checker nor a formatter has findings of that form.
    if tool and tool.split()[0] not in _RUNNERS and not tool.endswith(" test"):
        return tool
    return _TOOL_BY_SUFFIX.get(suffix, tool)


_ARROW = re.compile(
    r"^(?:(?P<code>[A-Z]{1,4}\d{2,4}|invalid-syntax)(?P<text>:? (?:\[\*\] )?\S.*)\n[ \t]*--> (?P<path>[^\s:]+)"
    r"|(?P<name>(?!error:|warning:|note:|help:|info:)[a-z][a-z0-9]*(?:-[a-z0-9]+)*)(?P<told>: (?:\[\*\] )?\S.*)\n[ \t]*--> (?P<python>[^\s:]+\.(?:pyi?|ipynb)))"
    r":(?P<line>\d+):\d+",
    re.MULTILINE,
)
_SHELLCHECK = re.compile(r"^In (?P<path>\S+) line (?P<line>\d+):\n(?P<body>(?:.+\n?)+)", re.MULTILINE)
_SHELLCHECK_FINDING = re.compile(
    r"\^-*\^? (?P<code>SC\d{4})(?: \((?P<severity>\w+)\))?: (?P<message>.+)$", re.MULTILINE
)


def cut_arrows(output: str) -> list[CutError]:
    """Ruff's full form: rule (its code or its name) and message on one line, ` --> file:line:col` on the next."""
    return [
        CutError(
            one_line((m["code"] or m["name"]) + (m["text"] or m["told"])),
            type=m["code"] or m["name"],
            tool="ruff check",
            path=m["path"] or m["python"],
            line=number(m["line"]),
        )
        for m in _ARROW.finditer(output)
    ]


def cut_shellcheck(output: str) -> list[CutError]:
    """Shellcheck's own form: `In FILE line N:`, the line, and a mark with the code under it."""
    return [
        CutError(
            one_line(f"{m['message']} [{m['code']}]"),
            type=m["code"],
            tool="shellcheck",
            path=place["path"],
            line=number(place["line"]),
        )
        for place in _SHELLCHECK.finditer(output)
        for m in _SHELLCHECK_FINDING.finditer(place["body"])
    ]


_GO_MODULE = re.compile(
    r"^(?:go: (?!downloading|finding|extracting|added|upgraded|to add|module |warning|errors parsing go\.)(?P<go>.+?(?: imports(?:\n\t\S.*)+)?)"
    r"|(?P<pkg>package [\w./\-]+(?: is not in std.*|: .+|(?:\n\timports .+)+))"
    r"|(?:\S*/)?(?P<mod>go\.(?:mod|work):\d+: .+)"
    r"|(?P<cfg>error obtaining VCS status.*|flag provided but not defined: .*|no Go files in .*|no required module provides package .*))$",
    re.MULTILINE,
)
_LINKER = re.compile(
    r"^(?:.*?: )?(?P<message>undefined reference to .+|ld: (?!warning).+|multiple definition of .+|undefined symbols? .+|cannot find -l\S+(?:: No such file or directory)?|could not find library .+)$"
    r"|^ +\"(?P<symbol>[^\"\n]+)\", referenced from:$",
    re.MULTILINE | re.IGNORECASE,
)
_LINKER_HEAD = re.compile(r"(?i)undefined symbols? for architecture|ld: symbol\(s\) not found")
_PROJECT = re.compile(
    r"^[ \t]*(?P<path>[^\s:(][^:(\n]*\.\w*proj|[^\s:(][^:(\n]*\.(?:sln|slnx|props|targets)|MSBUILD|CSC|FSC)[ \t]*: error (?P<code>[A-Z]{2,6}\d{3,5}): (?P<message>.+?)(?: \[[^\]\n]+\])?$",
    re.MULTILINE,
)
"""What MSBuild and NuGet say of a whole project, without a line."""
_CHECKSTYLE = re.compile(
    r"^(?:\[ant:checkstyle\] )?\[(?:ERROR|WARN)\] (?P<path>[\w./\\:-]+?\.\w+):(?P<line>\d+)(?::\d+)?: (?P<message>.+?)(?: \[(?P<rule>\w+)\])?$",
    re.MULTILINE,
)
_DART = re.compile(
    r"^ *(?P<severity>error|warning|info) [•-] (?P<message>.+?) [•-] (?P<path>\S+\.dart):(?P<line>\d+):\d+ [•-] (?P<rule>\w+)$",
    re.MULTILINE,
)
_GOLANGCI = re.compile(r"^level=error msg=\"(?P<message>.+?)\"$", re.MULTILINE)
_CMAKE = re.compile(
    r"^CMake Error(?: at (?P<path>[^\s:]+):(?P<line>\d+))?(?: \([^)]*\))?:\s*\n?(?P<message>(?:[ \t]+.+\n?|.+\n?)+?)(?=\n\s*\n|\Z)",
    re.MULTILINE,
)
_UNFORMATTED = (
    ("prettier", re.compile(r"^\[warn\] (?P<path>\S+\.\w+)$", re.MULTILINE), "[warn]"),
    ("black", re.compile(r"^would reformat (?P<path>\S+)$", re.MULTILINE), "would reformat"),
    ("ruff format", re.compile(r"^Would reformat: (?P<path>\S+)$", re.MULTILINE), "Would reformat"),
    ("isort", re.compile(r"^ERROR: (?P<path>\S+) Imports are incorrectly sorted", re.MULTILINE), "incorrectly sorted"),
    ("cargo fmt", re.compile(r"^Diff in (?P<path>\S+?)(?::\d+:?| at line \d+:?)$", re.MULTILINE), "Diff in"),
    ("php-cs-fixer", re.compile(r"^ +\d+\) (?P<path>\S+\.php)(?: \([\w, /]+\))?$", re.MULTILINE), "can be fixed"),
    ("dart format", re.compile(r"^Changed (?P<path>\S+\.dart)$", re.MULTILINE), "Changed "),
)
_DIFF_HEAD = re.compile(
    r"^diff (?:-u )?(?P<old>\S+) (?P<path>\S+)$|^--- (?P<unified>\S+)(?:\.orig)?\b.*\n\+\+\+ \S+", re.MULTILINE
)


def cut_builds(output: str) -> list[CutError]:
    """Errors of module resolution, linkers and CMake, which have no `file:line`."""
    found: list[CutError] = []
    if "go: " in output or "package " in output or "go.mod:" in output or "go.work:" in output or "Go files" in output:
        told = (m["go"] or m["pkg"] or m["mod"] or m["cfg"] for m in _GO_MODULE.finditer(output))
        found += [CutError(one_line(text), tool="go build") for text in told]
    if "level=error msg=" in output:
        found += [CutError(one_line(m["message"]), tool="golangci-lint") for m in _GOLANGCI.finditer(output)]
    if (
        "undefined reference" in output
        or "ld: " in output
        or "ndefined symbol" in output
        or ", referenced from:" in output
        or "multiple definition" in output
    ):
        linked = [m["message"] or f"undefined symbol: {m['symbol']}" for m in _LINKER.finditer(output)]
        # Apple's linker names the symbols below a line that says only that there are some.
        named = [text for text in linked if not _LINKER_HEAD.match(text)]
        found += [CutError(one_line(text), tool="ld") for text in named or linked]
    if ": error " in output:
        for match in _PROJECT.finditer(output):
            path = match["path"] if "." in match["path"] else None
            message = one_line(f"{match['code']}: {match['message']}")
            found.append(CutError(message, type=match["code"], tool="dotnet build", path=path))
    if "checkstyle" in output.lower():
        found += [
            CutError(one_line(m["message"]), type=m["rule"], tool="checkstyle", path=m["path"], line=number(m["line"]))
            for m in _CHECKSTYLE.finditer(output)
        ]
    if ".dart:" in output:
        found += [
            CutError(
                one_line(m["message"]),
                type=m["rule"],
                tool="dart analyze",
                path=m["path"],
                line=number(m["line"]),
                warning=m["severity"] != "error",
            )
            for m in _DART.finditer(output)
        ]
    if "CMake Error" in output:
        for match in _CMAKE.finditer(output):
            found.append(
                CutError(one_line(match["message"]), tool="cmake", path=match["path"], line=number(match["line"]))
            )
    return found


_ENDING = re.compile(r"\w\.\w+$")


def cut_formats(output: str, tool: str | None = None, prints_means_fail: bool = False) -> list[CutError]:
    """Files that a formatter in check mode would change: one error per file."""
    found: list[CutError] = []
    for name, pattern, needle in _UNFORMATTED:
        if needle in output:
            found += [
                CutError(f"file is not formatted ({name})", type="format", tool=name, path=m["path"])
                for m in pattern.finditer(output)
            ]
    if found or not prints_means_fail:
        return found
    name = tool or "format"
    paths = [m["path"] or m["unified"].removesuffix(".orig") for m in _DIFF_HEAD.finditer(output)]
    if not paths and "\n@@" not in output:
        words = [line.strip() for line in output.splitlines() if line.strip() and " " not in line.strip()]
        # Beside what another command of the line printed (`PASS`), a file is known by its ending.
        paths = [word for word in words if _ENDING.search(word)] or words
    return [
        CutError(f"file is not formatted ({name})", type="format", tool=name, path=path)
        for path in dict.fromkeys(paths)
    ]
