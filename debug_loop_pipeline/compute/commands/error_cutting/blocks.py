"""Linters and builds that print a block per finding: eslint, biome, oxlint, stylelint, webpack, esbuild, next, terraform, docker.

Belongs here: findings whose file stands on another line than the message.
"""

from __future__ import annotations

import re

from debug_loop_pipeline.compute.commands.error_cutting.common import CutError, number, one_line

_FILE_LINE = re.compile(r"^(?P<path>(?:[A-Za-z]:)?[\w./\\@\-\[\]() +]+\.\w{1,6})$")
_ESLINT = re.compile(
    r"^\s+(?P<line>\d+):(?P<col>\d+)\s+(?P<severity>error|warning|✖|⚠|×)\s+(?P<message>.+?)(?:\s{2,}(?P<rule>[@\w\-/.]+))?\s*$"
)
_BIOME = re.compile(
    r"^\s*(?:at )?(?P<path>[^\s:]+\.\w+|\S+/\S+)(?::(?P<line>\d+):\d+)? (?P<rule>(?:lint|assist|format|parse|organizeImports|syntax|check|ci|plugin|suppressions|internalError|project|files|configuration|deserialize)\S*)(?:[ \t]+[A-Z]+)*[ \t]*━+",
    re.MULTILINE,
)
_BIOME_MESSAGE = re.compile(r"^\s*[×✖!⚠] (?P<message>.+)$", re.MULTILINE)
_BIOME_HEAD = re.compile(r"━{5,}")
_OXLINT = re.compile(
    r"^\s*[×!⚠] (?P<rule>[\w\-]+\([\w\-/]+\)): (?P<message>.+)\n\s*[╭,][-─]*\[(?P<path>[^\]:]+):(?P<line>\d+):\d+\]",
    re.MULTILINE,
)
_WEBPACK = re.compile(
    r"^(?:ERROR|Error) in (?P<path>\./\S+|\S+\.\w+)(?:[ :](?P<line>\d+):\d+(?:-\d+)?)?\n(?P<message>.+)$", re.MULTILINE
)
_ESBUILD = re.compile(
    r"^[✘X] \[ERROR\] (?P<message>.+?)(?: \[plugin [^\]]+\])?\n\n\s+(?P<path>[^\s:]+):(?P<line>\d+):\d+:", re.MULTILINE
)
_ESBUILD_BARE = re.compile(r"^[✘X] \[ERROR\] (?P<message>.+)$", re.MULTILINE)
_NEXT = re.compile(
    r"^(?P<path>\./\S+?)(?::(?P<line>\d+):\d+)?\n(?P<message>(?:Type error|Module not found|Error|Syntax error|Parsing ecmascript).*)$",
    re.MULTILINE,
)
_NEXT_LINT = re.compile(r"^(?P<line>\d+):\d+\s+(?P<severity>Error|Warning): (?P<message>.+?)\s{2,}(?P<rule>[@\w\-/]+)$")
_SVELTE = re.compile(
    r"^(?P<path>\S+?\.\w+):(?P<line>\d+):\d+\n(?P<severity>Error|Warn|Hint): (?P<message>.+)$", re.MULTILINE
)
_VITE = re.compile(r"^error during build:\n(?P<message>.+)$", re.MULTILINE)
_TERRAFORM = re.compile(
    r"^[│|]?\s*Error: (?P<message>.+)(?:(?:\n[│|][ \t]*)*\n[│|][ \t]+on (?P<path>\S+) line (?P<line>\d+))?",
    re.MULTILINE,
)
_TERRAFORM_BAR = re.compile(r"^[│|][ \t]?", re.MULTILINE)
_DOCKER = re.compile(r"^(?:ERROR: )?failed to solve: (?P<message>.+)$", re.MULTILINE)
_DOCKER_STEP = re.compile(r"^#\d+ (?:\d+\.\d+ )?", re.MULTILINE)
_PRETTIER_ERROR = re.compile(
    r"^\[error\] (?P<path>(?!\S+:\d+:\d+:)\S+): (?P<message>.+?)(?: \(\d+:\d+\))?$", re.MULTILINE
)
_FIELD_LINTS = re.compile(r"^(?:check|ci|lint|format)$")


def cut(output: str) -> list[CutError]:
    """Every finding of the formats of this module; eslint warnings only where there is no error."""
    found = [*_eslint(output), *_biome(output)]
    for pattern, tool, needle in (
        (_WEBPACK, "webpack", " in "),
        (_ESBUILD, "esbuild", "[ERROR]"),
        (_NEXT, "next build", "./"),
        (_PRETTIER_ERROR, "prettier", "[error]"),
    ):
        if needle in output:
            found += [
                CutError(one_line(m["message"]), tool=tool, path=m["path"], line=number(m.groupdict().get("line")))
                for m in pattern.finditer(output)
            ]
    if "[ERROR]" in output and not any(e.tool == "esbuild" for e in found):
        found += [CutError(one_line(m["message"]), tool="esbuild") for m in _ESBUILD_BARE.finditer(output)]
    if "\nError: " in output or "\nWarn: " in output:
        found += [
            CutError(one_line(m["message"]), tool="svelte-check", path=m["path"], line=number(m["line"]))
            for m in _SVELTE.finditer(output)
            if m["severity"] == "Error"
        ]
    if "error during build" in output:
        found += [CutError(one_line(m["message"]), tool="vite build") for m in _VITE.finditer(output)]
    return found


def cut_infrastructure(output: str) -> list[CutError]:
    """Terraform and docker."""
    found: list[CutError] = []
    if "│" in output or "╷" in output:
        found += [
            CutError(
                one_line(f"{m['message']}: {_terraform_detail(m, output)}".removesuffix(": ")),
                tool="terraform",
                path=m["path"],
                line=number(m["line"]),
            )
            for m in _TERRAFORM.finditer(output)
        ]
    if "failed to solve" in output:
        found += [CutError(one_line(m["message"]), tool="docker build") for m in _DOCKER.finditer(output)]
    return found


def _terraform_detail(head: re.Match[str], output: str) -> str:
    """The first sentence of the paragraph below the place: it names what the error is about."""
    end = output.find("╵", head.end())
    rest = _TERRAFORM_BAR.sub("", output[head.end() : end if end >= 0 else head.end() + 2_000])
    paragraphs = [one_line(part) for part in re.split(r"\n\s*\n", rest)]
    told = next((part for part in paragraphs[1 if head["path"] else 0 :] if part), "")
    return told.split(". ", 1)[0]


def without_step_prefix(output: str) -> str:
    """BuildKit's `#7 1.234 ` before each line taken off, so that what ran inside can be read."""
    return _DOCKER_STEP.sub("", output) if output.startswith("#") or "\n#" in output else output


def _eslint(output: str) -> list[CutError]:
    if "error" not in output and "warning" not in output and "Error:" not in output and "✖" not in output:
        return []
    strong: list[CutError] = []
    weak: list[CutError] = []
    path: str | None = None
    for line in output.split("\n"):
        if not line:
            continue
        if line[0] not in " \t":
            head = _FILE_LINE.match(line)
            if head is not None:
                if path is None:
                    # Only where no file is named at all: a `grep` that left the findings took those lines off.
                    strong, weak = [], []
                path = head["path"]
                continue
            finding = _NEXT_LINT.match(line)
        else:
            finding = _ESLINT.match(line)
        if finding is None or (path is None and finding["severity"] not in ("error", "warning")):
            continue
        rule = finding["rule"]
        error = CutError(
            one_line(f"{finding['message']} ({rule})" if rule else finding["message"]),
            type=rule,
            tool="eslint",
            path=path,
            line=number(finding["line"]),
            warning=finding["severity"].lower() in ("warning", "⚠"),
        )
        (weak if error.warning else strong).append(error)
    return strong or weak


def _biome(output: str) -> list[CutError]:
    if "━━" not in output:
        return (
            [
                CutError(
                    one_line(f"{m['message']} ({m['rule']})"),
                    type=m["rule"],
                    tool="oxlint",
                    path=m["path"],
                    line=number(m["line"]),
                )
                for m in _OXLINT.finditer(output)
            ]
            if "─[" in output or "-[" in output
            else []
        )
    found: list[CutError] = []
    heads = list(_BIOME.finditer(output))
    for at, head in enumerate(heads):
        end = heads[at + 1].start() if at + 1 < len(heads) else len(output)
        following = _BIOME_HEAD.search(output, head.end(), end)
        text = output[head.end() : following.start() if following else end]
        message = _BIOME_MESSAGE.search(text)
        if message is None:
            continue
        rule = head["rule"]
        tail = f" ({rule.rsplit('/', 1)[-1]})" if "/" in rule else ""
        found.append(
            CutError(
                one_line(message["message"].rstrip(":") + tail),
                type=rule,
                tool="biome",
                path=head["path"],
                line=number(head["line"]),
                stacktrace=None,
            )
        )
    return found
