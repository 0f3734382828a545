"""Failing tests out of a JUnit XML report, as the errors that the test runner itself would have shown. Pure.

Signatures have to be those of the same failure in an agent's terminal. So where a runner's own output can be made again from the
report, it is, and the cutters read it; else type, message and stack are taken from the attributes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree

from debug_loop_pipeline.compute.commands.error_cutting import GENERIC, MAX_MESSAGE, MAX_STACK, CutError, cut_errors
from debug_loop_pipeline.models.execution import ExecutionError

MAX_BYTES = 64 << 20

_DECLARATION = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_EXCEPTION = re.compile(r"(?P<type>(?:[\w$]+\.)*[A-Z]\w*(?:Error|Exception|Failure|Failed))\b")
_GO_TEST = re.compile(r"(?:Test|Fuzz|Example|Benchmark)[A-Z_]\w*(?:/.*)?")


class JunitError(ValueError):
    """A file is no JUnit report."""


@dataclass(frozen=True, slots=True)
class JunitReport:
    """What a report says. Skipped tests are counted among `tests`."""

    tests: int
    failures: tuple[ExecutionError, ...]


def read_junit(data: bytes) -> JunitReport:
    """The report in `data`.

    Raises:
        JunitError: it is too large, not XML, no report, or declares a document type or entities (which no report has).
    """
    if len(data) > MAX_BYTES:
        raise JunitError(f"larger than {MAX_BYTES >> 20} MB")
    if b"\x00" in data[:4] or _DECLARATION.search(data):
        raise JunitError("a report is UTF-8 without a document type")
    try:
        root = ElementTree.fromstring(data)  # noqa: S314 - entities are refused above
    except ElementTree.ParseError as error:
        raise JunitError(f"not XML: {error}") from error
    if _local(root.tag) not in ("testsuites", "testsuite"):
        raise JunitError(f"the root is <{_local(root.tag)}>, not <testsuites> or <testsuite>")
    tests = 0
    failures = []
    for suite, case in _cases(root, ""):
        tests += 1
        told = next((child for child in case if _local(child.tag) in ("failure", "error")), None)
        if told is not None:
            failures.append(_error(suite, case, told))
    return JunitReport(tests, tuple(failures))


def _cases(element: ElementTree.Element, suite: str) -> Iterator[tuple[str, ElementTree.Element]]:
    for child in element:
        if _local(child.tag) == "testcase":
            yield suite or element.get("name", ""), child
        elif _local(child.tag) == "testsuite":
            yield from _cases(child, child.get("name", suite))


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _error(suite: str, case: ElementTree.Element, told: ElementTree.Element) -> ExecutionError:
    name, of = case.get("name", ""), case.get("classname", "")
    file = case.get("file")
    text = (told.text or "").strip("\n")
    short = (told.get("message") or "").strip()
    if suite == "pytest" or (file or "").endswith(".py"):
        cut = _of_pytest(_node_id(of, name, file), text, short)
    elif _GO_TEST.fullmatch(name) and not (file or "").endswith((".java", ".kt", ".scala", ".php", ".cs")):
        cut = _of_go(name, text)
    else:
        cut = _plain(_test_name(of, name), told.get("type") or "", short, text, file)
    return ExecutionError(
        type=cut.type,
        message=cut.message[:MAX_MESSAGE] or "test failed",
        stacktrace=cut.stacktrace[:MAX_STACK] if cut.stacktrace else None,
        tool=cut.tool,
        test=cut.test,
        path=cut.path,
        line=cut.line,
    )


def _node_id(of: str, name: str, file: str | None) -> str:
    """`tests/test_x.py::TestClass::test_y`: the module is all of the class name up to its first part in capitals."""
    parts = of.split(".") if of else []
    classes = next((i for i, part in enumerate(parts) if part[:1].isupper()), len(parts))
    path = file or ("/".join(parts[:classes]) + ".py" if parts[:classes] else "")
    return "::".join([part for part in (path, *parts[classes:]) if part] + [name])


def _of_pytest(node: str, text: str, short: str) -> CutError:
    inside = node.partition("::")[2] or node
    title = inside.replace("::", ".")
    summary = short.split("\n")[0]
    output = (
        f"=== FAILURES ===\n{'_' * 10} {title} {'_' * 10}\n\n{text}\n"
        f"=== short test summary info ===\nFAILED {node} - {summary}\n=== 1 failed in 0.10s ===\n"
    )
    found = [error for error in cut_errors(output, "pytest")[0] if error.test]
    return found[0] if found else _plain(node, "", short, text, None, "pytest")


def _of_go(name: str, text: str) -> CutError:
    output = f"--- FAIL: {name} (0.00s)\n{text}\nFAIL\n"
    found = [error for error in cut_errors(output, "go test")[0] if error.test == name]
    return found[0] if found else _plain(name, "", "", text, None, "go test")


def _plain(test: str, kind: str, short: str, text: str, file: str | None, tool: str = "junit") -> CutError:
    """Type, message and stack as the attributes tell them."""
    message = next((line.strip() for line in (short or text).split("\n") if line.strip()), "test failed")
    named = _EXCEPTION.match(message)
    own = kind.rpartition(".")[2]
    known = _EXCEPTION.fullmatch(own)
    type_name = named["type"].rpartition(".")[2] if named else own if known else None
    if named:
        message = f"{type_name}{message[named.end() :]}"
    elif type_name:
        message = f"{type_name}: {message}"
    cut = cut_errors(text)[0] if text else []
    place = next((error for error in cut if error.path and error.type != GENERIC), None)
    return CutError(
        message,
        type=type_name,
        stacktrace=text or None,
        tool=tool,
        test=test,
        path=file or (place.path if place else None),
        line=place.line if place else None,
    )


def _test_name(of: str, name: str) -> str:
    last = of.rpartition(".")[2]
    if not of or of in name:
        return name
    return f"{last}.{name}" if last[:1].isupper() and " " not in of else f"{of} › {name}"
