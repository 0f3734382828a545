"""Verdicts on benchmark runs out of the files that SWE-bench style evaluations leave beside them.

Read are `report.json` (in its per-instance and whole-evaluation forms), the log of the tests, and `verdicts.json`
(run name -> verdict). Not here: what a trajectory is; agents' own claims (`submitted`) are no verdicts.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any

from debug_loop_pipeline.importers.base import ImportReport
from debug_loop_pipeline.importers.documents import (
    beside,
    listing,
    load_document,
    mapping,
    parse_time,
    read_text,
    string,
)
from debug_loop_pipeline.models.trajectory import RunVerdict

MAX_LOG_CHARS = 2_000_000
"""Of a longer evaluation log the end is kept: runners sum up there."""

_SUBFOLDERS = ("", "eval", "evaluation", "eval_results")
_LOG_NAMES = ("test_output.txt", "test_output.log", "eval.log", "run_instance.log")
_START = ">>>>> Start Test Output"
_END = ">>>>> End Test Output"
_LOG_TIME = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}) - ", re.MULTILINE)
_INSTANCE = re.compile(
    r"^(?P<owner>[A-Za-z0-9.-]+)__(?P<name>(?:(?!__)[A-Za-z0-9._-])+?)(?:-i?\d+|\.[0-9a-f]{7,40}\..+)$"
)
_WORDS: dict[str, bool] = {
    "resolved": True,
    "passed": True,
    "pass": True,
    "success": True,
    "unresolved": False,
    "failed": False,
    "fail": False,
    "error": False,
}


def verdict_beside(
    path: Path, problem_id: str | None, report: ImportReport, *, run_name: str | None = None
) -> RunVerdict | None:
    """The verdict on the run that a file holds, from the evaluation files in its folder or an evaluation folder in it.

    Args:
        path: the run's transcript.
        problem_id: picks the entry of a report on several problems.
        report: gets files that cannot be read.
        run_name: picks the entry of a `verdicts.json`, which may also stand in the folder above.
    """
    sidecars = ImportReport()
    try:
        return _verdict_in(path.parent, problem_id, run_name, sidecars)
    finally:
        for problem in sidecars.problems:
            report.problem(problem.file, problem.line, problem.reason)


def _verdict_in(folder: Path, problem_id: str | None, run_name: str | None, report: ImportReport) -> RunVerdict | None:
    listed = _listed_verdict(folder, run_name, report)
    for name in _SUBFOLDERS:
        place = folder / name / "report.json" if name else folder / "report.json"
        if not place.is_file():
            continue
        verdict = report_verdict(beside(load_document, place, report), problem_id)
        if verdict is None:
            continue
        verdict.output, verdict.at = _log(place.parent, report)
        if verdict.passed is None and listed is not None:
            verdict.passed = listed.passed
        return verdict
    return listed


def report_verdict(data: Any, problem_id: str | None) -> RunVerdict | None:
    """The verdict of an evaluation report on one problem; None where the report is about others, or is none."""
    if not isinstance(data, dict):
        return None
    for key, passed in (
        ("resolved_ids", True),
        ("unresolved_ids", False),
        ("error_ids", None),
        ("empty_patch_ids", False),
    ):
        if problem_id is not None and problem_id in listing(data.get(key)):
            return RunVerdict(passed=passed, source="report.json")
    entry = mapping(data.get(problem_id)) if problem_id else {}
    if not entry and "resolved" in data:
        entry = data
    if not entry and len(data) == 1:
        entry = mapping(next(iter(data.values())))
    if not entry or not (entry.keys() & {"resolved", "tests_status"}):
        return None
    resolved = entry.get("resolved")
    status = mapping(entry.get("tests_status"))
    failing = [
        test
        for group in ("FAIL_TO_PASS", "PASS_TO_PASS")
        for test in listing(mapping(status.get(group)).get("failure"))
        if isinstance(test, str)
    ]
    return RunVerdict(resolved if isinstance(resolved, bool) else None, "report.json", failing_tests=failing)


def repository_of(problem_id: str | None) -> str | None:
    """`owner/name` of an instance id such as `django__django-11099`; None where the id is not of that form."""
    match = _INSTANCE.match(problem_id or "")
    return f"{match['owner']}/{match['name']}" if match else None


def is_instance_id(text: str | None) -> bool:
    """Whether a text is an instance id of the SWE-bench form (`owner__name-number`, or SWE-smith's
    `owner__name.commit.kind`).
    """
    return repository_of(text) is not None


def _listed_verdict(folder: Path, run_name: str | None, report: ImportReport) -> RunVerdict | None:
    if run_name is None:
        return None
    for place in (folder / "verdicts.json", folder.parent / "verdicts.json"):
        if not place.is_file():
            continue
        entries = beside(load_document, place, report)
        if isinstance(entries, dict) and run_name in entries:
            entry = entries[run_name]
            word = entry.get("verdict") if isinstance(entry, dict) else entry
            passed = word if isinstance(word, bool) else _WORDS.get((string(word) or "").lower())
            return RunVerdict(passed, "verdicts.json")
    return None


def _log(folder: Path, report: ImportReport) -> tuple[str, datetime | None]:
    """The tests' part of the evaluation log (all of it where it is not marked), and when the evaluation ended."""
    output = ""
    ended: datetime | None = None
    for name in _LOG_NAMES:
        place = folder / name
        if not place.is_file():
            continue
        text = beside(read_text, place, report)
        if text is None:
            continue
        times = _LOG_TIME.findall(text)
        if times:
            ended = parse_time(times[-1])
        if not output and name != "run_instance.log":
            output = log_of_tests(text)
    return output, ended


def log_of_tests(text: str) -> str:
    """What the test command printed, where the log marks it; else the log. Of more than `MAX_LOG_CHARS` the end."""
    begin = text.find(_START)
    if begin >= 0:
        begin = text.find("\n", begin) + 1
        end = text.find(_END, begin)
        text = text[begin : end if end >= 0 else len(text)]
        if end >= 0:
            text = text[: text.rfind("\n") + 1]
    return text[-MAX_LOG_CHARS:]
