"""JVM: Maven and Gradle test failures, uncaught exceptions.

Belongs here: results of JUnit and its kin, stack traces of Java, Kotlin and Scala. Compiler lines are in `compilers`.
"""

from __future__ import annotations

import re

from debug_loop_pipeline.compute.commands.error_cutting.common import CutError, block, number, one_line

_GRADLE = re.compile(
    r"^(?P<suite>[\w.$]+)(?: > (?P<nested>[^>\n]+?))* > (?P<test>[^\n]+?) FAILED\n(?P<body>(?:[ \t]+.*\n?)*)",
    re.MULTILINE,
)
_SUREFIRE = re.compile(
    r"^\[ERROR\]\s+(?P<suite>[\w.$]+)\.(?P<test>[\w$\[\]{}(), ]+?):(?P<line>\d+)(?:->[\w.$:]+)* (?P<message>.+)$",
    re.MULTILINE,
)
_SUREFIRE_HEAD = re.compile(
    r"^\[ERROR\] (?P<test>[\w.$]+(?:\(.*?\))?)(?:\s+--)? +Time elapsed: [\d.]+ s +<<< (?P<word>FAILURE|ERROR)!\n(?P<message>.+)$",
    re.MULTILINE,
)
_SUREFIRE_OLD = re.compile(
    r"^(?:Failed tests:|Tests in error:)? +(?P<suite>[A-Z][\w.$]*)\.(?P<test>\w+)(?::(?P<line>\d+)(?:->[\w.$:]+)*) (?:» )?(?P<message>.+)$",
    re.MULTILINE,
)
_AT_PLACE = re.compile(
    r"(?P<type>(?:[a-z][\w$]*\.)+[A-Z][\w$]*) at (?P<path>\w+\.(?:java|kt|scala|groovy)):(?P<line>\d+)$"
)
"""Gradle's short form: the exception without what it says."""
_SCRIPT_FILE = re.compile(r"^(?:Build|Settings|Script) file '(?P<path>[^'\n]+)' line: (?P<line>\d+)$", re.MULTILINE)
_SCRIPT_ERROR = re.compile(r"^ +(?:Line (?P<line>\d+): .*\n)? +\^ (?P<message>\S.*)$", re.MULTILINE)
_EXCEPTION = re.compile(
    r"^(?:Exception in thread \"[^\"]*\" |Caused by: |\s*)(?P<type>(?:[a-z][\w$]*\.)+[A-Z][\w$]*(?:Exception|Error|Failure|Throwable)?)(?:: (?P<message>.*))?$"
)
_STACK = re.compile(
    r"^(?:Exception in thread \"[^\"]*\" )?(?P<type>(?:[a-z][\w$]*\.)+[A-Z][\w$]*)(?:: (?P<message>.*))?\n(?P<frames>(?:\s+at .+\n?)+)",
    re.MULTILINE,
)
_FRAME = re.compile(r"at (?P<where>[\w.$/<>]+)\((?P<path>[\w$]+\.(?:java|kt|scala|groovy)):(?P<line>\d+)\)")
_WENT_WRONG = re.compile(r"^\* What went wrong:\n(?P<message>.+)\n(?P<reasons>(?:[ \t]*>.*\n?)*)", re.MULTILINE)
_LIBRARY = (
    "java.",
    "jdk.",
    "org.junit",
    "sun.",
    "org.gradle",
    "org.apache.maven",
    "kotlin.",
    "scala.",
    "org.assertj",
    "org.hamcrest",
    "org.mockito",
    "junit.",
    "org.opentest4j",
    "org.testng",
)


def cut(output: str) -> list[CutError]:
    """Failing tests with their exception; exceptions with a stack; what Gradle says went wrong where nothing better is there."""
    found: list[CutError] = []
    if " FAILED\n" in output:
        found += [_gradle(m) for m in _GRADLE.finditer(output)]
    if "[ERROR]" in output and not found:
        for match in _SUREFIRE.finditer(output):
            kind = re.match(r"(?P<type>[A-Z]\w*(?:Exception|Error))\b", match["message"])
            found.append(
                CutError(
                    one_line(match["message"]),
                    type=kind["type"] if kind else None,
                    tool="junit",
                    test=f"{match['suite']}.{match['test']}",
                    line=number(match["line"]),
                )
            )
        if not found:
            for match in _SUREFIRE_HEAD.finditer(output):
                exception = _EXCEPTION.match(match["message"])
                found.append(
                    CutError(
                        one_line(match["message"]),
                        type=_short(exception["type"]) if exception else None,
                        tool="junit",
                        test=match["test"],
                    )
                )
    if not found and ("Failed tests:" in output or "Tests in error:" in output):
        found += [
            CutError(one_line(m["message"]), tool="junit", test=f"{m['suite']}.{m['test']}", line=number(m["line"]))
            for m in _SUREFIRE_OLD.finditer(output)
        ]
    if (not found and "\tat " in output) or (
        not found and "    at " in output and (".java:" in output or ".kt:" in output or ".scala:" in output)
    ):
        found += [_stack(m) for m in _STACK.finditer(output)][:20]
    return found


def cut_gradle_reason(output: str) -> list[CutError]:
    """`* What went wrong:` of Gradle with the innermost reason, where no finding was printed."""
    if "What went wrong" not in output:
        return []
    found: list[CutError] = []
    script = _SCRIPT_FILE.search(output)
    path, line = (script["path"], number(script["line"])) if script else (None, None)
    if script and "ompilation error" in output:
        found = [
            CutError(one_line(m["message"]), tool="gradle", path=path, line=number(m["line"]) or line)
            for m in _SCRIPT_ERROR.finditer(output)
        ]
        if found:
            return found
    for match in _WENT_WRONG.finditer(output):
        reasons = [line.strip("> \t") for line in match["reasons"].splitlines()]
        found.append(
            CutError(one_line(" ".join([match["message"], *reasons[-1:]])), tool="gradle", path=path, line=line)
        )
    return found


def _short(name: str) -> str:
    return name.rsplit(".", 1)[-1]


def _gradle(match: re.Match[str]) -> CutError:
    lines = [line for line in match["body"].split("\n") if line.strip()]
    first = lines[0].strip() if lines else "test failed"
    exception = _EXCEPTION.match(first)
    frame = _own_frame(match["body"])
    short = _AT_PLACE.match(first)
    if short is not None:
        exception, first, frame = None, _short(short["type"]), (short["path"], number(short["line"]))
    message = f"{_short(exception['type'])}: {exception['message'] or ''}".rstrip(": ") if exception else first
    return CutError(
        one_line(message),
        type=_short(exception["type"]) if exception else _short(short["type"]) if short else None,
        tool="junit",
        test=f"{match['suite']}.{match['test']}",
        path=frame[0],
        line=frame[1],
        stacktrace=block(lines),
    )


def _stack(match: re.Match[str]) -> CutError:
    frame = _own_frame(match["frames"])
    kind = _short(match["type"])
    return CutError(
        one_line(f"{kind}: {match['message']}" if match["message"] else kind),
        type=kind,
        tool="java",
        path=frame[0],
        line=frame[1],
        stacktrace=block(match.group().split("\n")[:60]),
    )


def _own_frame(text: str) -> tuple[str | None, int | None]:
    for match in _FRAME.finditer(text):
        if not match["where"].startswith(_LIBRARY):
            return match["path"], number(match["line"])
    return None, None
