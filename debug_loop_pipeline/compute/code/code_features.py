"""What can be read off a function: its handling of errors and bad input, its types, its words, its complexity.

Facts for the extractor's confidence (DOMAIN 3.3) and the scorer's dimensions (3.5); no weights here.

An *edge-case guard* is a conditional that leaves the function early when a value is nothing, empty, out of bounds or of
the wrong type. In Go a test of an error against nil is error handling and no guard.
"""

# ruff: noqa: SIM905 - a list of words reads as words

from __future__ import annotations

import re
from dataclasses import dataclass

from tree_sitter import Node

from debug_loop_pipeline.compute.code.definitions import Definition, statements
from debug_loop_pipeline.compute.code.doc_comments import comment_text, has_typed_tags, typed_tags
from debug_loop_pipeline.compute.code.languages import follows_naming, is_validator
from debug_loop_pipeline.compute.code.signatures import parameters_of, return_type_of
from debug_loop_pipeline.compute.code.source_tree import SourceTree, captures, leaves
from debug_loop_pipeline.models.stf import StfKind, StfParameter

_EQUALITY = frozenset({"==", "!=", "===", "!=="})
_LITERAL_KINDS = frozenset(
    "integer float number int_literal float_literal string_start string_fragment interpreted_string_literal_content "
    "none null undefined nil true false \" ' ` [ {".split()
)
_IDENTIFIERS = frozenset({"identifier", "shorthand_property_identifier"})
_BOUND_ELSEWHERE = frozenset({"self", "cls", "this", "_"})
_MODEL_BASES = re.compile(r"\b(?:BaseModel|TypedDict|NamedTuple|RootModel|Struct)\b")
_MODEL_DECORATORS = re.compile(r"@(?:[\w.]+\.)?(?:dataclass|define|frozen|attrs|attr\.s)\b")
_VALIDATING_DECORATORS = re.compile(
    r"@(?:[\w.]+\.)?(?:field_validator|model_validator|validator|root_validator|validate_call|validate_arguments"
    r"|validate\w*|beartype|typechecked)\b"
)
_WORD = re.compile(r"[A-Za-z_$][\w$]*")
_GO_TYPE_WORDS = frozenset({"map", "chan", "func", "struct", "interface"})


@dataclass(frozen=True, slots=True)
class CodeFeatures:
    """The facts about one definition."""

    parameters: tuple[StfParameter, ...]
    return_type: str | None
    is_async: bool
    trivial: bool
    """Nothing in the body but a placeholder."""
    obsolete: bool
    """Written in a form the language no longer has."""
    has_types: bool
    fully_typed: bool
    """Every parameter and the result."""
    uses_models: bool
    """Declared types, not only built-in ones, come in or go out."""
    handles_errors: bool
    guards: bool
    validates: bool
    well_named: bool
    commented: bool
    """At least one comment inside, for readers."""
    cyclomatic: int


def is_trivial(source: SourceTree, definition: Definition) -> bool:
    """Whether a body is a placeholder: nothing, a docstring alone, pass, `...`, "not implemented"."""
    body = [statement for statement in statements(definition.body) if not _is_docstring(source, statement)]
    if definition.kind is StfKind.CLASS:
        return not body
    placeholder = source.spec.empty_statement
    return all(placeholder.match(source.text(statement).rstrip("; \t")) for statement in body)


def code_features(source: SourceTree, definition: Definition) -> CodeFeatures:
    """Read all facts about a definition."""
    found = captures(source.grammar.features, definition.node)
    parameters = parameters_of(source, definition.core)
    return_type = return_type_of(source, definition.core)
    names = _input_names(parameters)
    handled = found.get("handles", [])
    conditionals = [
        _Conditional(source, node, handled) for node in found.get("if", ()) if not _is_last_word(node, definition)
    ]
    decorators = "\n".join(source.text(child) for child in definition.node.named_children if child.type == "decorator")
    asserts = [node for node in found.get("assert", ()) if _mentions(source, node, names)]
    comments = [node for node in found.get("comment", ()) if _speaks(source, node)]
    return CodeFeatures(
        parameters=parameters,
        return_type=return_type,
        is_async=any(child.type == "async" for child in definition.core.children),
        trivial=is_trivial(source, definition),
        obsolete=bool(found.get("obsolete")),
        has_types=_has_types(source, definition, parameters, return_type),
        fully_typed=_fully_typed(source, definition, parameters, return_type),
        uses_models=_uses_models(source, definition, decorators, parameters, return_type),
        handles_errors=bool(handled),
        guards=any(one.is_guard for one in conditionals),
        validates=bool(asserts)
        or bool(_VALIDATING_DECORATORS.search(decorators))
        or any(one.rejects(names) for one in conditionals)
        or any(_validates(source, call, names) for call in found.get("call", ())),
        well_named=_well_named(source, definition, markup=bool(found.get("markup"))),
        commented=bool(comments),
        cyclomatic=1 + len(found.get("branch", ())),
    )


class _Conditional:
    """One `if`, looked at as a guard."""

    def __init__(self, source: SourceTree, node: Node, handled: list[Node]) -> None:
        self.source = source
        self.condition = node.child_by_field_name("condition")
        last = self._last_statement(node.child_by_field_name("consequence"))
        self.exit = source.text(last) if last is not None else ""
        self.leaves = list(leaves(self.condition)) if self.condition is not None else []
        self.tests_error = self.condition is not None and any(
            self.condition.start_byte <= one.start_byte and one.end_byte <= self.condition.end_byte for one in handled
        )

    @property
    def is_guard(self) -> bool:
        """Leaves early because a value is nothing, empty, out of bounds or of the wrong type."""
        if self.tests_error or not self.source.spec.exit_statement.match(self.exit):
            return False
        words = {self.source.text(leaf) for leaf in self.leaves} & self.source.spec.guard_words
        if words <= _EQUALITY:
            return bool(words) and any(leaf.type in _LITERAL_KINDS for leaf in self.leaves)
        return True

    def rejects(self, names: frozenset[str]) -> bool:
        """Tells the caller that an input is wrong."""
        if self.tests_error or not self._mentions(names):
            return False
        texts = {self.source.text(leaf) for leaf in self.leaves}
        type_guard = bool(texts & {"isinstance", "instanceof", "typeof"}) and self.is_guard
        return type_guard or bool(self.source.spec.rejecting_exit.match(self.exit))

    def _mentions(self, names: frozenset[str]) -> bool:
        return any(leaf.type in _IDENTIFIERS and self.source.text(leaf) in names for leaf in self.leaves)

    @staticmethod
    def _last_statement(consequence: Node | None) -> Node | None:
        inner = statements(consequence)
        return inner[-1] if inner else None


def _is_docstring(source: SourceTree, statement: Node) -> bool:
    if source.spec.name != "python" or statement.type != "expression_statement":
        return False
    only = statement.named_child(0) if statement.named_child_count == 1 else None
    return only is not None and only.type in ("string", "concatenated_string")


def _is_last_word(node: Node, definition: Definition) -> bool:
    """An `if` that ends the function and has no else leaves it no earlier than it would end anyway."""
    if node.child_by_field_name("alternative") is not None:
        return False
    body = statements(definition.body)
    return bool(body) and body[-1].id == node.id


def _input_names(parameters: tuple[StfParameter, ...]) -> frozenset[str]:
    return frozenset(word for one in parameters for word in _WORD.findall(one.name)) - _BOUND_ELSEWHERE


def _mentions(source: SourceTree, node: Node, names: frozenset[str]) -> bool:
    return any(leaf.type in _IDENTIFIERS and source.text(leaf) in names for leaf in leaves(node))


def _validates(source: SourceTree, call: Node, names: frozenset[str]) -> bool:
    callee, arguments = call.child_by_field_name("function"), call.child_by_field_name("arguments")
    if callee is None or arguments is None or callee.end_byte - callee.start_byte > 200:
        return False
    return is_validator(source.text(callee)) and _mentions(source, arguments, names)


def _speaks(source: SourceTree, comment: Node) -> bool:
    raw = source.text(comment)
    text = comment_text(source.spec, raw)
    return bool(text) and not raw.startswith("/**") and not source.spec.directive_comment.match(text)


def _typeable(definition: Definition, parameters: tuple[StfParameter, ...]) -> tuple[StfParameter, ...]:
    """Parameters a type can be asked of: not the instance of a method."""
    is_method = definition.kind is StfKind.METHOD
    if parameters and parameters[0].name in ("self", "cls", "mcs") and (is_method or parameters[0].type is None):
        return parameters[1:]
    return parameters


def _has_types(
    source: SourceTree, definition: Definition, parameters: tuple[StfParameter, ...], return_type: str | None
) -> bool:
    if source.spec.always_typed or return_type is not None or any(one.type for one in parameters):
        return True
    return source.spec.name == "javascript" and has_typed_tags(definition.doc or "")


def _fully_typed(
    source: SourceTree, definition: Definition, parameters: tuple[StfParameter, ...], return_type: str | None
) -> bool:
    if source.spec.always_typed:
        return True
    asked = _typeable(definition, parameters)
    if source.spec.name == "javascript":
        typed, returns = typed_tags(definition.doc or "")
        return returns and all(set(_WORD.findall(one.name)) & typed for one in asked)
    needs_result = definition.name not in ("__init__", "constructor") and not _is_setter(definition.core)
    return all(one.type for one in asked) and (return_type is not None or not needs_result)


def _is_setter(core: Node) -> bool:
    return any(child.type == "set" for child in core.children)


def _uses_models(
    source: SourceTree,
    definition: Definition,
    decorators: str,
    parameters: tuple[StfParameter, ...],
    return_type: str | None,
) -> bool:
    if definition.kind is StfKind.CLASS:
        bases = definition.core.child_by_field_name("superclasses")
        return bool(_MODEL_DECORATORS.search(decorators)) or (
            bases is not None and bool(_MODEL_BASES.search(source.text(bases)))
        )
    spec = source.spec
    text = ",".join([one.type or "" for one in parameters] + [return_type or ""])
    if spec.name == "javascript":
        text = " ".join(re.findall(r"@(?:param|arg|argument|returns?)\s*\{([^}]*)\}", definition.doc or ""))
    if spec.name == "go":
        return any(word not in spec.builtins and word not in _GO_TYPE_WORDS for word in _go_type_names(text))
    return any(word[0].isupper() and word not in spec.plain_types for word in _WORD.findall(text))


def _go_type_names(text: str) -> list[str]:
    """Type names of a parameter or result list: the last word of each part, its package left out."""
    return [words[-1] for part in text.replace("(", ",").replace(")", ",").split(",") if (words := _WORD.findall(part))]


def _well_named(source: SourceTree, definition: Definition, *, markup: bool) -> bool:
    if definition.kind is StfKind.CLASS:
        return bool(re.match(r"^_*[A-Z][A-Za-z0-9]*$", definition.name))
    return definition.name != "default" and follows_naming(source.spec, definition.name, markup=markup)
