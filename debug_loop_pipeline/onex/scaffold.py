"""`debug-loop new`: a unit of a kind from a sentence, complete but for what it does.

Here: what the sentence says, and the files made of it (`templates/`). What is written passes `onex check`, mypy and ruff as it
stands; its test fails and says what to fill in. Not here: asking the store (the command does), Dagster (`components`).
"""

from __future__ import annotations

import json
import keyword
import re
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from debug_loop_pipeline.compute.code.languages import UnsupportedLanguageError, language_named
from debug_loop_pipeline.errors import DebugLoopError
from debug_loop_pipeline.models.manifest import Manifest, ManifestFunction
from debug_loop_pipeline.onex.generated import GeneratedUnit, load_unit, write_contract
from debug_loop_pipeline.onex.units import Kind, snake_case

_OPERATIONS = re.compile(r"\boperations?\s*:\s*(?P<names>[^.]*)\.?\s*$", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_SMALL_WORDS = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "by",
        "for",
        "from",
        "how",
        "in",
        "into",
        "is",
        "it",
        "its",
        "of",
        "on",
        "or",
        "per",
        "that",
        "the",
        "their",
        "this",
        "to",
        "what",
        "when",
        "where",
        "which",
        "with",
    ]
)
_NAME_WORDS = 3
_LONGEST = 40
_LONGEST_OPERATION = 28
_UNION_WIDTH = 120 - 12 - 1
_TARGET_MS = {Kind.COMPUTE: 100, Kind.REDUCER: 100, Kind.EFFECT: 50, Kind.ORCHESTRATOR: 2_000}
_RESERVED = frozenset({"database", "handler", "models", "request", "self", "unit"})


class ScaffoldError(DebugLoopError):
    """A unit cannot be made of what was said."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a sentence asks for."""

    kind: Kind
    name: str
    """With the kind at its end."""
    purpose: str
    operations: tuple[str, ...]

    @property
    def slug(self) -> str:
        """Its folder's and package's name."""
        return snake_case(self.name)

    @property
    def base(self) -> str:
        """The name without its kind."""
        return self.name.removesuffix(self.kind.suffix)


def plan_unit(kind: Kind, sentence: str, name: str | None = None) -> Plan:
    """Read a sentence: a purpose, then `Operations:` and their names.

    Args:
        kind: of the unit.
        sentence: its purpose, then its operations; without any there is one, named after the purpose's first word.
        name: in place of one made of the purpose's first words, with or without `Node` and the kind.

    Raises:
        ScaffoldError: there is no purpose, or a name that Python or the convention does not allow.
    """
    # As it stands it goes into docstrings and texts of code: nothing in it may end or escape one.
    purpose = " ".join(sentence.split()).replace("\\", "/").replace('"', "'")
    listed = _OPERATIONS.search(purpose)
    if listed:
        purpose = purpose[: listed.start()].strip()
    words = _WORD.findall(purpose)
    if not words:
        raise ScaffoldError(
            'say what the unit is for, such as "Score how risky a change is. Operations: score, explain."'
        )
    if not purpose.endswith((".", "!", "?")):
        purpose += "."
    telling = [word for word in words if word.lower() not in _SMALL_WORDS] or words
    operations = re.split(r"[,;]|\band\b", listed["names"]) if listed else [telling[0]]
    names = tuple(dict.fromkeys(found for text in operations if (found := _operation_name(text))))
    if not names:
        raise ScaffoldError("name at least one operation after `Operations:`")
    base = name or "".join(word[:1].upper() + word[1:] for word in telling[:_NAME_WORDS])
    base = base.removeprefix("Node").removesuffix(kind.suffix)
    if not re.fullmatch(rf"[A-Z][A-Za-z0-9]{{0,{_LONGEST}}}", base):
        raise ScaffoldError(
            f"{base or name!r} is no name of a unit: letters and digits, the first one a capital, at most {_LONGEST}"
        )
    return Plan(kind, f"{base}{kind.suffix}", purpose, names)


def scaffold_unit(
    plan: Plan, folder: Path, *, package: str | None = None, graph: bool = False, manifest: Manifest | None = None
) -> GeneratedUnit:
    """Write a unit.

    Args:
        plan: what to write.
        folder: where its folder is made.
        package: name of that folder, where it is not the unit's.
        graph: write the `defs.yaml` that puts it into a Dagster graph.
        manifest: what the store knows of the like, put beside it as reference.

    Raises:
        ScaffoldError: the folder is there and holds something.
    """
    package = package or plan.slug
    target = folder / package
    if target.is_dir() and any(target.iterdir()):
        raise ScaffoldError(f"{target} is there already: choose another --name or --output")
    target.mkdir(parents=True, exist_ok=True)
    values = _values(plan, package)
    for file, template in _FILES.items():
        name = template.format(kind=plan.kind.value)
        (target / file.format(slug=plan.slug)).write_text(_render(name, values), encoding="utf-8")
    if graph:
        (target / "defs.yaml").write_text(_render("defs.yaml", values), encoding="utf-8")
    if manifest is not None:
        _write_reference(target, manifest, values)
    unit = load_unit(target)
    write_contract(unit)
    return unit


_FILES = {
    "__init__.py": "init.py",
    "conftest.py": "conftest.py",
    "models.py": "models.py",
    "handler.py": "{kind}.py",
    "unit.py": "unit.py",
    "test_{slug}.py": "test.py",
}


def _values(plan: Plan, package: str) -> dict[str, Any]:
    many = len(plan.operations) > 1
    operations = [
        {
            "name": name,
            "request": f"{_camel(name)}Request",
            "answer": f"{_camel(name)}Answer",
            "title": name.replace("_", " ").capitalize(),
        }
        for name in plan.operations
    ]
    request, answer = {
        Kind.REDUCER: (f"models.Reduce{plan.base}", f"Reduced{plan.base}"),
        Kind.ORCHESTRATOR: (f"models.{plan.base}Request", f"models.{plan.base}Answer"),
    }.get(
        plan.kind,
        (f"models.{plan.base}Request", f"models.{plan.base}Answer")
        if many
        else (f"models.{operations[0]['request']}", f"models.{operations[0]['answer']}"),
    )
    words = snake_case(plan.base).replace("_", " ")
    return {
        "answer": answer,
        "base": plan.base,
        "entry": plan.operations[0] if plan.kind is Kind.COMPUTE else plan.name,
        "kind": plan.kind.value,
        "many": many,
        "models": sorted(model for op in operations for model in (op["request"], op["answer"])),
        "name": plan.name,
        "node": f"Node{plan.name}",
        "operations": operations,
        "package": package,
        "purpose": plan.purpose,
        "request": request,
        "steps_text": ", ".join(plan.operations).capitalize(),
        "subject": snake_case(plan.base),
        "target_ms": _TARGET_MS[plan.kind],
        "todo": _todo(plan),
        "words": words,
    }


def _todo(plan: Plan) -> list[str]:
    what = {
        Kind.COMPUTE: "write the function of each operation in handler.py (pure: no I/O, clock or randomness)",
        Kind.EFFECT: "write the body of `work` of each operation in handler.py (SQL through the connection it is given)",
        Kind.REDUCER: "name the states in models.py, the ways between them in LEGAL_TRANSITIONS and _next of handler.py",
        Kind.ORCHESTRATOR: "write each step in handler.py: it hands the request to the unit that does it",
    }[plan.kind]
    return [
        "give the models in models.py the fields that the operations need",
        what,
        "put a request and its answer into EXAMPLES of this file, one for every operation",
        "bring the contract in line and check: debug-loop onex contracts --write --units <the folder above this one>",
    ]


def _write_reference(target: Path, manifest: Manifest, values: dict[str, Any]) -> None:
    folder = target / "reference"
    folder.mkdir()
    files = []
    for function in manifest.functions:
        # As text, so that nothing lints, imports or runs what came out of a transcript.
        file = folder / f"{_file_name(function)}.txt"
        file.write_text(function.code, encoding="utf-8")
        files.append(file.name)
    text = _render("reference.md", values | {"manifest": manifest, "files": files})
    (folder / "README.md").write_text(text, encoding="utf-8")


def _file_name(function: ManifestFunction) -> str:
    try:
        ending = language_named(function.language).extensions[0]
    except UnsupportedLanguageError:
        ending = ""
    stem = "_".join(_WORD.findall(function.name))[:_LONGEST] or "function"
    return f"{stem}_{function.stf_hash[:8]}{ending}"


def _operation_name(text: str) -> str:
    name = "_".join(word.lower() for word in _WORD.findall(snake_case(text.strip())))[:_LONGEST_OPERATION].strip("_")
    if name and (keyword.iskeyword(name) or name in _RESERVED):
        return f"{name}_it"
    return name


def _camel(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def _literal(value: str) -> str:
    """A text as ruff writes it, on as many lines as it needs."""
    lines = textwrap.wrap(value, 100, drop_whitespace=False)
    quoted = [json.dumps(line, ensure_ascii=False) for line in lines]
    return quoted[0] if len(quoted) == 1 else "(\n" + "".join(f"        {line}\n" for line in quoted) + "    )"


def _union(names: Iterable[str]) -> str:
    """A union as ruff writes it: on one line where it fits."""
    parts = list(names)
    text = " | ".join(parts)
    return text if len(text) <= _UNION_WIDTH else "\n            | ".join(parts)


def _render(template: str, values: dict[str, Any]) -> str:
    # No HTML is made here; what goes in is a name that was checked, or text inside of a docstring or a string.
    environment = Environment(  # noqa: S701
        loader=PackageLoader("debug_loop_pipeline.onex"), undefined=StrictUndefined, keep_trailing_newline=True
    )
    environment.filters["literal"] = _literal
    environment.filters["union"] = _union
    text = environment.get_template(f"{template}.jinja").render(**values)
    return re.sub(r"\n{4,}", "\n\n\n", text).rstrip() + "\n"
