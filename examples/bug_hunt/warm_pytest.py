"""Runs pytest once per request, each time in a process of its own that is forked from this one.

Loading pytest takes four fifths of a short run; here it is loaded once. What runs is pytest's own `main` with the arguments of
the request, in a fresh process that ends with it: nothing of one run reaches the next.

Protocol: one JSON object a line on standard input (`cwd`, `args`, `output`, `timeout`), one on standard output (`exit_code`; null
where the time ran out). Runs as a script with nothing but pytest installed.
"""

from __future__ import annotations

import contextlib
import gc
import inspect
import json
import os
import resource
import signal
import sys
from pathlib import Path

import pytest

MEMORY_BYTES = 4 << 30
"""A repair that loops and collects is stopped before it takes the machine with it."""


def run_forked(cwd: str, args: list[str], output: str, timeout: int) -> int | None:
    """Runs pytest in a child process and returns its exit code, None when it had to be stopped."""
    child = os.fork()
    if child == 0:
        code = 70
        try:
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
            signal.alarm(timeout)
            os.chdir(cwd)
            target = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.dup2(target, 1)
            os.dup2(target, 2)
            sys.argv[:] = ["pytest", *args]
            code = int(pytest.main(args))
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return None if code == -signal.SIGALRM else code


def load_pytest() -> None:
    """Imports what a failing run needs, by letting pytest look for a test that is not there."""
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        pytest.main(["-q", "-p", "no:cacheprovider", str(Path(__file__).with_name("absent"))])
    import _pytest.assertion.util  # noqa: F401

    # Looking up the module of a frame asks every loaded module for its file once; the children inherit the answers.
    inspect.getmodule(compile("0", "absent", "eval"), "absent")
    gc.freeze()


def main() -> None:
    """Answers requests until standard input ends."""
    load_pytest()
    for line in sys.stdin:
        exit_code = run_forked(**json.loads(line))
        sys.stdout.write(json.dumps({"exit_code": exit_code}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
