"""Which test runners a script of the project was seen to run, where no banner says it: by the summary that they print.

Belongs here: that, and which goals are scripts. What banners say is read by `script_echoes`; what follows is in `goals`.
"""

from __future__ import annotations

from collections.abc import Iterable

from debug_loop_pipeline.compute.commands.summaries import Found
from debug_loop_pipeline.compute.commands.summary_families import FAMILIES, TEST_FAMILIES
from debug_loop_pipeline.compute.commands.toolbox import TOOLS, GoalKind

_KINDS = {tool.name: tool.kind for tool in TOOLS.values()}
_RUNNER_OF: dict[str, str] = {}
for _tool, _families in FAMILIES.items():
    for _family in _families & TEST_FAMILIES:
        if _KINDS.get(_tool) is GoalKind.TEST:
            _RUNNER_OF.setdefault(_family, _tool)


def shown_runners(tool: str, found: Iterable[Found]) -> tuple[str, ...]:
    """The test runners (canonical names, each once, in order) whose summaries the script `tool` printed; none where it is no script."""
    if not is_script(tool):
        return ()
    return tuple(dict.fromkeys(_RUNNER_OF[one.family] for one in found if one.family in _RUNNER_OF))


def is_script(tool: str) -> bool:
    """Whether a goal's tool is a script or task that the project names itself."""
    return (" " in tool and tool not in _KINDS) or tool == "make"
