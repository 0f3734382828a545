"""DebugSTFExtractorCompute: the reusable functions in the code an attempt wrote (DOMAIN 3.3).

confidence = 0.30 function definition + 0.20 docstring or doc comment + 0.20 type hints + 0.15 error handling
           + 0.15 if 10 <= lines <= 100

Here: choosing and describing candidates. Not here: hashing, scoring, storing them. A file that cannot be read costs one
error record.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from debug_loop_pipeline.compute.code.code_features import CodeFeatures, code_features, is_trivial
from debug_loop_pipeline.compute.code.definitions import Definition, definition_code, outline
from debug_loop_pipeline.compute.code.doc_comments import docstring_statement, docstring_value, summary
from debug_loop_pipeline.compute.code.edited_lines import edited_rows
from debug_loop_pipeline.compute.code.import_statements import imported_names
from debug_loop_pipeline.compute.code.languages import language_of
from debug_loop_pipeline.compute.code.name_scopes import resolve_names
from debug_loop_pipeline.compute.code.source_tree import MAX_BYTES, MAX_DEPTH, SourceError, SourceTree, parse_source
from debug_loop_pipeline.models.execution import CodeBlob, Edit
from debug_loop_pipeline.models.stf import StfCandidate, StfKind
from debug_loop_pipeline.text import NAME_CHARS

EXTRACTOR_VERSION = "1"
REDACTION_MARK = "<REDACTED"

WEIGHT_FUNCTION = 0.30
WEIGHT_DOCSTRING = 0.20
WEIGHT_TYPES = 0.20
WEIGHT_ERRORS = 0.15
WEIGHT_LENGTH = 0.15
GOOD_LENGTH = (10, 100)


@dataclass(frozen=True, slots=True)
class ExtractionOptions:
    """What is looked for."""

    min_lines: int = 5
    max_lines: int = 500
    min_confidence: float = 0.5
    functions_required: bool = True
    """Off: a file without any function is a candidate as a whole."""
    classes: bool = False
    """On: outermost classes are candidates too, beside their methods."""
    max_bytes: int = MAX_BYTES
    max_depth: int = MAX_DEPTH


@dataclass(frozen=True, slots=True)
class ExtractionError:
    """One file that could not be read."""

    path: str
    language: str
    kind: str
    """too_large, too_deep or malformed."""
    message: str


@dataclass(frozen=True, slots=True)
class ExtractionResult:
    """What was found."""

    candidates: tuple[StfCandidate, ...] = ()
    """Best first, so the first is the primary."""
    errors: tuple[ExtractionError, ...] = ()
    skipped: Mapping[str, int] = field(default_factory=dict)
    """Definitions (and files of other languages) passed over, by reason."""

    @property
    def primary(self) -> StfCandidate | None:
        """The best candidate, if any."""
        return self.candidates[0] if self.candidates else None


def extract_stfs(
    blobs: Iterable[CodeBlob], options: ExtractionOptions | None = None, *, edits: Sequence[Edit] = ()
) -> ExtractionResult:
    """Find the candidate STFs in the files an attempt wrote.

    Args:
        blobs: the files as they stood after the attempt.
        options: what is looked for.
        edits: the attempt's edits. In a file that has any, only functions with an edited line are its work; without
            edits the whole file is.

    Returns:
        Candidates with confidence >= `min_confidence`, best first, ties by path, then line; one error per unreadable
        file.
    """
    options = options or ExtractionOptions()
    skipped: Counter[str] = Counter()
    errors: list[ExtractionError] = []
    found: dict[tuple[str, int, str], StfCandidate] = {}
    for blob in blobs:
        spec = language_of(blob.path, blob.language)
        if spec is None:
            skipped["other language"] += 1
            continue
        try:
            source = parse_source(blob.content, spec, max_bytes=options.max_bytes, max_depth=options.max_depth)
        except SourceError as err:
            errors.append(ExtractionError(blob.path, spec.name, err.kind, str(err)))
            continue
        rows = edited_rows(source.code.decode(), [edit for edit in edits if edit.path == blob.path])
        for candidate in _candidates(source, blob.path, rows, options, skipped):
            found.setdefault((candidate.path, candidate.start_line, candidate.code), candidate)
    ranked = sorted(found.values(), key=lambda one: (-one.confidence, one.path, one.start_line, one.end_line, one.name))
    primary = tuple(one.model_copy(update={"is_primary": True}) for one in ranked[:1])
    return ExtractionResult(primary + tuple(ranked[1:]), tuple(errors), dict(skipped))


def confidence_of(*, is_function: bool, has_doc: bool, has_types: bool, handles_errors: bool, lines: int) -> float:
    """The confidence formula of DOMAIN 3.3."""
    return round(
        WEIGHT_FUNCTION * is_function
        + WEIGHT_DOCSTRING * has_doc
        + WEIGHT_TYPES * has_types
        + WEIGHT_ERRORS * handles_errors
        + WEIGHT_LENGTH * (GOOD_LENGTH[0] <= lines <= GOOD_LENGTH[1]),
        4,
    )


def _candidates(
    source: SourceTree, path: str, rows: frozenset[int] | None, options: ExtractionOptions, skipped: Counter[str]
) -> Iterator[StfCandidate]:
    found = outline(source, classes=options.classes)
    if not found.definitions and not options.functions_required:
        yield from _whole_file(source, path, options, skipped)
        return
    imports: dict[str, tuple[str, ...]] | None = None
    for definition in found.definitions:
        reason = _reason_to_skip(source, definition, rows, options)
        if reason is not None:
            skipped[reason] += 1
            continue
        features = code_features(source, definition)
        if features.obsolete:
            skipped["syntax error"] += 1
            continue
        confidence = confidence_of(
            is_function=_has_function(definition),
            has_doc=definition.doc is not None,
            has_types=features.has_types,
            handles_errors=features.handles_errors,
            lines=_line_count(definition),
        )
        if confidence < options.min_confidence:
            skipped["low confidence"] += 1
            continue
        imports = imported_names(source, found.imports) if imports is None else imports
        yield _describe(source, path, definition, features, confidence, imports)


def _reason_to_skip(
    source: SourceTree, definition: Definition, rows: frozenset[int] | None, options: ExtractionOptions
) -> str | None:
    first, last = _rows(definition)
    if rows is not None and not any(first <= row <= last for row in rows):
        return "not edited"
    lines = _line_count(definition)
    if lines < options.min_lines:
        return "too short"
    if lines > options.max_lines:
        return "too long"
    if len(definition.name) > NAME_CHARS:
        return "name too long"
    if definition.is_test:
        return "test"
    if definition.node.has_error:
        return "syntax error"
    return "trivial" if is_trivial(source, definition) else None


def _describe(
    source: SourceTree,
    path: str,
    definition: Definition,
    features: CodeFeatures,
    confidence: float,
    imports: Mapping[str, tuple[str, ...]],
) -> StfCandidate:
    code = definition_code(source, definition)
    names = resolve_names(source, [definition.node]).unresolved
    needed = dict.fromkeys(statement for name in names for statement in imports.get(name, ()))
    free = tuple(name for name in names if name not in imports and name != definition.name)
    first, last = _rows(definition)
    return StfCandidate(
        name=definition.name,
        kind=definition.kind,
        owner=definition.owner,
        language=source.spec.name,
        path=path,
        code=code,
        start_line=first + 1,
        end_line=last + 1,
        lines=_line_count(definition),
        confidence=confidence,
        parameters=features.parameters,
        return_type=features.return_type,
        complexity=features.cyclomatic,
        docstring_summary=summary(definition.doc) if definition.doc else None,
        imports=tuple(needed),
        free_names=free,
        self_contained=not free,
        is_async=features.is_async,
        has_docstring=definition.doc is not None,
        has_type_hints=features.has_types,
        has_error_handling=features.handles_errors,
        redacted=REDACTION_MARK in code,
    )


def _whole_file(
    source: SourceTree, path: str, options: ExtractionOptions, skipped: Counter[str]
) -> Iterator[StfCandidate]:
    """A file without functions as one candidate, for those who ask for it."""
    code = source.code.decode().strip("\n")
    lines = code.count("\n") + 1
    if source.has_error or not options.min_lines <= lines <= options.max_lines:
        skipped["syntax error" if source.has_error else "too short" if lines < options.min_lines else "too long"] += 1
        return
    statement = docstring_statement(source.root) if source.spec.name == "python" else None
    doc = docstring_value(source.code, statement) if statement is not None else ""
    confidence = confidence_of(
        is_function=False,
        has_doc=bool(doc),
        has_types=source.spec.always_typed,
        handles_errors=False,
        lines=lines,
    )
    if confidence < options.min_confidence:
        skipped["low confidence"] += 1
        return
    free = resolve_names(source).unresolved
    yield StfCandidate(
        name=PurePosixPath(path).stem or "module",
        kind=StfKind.MODULE,
        language=source.spec.name,
        path=path,
        code=code,
        start_line=1,
        end_line=lines,
        lines=lines,
        confidence=confidence,
        docstring_summary=summary(doc) if doc else None,
        free_names=free,
        self_contained=not free,
        has_docstring=bool(doc),
        redacted=REDACTION_MARK in code,
    )


def _has_function(definition: Definition) -> bool:
    if definition.kind is not StfKind.CLASS:
        return True
    body = definition.body
    return body is not None and any(
        "function" in child.type or "method" in child.type or child.type == "decorated_definition"
        for child in body.named_children
    )


def _rows(definition: Definition) -> tuple[int, int]:
    """First and last row, 0-based, doc comment included."""
    first = definition.comment.first if definition.comment is not None else definition.first
    return first.start_point[0], definition.node.end_point[0]


def _line_count(definition: Definition) -> int:
    return definition.node.end_point[0] - definition.first.start_point[0] + 1
