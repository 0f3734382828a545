"""What a function takes and gives, as its signature says (DOMAIN 3.3).

Here: parameters and return types of the four languages as text. Not here: whether they are good.
"""

from __future__ import annotations

from tree_sitter import Node

from debug_loop_pipeline.compute.code.source_tree import SourceTree
from debug_loop_pipeline.models.stf import StfParameter

_SEPARATORS = frozenset({"positional_separator", "keyword_separator", "comment"})


def parameters_of(source: SourceTree, core: Node) -> tuple[StfParameter, ...]:
    """The parameters of a function in order; a receiver is none."""
    single = core.child_by_field_name("parameter")
    if single is not None:
        return (StfParameter(name=source.text(single)),)
    listed = core.child_by_field_name("parameters")
    if listed is None:
        return ()
    found: list[StfParameter] = []
    for node in listed.named_children:
        if node.type not in _SEPARATORS and source.text(node) not in ("*", "/"):
            found += _go_parameters(source, node) if source.spec.name == "go" else [_parameter(source, node)]
    return tuple(found)


def return_type_of(source: SourceTree, core: Node) -> str | None:
    """The declared type of the result, None where there is none."""
    node = core.child_by_field_name("return_type") or core.child_by_field_name("result")
    return source.text(node).lstrip(":").strip() or None if node is not None else None


def _go_parameters(source: SourceTree, node: Node) -> list[StfParameter]:
    type_node = node.child_by_field_name("type")
    kind = source.text(type_node) if type_node is not None else None
    if node.type == "variadic_parameter_declaration" and kind is not None:
        kind = "..." + kind
    names = [source.text(name) for name in node.children_by_field_name("name")] or ["_"]
    return [StfParameter(name=name, type=kind) for name in names]


def _parameter(source: SourceTree, node: Node) -> StfParameter:
    name = node.child_by_field_name("name") or node.child_by_field_name("pattern") or node.child_by_field_name("left")
    if name is None:
        name = node.named_child(0) if node.type == "typed_parameter" else node
    type_node = node.child_by_field_name("type")
    default = node.child_by_field_name("value") or node.child_by_field_name("right")
    return StfParameter(
        name=source.text(name) if name is not None else source.text(node),
        type=source.text(type_node).lstrip(":").strip() if type_node is not None else None,
        default=source.text(default) if default is not None else None,
    )
