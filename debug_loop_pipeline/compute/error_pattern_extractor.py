"""ErrorPatternExtractorCompute: error text -> pattern, slots, type, category, origin, signatures (DOMAIN 3.7).

Here: which line of a text matters and what follows from it. Not here: replacing that line's variable parts
(`error_normaliser`), cutting errors out of an output (`error_cutting`). Every text is bounded before a regex sees it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from debug_loop_pipeline.compute.errors.error_category_rules import CATEGORY_RULES, ORIGIN_RULES
from debug_loop_pipeline.compute.errors.error_normaliser import MAX_HEADLINE, normalise
from debug_loop_pipeline.compute.errors.error_pattern_rules import (
    ANYWHERE_TYPE,
    CONTINUATIONS,
    FAILURE_WORDS,
    GO_TEST,
    GO_TEST_LINE,
    GO_TESTIFY,
    HEADLINE_FORMS,
    LABEL_PREFIX,
    LOCATION,
    LOG_PREFIX,
    RULE_NAMED,
    RULES_VERSION,
    STARTING_TYPE,
)
from debug_loop_pipeline.compute.errors.stack_frames import in_app_frames, is_foreign
from debug_loop_pipeline.models.base import Origin
from debug_loop_pipeline.models.errors import ErrorCategory, ErrorPattern, Slot

CODE_VERSION = f"error-pattern-{RULES_VERSION}"

MAX_TEXT = 16_000
"""Characters of a message or stack that are read: its first and last half; the telling line stands at an end."""
MAX_PATTERN = 1_000
MAX_PASSES = 8
MAX_STACK_FUNCTIONS = 5
MAX_FILES = 20

_ANSI = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]{0,200}(?:\x07|\x1b\\))")
_TRACEBACK = "Traceback (most recent call last)"
_TRACEBACK_LINE = re.compile(r"^(?P<type>[A-Za-z_][\w.]*)(?:: ?(?P<message>.*))?$")
_PATH_POSITION = re.compile(LOCATION)
_NODE_FILE = re.compile(r"[\w./\\-]+\.\w{1,5}(?=::)")
_SAYS_NOTHING = re.compile(
    r"(?i)no message|(?:command |process |script )?(?:failed|exit(?:ed)?)(?: with)?"
    r"(?: (?:exit )?(?:status|code):? \d+)?\.?"
)
_NO_TYPES = frozenset({"error", "ERROR", "failure", "Failure", "fail", "FAIL", "unknown"})
_AGENT_CATEGORIES = frozenset(
    {
        ErrorCategory.TEST_FAILURE,
        ErrorCategory.LINT_ERROR,
        ErrorCategory.BUILD_ERROR,
        ErrorCategory.SYNTAX_ERROR,
        ErrorCategory.IMPORT_ERROR,
    }
)


def extract_error_pattern(
    message: str,
    *,
    error_type: str | None = None,
    stacktrace: str | None = None,
    tool: str | None = None,
    test: str | None = None,
    path: str | None = None,
    exit_code: int | None = None,
    origin: Origin | None = None,
    context: str | None = None,
) -> ErrorPattern:
    """Normalise one error.

    Args:
        message: the error as the tool printed it; a whole traceback or test block is fine. At most `MAX_TEXT`
            characters are read.
        error_type: exception class or error code, where the source knows it.
        stacktrace: the stack, where it is apart from the message.
        tool: runner, compiler or linter that said it.
        test: the failing test; context, never part of the pattern.
        path: file that the source names for it.
        exit_code: exit status, the message of last resort.
        origin: what caused it, where the source knows; told from the text otherwise.
        context: anything else known about where it happened (command, working directory).

    Returns:
        The pattern. `extract_error_pattern(p.pattern).pattern == p.pattern` for every result `p`.
    """
    text = _bounded(message)
    read = _read(text, _short_type(error_type), tool, exit_code)
    pattern, slots = read.pattern, read.slots
    for _ in range(MAX_PASSES):
        if pattern == text and error_type is None:
            break
        # What stands beside a placeholder can read differently than what stood beside its value: until nothing changes.
        again = _read(pattern, None, None, None)
        if again.pattern == pattern:
            break
        pattern, slots = again.pattern, slots + again.slots
    type_, headline, stack = read.error_type, read.headline, _bounded(stacktrace) if stacktrace else read.stack
    named_test = read.test
    category = _category(type_, headline, tool, test or named_test)
    return ErrorPattern(
        pattern=pattern,
        slots=slots,
        error_type=type_,
        category=category,
        origin=origin or _origin(headline, type_, category, test or named_test),
        signature=hashlib.sha256(pattern.encode("utf-8", "replace")).hexdigest(),
        stack_signature=_stack_signature(type_, stack),
        confidence=round(
            0.5
            + (0.3 if type_ is not None else 0.0)
            + (0.1 if stack else 0.0)
            + (0.1 if any((tool, test, path, context)) else 0.0),
            2,
        ),
        files=_files(text, stack, path, test or named_test),
        test=test or named_test,
    )


@dataclass(frozen=True, slots=True)
class _Read:
    """One reading of a text."""

    pattern: str
    slots: tuple[Slot, ...]
    error_type: str | None
    headline: str
    test: str | None
    stack: str


def _read(text: str, given: str | None, tool: str | None, exit_code: int | None) -> _Read:
    type_, headline, test, stack = _headline(text)
    headline = headline[:MAX_HEADLINE]
    if type_ is None and given is None:
        if not headline.strip():
            headline = f"exit status {exit_code}" if exit_code is not None else "no message"
        if tool and _SAYS_NOTHING.fullmatch(headline):
            headline = f"{tool}: {headline}"  # two tools that both say no more than this failed differently
    named = False
    if given is not None and given != type_:
        if type_ is not None:
            # What the source calls it decides; what the text calls itself is part of what was said.
            headline = f"{type_}: {headline}" if headline else type_
        headline = re.sub(rf"^(?:[\w.]+\.)?{re.escape(given)}(?:: |$)", "", headline)
        # A linter's rule that stands in the message anyway (`F831 duplicate argument`) is not put before it again.
        rule = STARTING_TYPE.fullmatch(given) is None
        named = rule and re.search(rf"(?<![\w.-]){re.escape(given)}(?![\w-])", headline) is not None
        type_ = given
    pattern, slots = normalise(headline)
    if type_ is None:
        anywhere = ANYWHERE_TYPE.search(headline)
        own_rule = RULE_NAMED.search(headline)
        if anywhere:
            type_ = _short_type(anywhere["type"])
        elif own_rule:
            type_ = own_rule["type"] or own_rule["type2"]
    elif not named:
        pattern = f"{type_}: {pattern}" if pattern else type_
    return _Read(_cut(pattern), slots, type_, headline, test, stack)


def _bounded(text: str) -> str:
    if len(text) > MAX_TEXT:
        half = MAX_TEXT // 2
        text = f"{text[:half]}\n{text[-half:]}"
    if "\x1b" in text:
        text = _ANSI.sub("", text)
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "�")


def _short_type(error_type: str | None) -> str | None:
    name = (error_type or "").strip().rstrip(":")
    if not name or len(name) > 200 or name in _NO_TYPES:
        return None
    name = " ".join(name.split())
    last = re.split(r"\.|::", name)[-1] if re.fullmatch(r"[\w.:]+", name) else name
    return name if last in ("error", "timeout") else last  # `struct.error` is told by its module


def _headline(text: str) -> tuple[str | None, str, str | None, str]:
    """(type, message without the type, test, stack) of the line that matters."""
    stack = text if holds_stack(text) else ""
    test: str | None = None
    type_: str | None = None
    message = text
    start = text.rfind(_TRACEBACK)
    if start >= 0:
        found = _traceback_end(text[start:])
        if found is not None:
            return (*found, None, stack)
    for _ in range(4):
        lines = [line.strip() for line in message.split("\n") if line.strip()]
        if not lines:
            return type_, "", test, stack
        if type_ is None:
            typed = _starting_type(LABEL_PREFIX.sub("", LOG_PREFIX.sub("", lines[0])))
            if typed:
                return typed[0], _continued(typed[1], lines[1:]), test, stack
        form = _go_test(message) or _first_form(message)
        if form is None:
            break
        found_type, found_test, message = form
        type_, test = type_ or found_type, test or found_test
        if found_type is not None:
            break
    lines = [line.strip() for line in message.split("\n") if line.strip()]
    if not lines:
        return type_, "test failed" if test and type_ is None else "", test, stack
    head, rest = lines[0], lines[1:]
    if type_ is None and len(lines) > 1:
        for i, line in enumerate(lines):
            typed = _starting_type(line)
            if typed:
                return typed[0], _continued(typed[1], lines[i + 1 :]), test, stack
    head = LABEL_PREFIX.sub("", LOG_PREFIX.sub("", head))
    if type_ is None and head.startswith("assert "):
        type_ = "AssertionError"
    return type_, _continued(head, rest), test, stack


def _starting_type(line: str) -> tuple[str | None, str] | None:
    """(type, message) of a line that begins with its type; of `Error: KeyError: 'k'` the one that says more."""
    typed = STARTING_TYPE.fullmatch(line)
    if typed is None:
        return None
    type_, message = typed["code"] or _short_type(typed["type"]), typed["message"] or ""
    inner = STARTING_TYPE.fullmatch(message) if type_ in ("Error", "Exception") and message else None
    if inner is not None and inner["message"]:
        return inner["code"] or _short_type(inner["type"]), inner["message"]
    return type_, message


def holds_stack(text: str) -> bool:
    """Whether the text holds a stack trace."""
    return _TRACEBACK in text or "\n    at " in text or "\ngoroutine " in text or '\n  File "' in text


def _traceback_end(block: str) -> tuple[str | None, str] | None:
    lines = block.split("\n")[1:]
    for i, line in enumerate(lines):
        if line and not line[0].isspace():
            match = _TRACEBACK_LINE.match(line)
            if match:
                rest = [x.strip() for x in lines[i + 1 :] if x.strip()]
                return _short_type(match["type"]), _continued(match["message"] or "", rest)
            if not line.startswith(("|", "+", "During", "The above")):
                return None
    return None


def _go_test(text: str) -> tuple[str | None, str, str] | None:
    matches = list(GO_TEST.finditer(text))
    if not matches:
        return None
    leaf = max(matches, key=lambda m: (m["test"].count("/"), -m.start()))
    block = text[leaf.end() :]
    testify = GO_TESTIFY.search(block)
    if testify:
        return None, leaf["test"], testify["message"]
    panic = re.search(r"^panic: .*$", block, re.MULTILINE)
    if panic:
        return None, leaf["test"], panic.group()
    said = [m["message"] for m in GO_TEST_LINE.finditer(block) if m["message"].strip()]
    complaints = [line for line in said if FAILURE_WORDS.search(line)]
    rest = [
        line
        for line in block.split("\n")
        if line.strip() and not line.lstrip().startswith(("---", "===", "FAIL", "ok "))
    ]
    return None, leaf["test"], (complaints or said or rest or [""])[-1]


def _first_form(text: str) -> tuple[str | None, str | None, str] | None:
    for form in HEADLINE_FORMS:
        match = form.regex.search(text)
        if match:
            groups = match.groupdict()
            message = groups.get("message") or ""
            rest = text[match.end() :] if message else ""
            return (
                form.error_type or _short_type(groups.get("type")),
                groups.get("test"),
                f"{message}\n{rest}".strip("\n"),
            )
    return None


def _continued(head: str, rest: Sequence[str]) -> str:
    for rule in CONTINUATIONS:
        if rule.headline.search(head):
            more = [line for line in rest if rule.line.search(line)][: rule.limit]
            return " ".join([head, *more])
    return head


def _cut(pattern: str) -> str:
    if len(pattern) <= MAX_PATTERN:
        return pattern
    cut = pattern[:MAX_PATTERN]
    return cut[: cut.rfind(" ")] if " " in cut else cut


def _category(type_: str | None, headline: str, tool: str | None, test: str | None) -> ErrorCategory:
    for rule in CATEGORY_RULES:
        if rule.error_type is not None and (type_ is None or not rule.error_type.search(type_)):
            continue
        if rule.text is not None and not rule.text.search(headline):
            continue
        if rule.tool is not None and (tool is None or not rule.tool.search(tool)):
            continue
        return rule.category
    if test:
        return ErrorCategory.TEST_FAILURE
    is_class = type_ is not None and type_[0].isupper() and not type_.isupper()
    return ErrorCategory.RUNTIME_ERROR if is_class else ErrorCategory.UNKNOWN


def _origin(headline: str, type_: str | None, category: ErrorCategory, test: str | None) -> Origin:
    if test is None and category not in _AGENT_CATEGORIES:
        said = f"{type_}: {headline}" if type_ else headline
        for rule in ORIGIN_RULES:
            if rule.regex.search(said):
                return rule.origin
    return Origin.AGENT_ACTION


def _stack_signature(type_: str | None, stack: str) -> str | None:
    functions = (
        [frame.function for frame in in_app_frames(stack) if frame.function][:MAX_STACK_FUNCTIONS] if stack else []
    )
    if not functions:
        return None
    return hashlib.sha256("\x1f".join([type_ or "", *functions]).encode("utf-8", "replace")).hexdigest()


def _files(text: str, stack: str, path: str | None, test: str | None) -> tuple[str, ...]:
    found: dict[str, None] = {}
    if path:
        found[path] = None
    for frame in in_app_frames(stack) if stack else ():
        found.setdefault(frame.file)
    for match in _PATH_POSITION.finditer(text[:MAX_TEXT]):
        if not is_foreign(match["path"]):
            found.setdefault(match["path"])
    node = _NODE_FILE.match(test) if test else None
    if node:
        found.setdefault(node.group())
    return tuple(found)[:MAX_FILES]
