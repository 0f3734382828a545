"""An agent as small as it can be: it runs a test that really fails, edits the code, runs it again, and tells each attempt live.

    python -m tests.support.live_agent WORKSPACE TASK

Prints the ids of its attempts as JSON. Where the store is and how the logger behaves comes from the environment.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from debug_loop_pipeline.client.logger import AgentExecutionLogger

BEFORE = "    return record['title'].strip()"
AFTER = "    return record.get('title', 'untitled').strip()"
_CODE = f"""def title_of(record):
{BEFORE}
"""
_TEST = """from titles import title_of

assert title_of({"title": " A "}) == "A"
assert title_of({}) == "untitled"
"""
_COMMAND = "python test_titles.py"


def check(workspace: Path) -> tuple[dict[str, Any], str | None]:
    """Runs the test: what a logger is told about it, and the line of the error where there is one."""
    done = subprocess.run(
        [sys.executable, "test_titles.py"], cwd=workspace, capture_output=True, text=True, check=False
    )
    verification = {
        "command": _COMMAND,
        "goal": _COMMAND,
        "goal_tool": "python",
        "goal_target": ["test_titles.py"],
        "exit_code": done.returncode,
        "verdict": "fail" if done.returncode else "pass",
    }
    return verification, done.stderr.strip().splitlines()[-1] if done.returncode else None


def work(workspace: Path, task: str) -> list[str]:
    """Fails, fixes, succeeds; the ids of the two attempts."""
    (workspace / "titles.py").write_text(_CODE, encoding="utf-8")
    (workspace / "test_titles.py").write_text(_TEST, encoding="utf-8")
    request = "Make title_of answer for records without a title"
    with AgentExecutionLogger("live-agent", session_id=task, context={"repository": "example/titles"}) as logger:
        first = logger.start(request, task=task)
        verification, error = check(workspace)
        assert error is not None
        told = {"message": error, "type": error.split(":")[0], "verification": 0}
        logger.complete("error", first, verifications=[verification], errors=[told])

        second = logger.start(request, task=task)
        (workspace / "titles.py").write_text(_CODE.replace(BEFORE, AFTER), encoding="utf-8")
        edit = {"path": "titles.py", "language": "python", "before": BEFORE, "after": AFTER}
        verification, error = check(workspace)
        assert error is None, error
        logger.complete("success", second, edits=[edit], verifications=[verification])
        logger.close(30.0)
        assert not logger.unpublished, "the broker does not answer"
    return [str(first), str(second)]


if __name__ == "__main__":
    print(json.dumps(work(Path(sys.argv[1]), sys.argv[2])))  # noqa: T201
