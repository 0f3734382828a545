"""Which tools a script of the project was seen to run: `npm test` prints `> vitest --run`, or the summary of vitest.

Belongs here: reading it out of the script's output. A goal that names a script and one that names the tool it runs check the same;
what follows from that is in `goals`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

from debug_loop_pipeline.compute.summaries import Found
from debug_loop_pipeline.compute.summary_families import FAMILIES, TEST_FAMILIES
from debug_loop_pipeline.compute.toolbox import TOOLS, GoalKind, find_tool
from debug_loop_pipeline.compute.wrappers import unwrap

_ECHOED = re.compile(r"^(?:> |\$ |\[[^\]\n]{1,40}\] \$ |(?=cd |[\w./-]+ ))(?P<command>\S.{1,400})$", re.MULTILINE)
"""npm and pnpm write `> script` and `> command`, bun and yarn `$ command`, mise `[task] $ command`, make the bare command."""
_NPM_SCRIPT = re.compile(r"> \S+@\d\S* (?P<name>[\w:.-]+)(?: \S+)?")
"""npm and pnpm name the script that they run: `> web@1.0.0 lint`; the script of a script is one too."""
_STEPS = re.compile(r"&&|\|\||[;|]")
_MAX_LINES = 40
_KINDS = {tool.name: tool.kind for tool in TOOLS.values()}
_RUNNER_OF: dict[str, str] = {}
for _tool, _families in FAMILIES.items():
    for _family in _families & TEST_FAMILIES:
        if _KINDS.get(_tool) is GoalKind.TEST:
            _RUNNER_OF.setdefault(_family, _tool)


def shown_runs(tool: str, output: str, found: Iterable[Found]) -> tuple[str, ...]:
    r"""The tools (canonical names, each once, in order) that the script `tool` was seen to run; none where `tool` is no script.

    >>> shown_runs("npm run lint", "> web@1.0.0 lint\n> eslint . && prettier --check .\n", [])
    ('eslint', 'prettier')
    """
    if not is_script(tool):
        return ()
    runs: list[str] = []
    bare = tool.split(" ", 1)[0] == "make"
    for match in list(_ECHOED.finditer(output))[:_MAX_LINES]:
        names_the_script = output.startswith("\n> ", match.end())
        script = _NPM_SCRIPT.fullmatch(match.group())
        if script is not None and f"script {script['name']}" != _own(tool):
            runs.append(f"script {script['name']}")
        if not names_the_script and (bare or output[match.start()] in ">$["):
            runs += _tools_of(match["command"])
    runs += [_RUNNER_OF[one.family] for one in found if one.family in _RUNNER_OF]
    return tuple(dict.fromkeys(runs))


def is_script(tool: str) -> bool:
    """Whether a goal's tool is a script or task that the project names itself."""
    return (" " in tool and tool not in _KINDS) or tool == "make"


def _own(tool: str) -> str:
    return f"script {tool.rsplit(' ', 1)[-1]}"


def _tools_of(command: str) -> list[str]:
    found: list[str] = []
    for step in _STEPS.split(command):
        try:
            words = unwrap(shlex.split(step))[0]
        except ValueError:
            continue
        known = find_tool(words) if words else None
        if known is not None:
            found.append(known[0].name)
    return found
