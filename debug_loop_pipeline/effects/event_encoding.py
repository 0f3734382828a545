"""An execution event's content as canonical JSON: what the inbox stores and what its digest is of.

Not here: rows and tables (execution_store.py).
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import orjson
from pydantic import BaseModel

from debug_loop_pipeline.effects.copy_encoding import encode_json
from debug_loop_pipeline.models.execution import ExecutionEvent

_PROVENANCE = frozenset({"file", "sha256", "skipped"})
"""Of `source`: where an event was read is no part of its content; a moved or grown file tells the same work."""

_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS
_REQUIRED = object()


def event_json(event: ExecutionEvent) -> bytes:
    """The content of an event, the same bytes for the same content: JSON with sorted keys, without provenance and without
    fields at their defaults.

    pydantic's own encoder gives the same values and takes four times as long, most of it for comparing with defaults.
    """
    content = _stated(event)
    for name in ("source", "context"):
        if name in content:
            part = _stated(content[name])
            if name == "source":
                part = {key: value for key, value in part.items() if key not in _PROVENANCE}
            content[name] = part
            if not part:
                del content[name]
    try:
        return orjson.dumps(content, _stated, _OPTIONS)
    except TypeError:  # lone surrogates, or integers of more than 64 bits
        whole = event.model_dump(mode="json", exclude_defaults=True, exclude={"source": set(_PROVENANCE)})
        clean = json.loads(encode_json(whole))
        return json.dumps(clean, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def _stated(model: Any) -> dict[str, Any]:
    """The fields of a model that are not at their defaults."""
    if not isinstance(model, BaseModel):
        raise TypeError(f"a {type(model).__name__} has no form in JSON")
    defaults = _defaults(type(model))
    values = model.__dict__
    return {
        name: value
        for name in model.__pydantic_fields_set__  # a field that nobody set is at its default
        if (value := values[name]) is not (default := defaults[name]) and (default is None or value != default)
    }


@cache
def _defaults(model: type[BaseModel]) -> dict[str, Any]:
    return {
        name: _REQUIRED if field.is_required() else field.get_default(call_default_factory=True)
        for name, field in model.model_fields.items()
    }
