"""Building boundary models from values that are already of the right type, as fast as imports and folds need it.

`model_construct` does the same and takes five times as long, which at thousands of models per megabyte of transcript is most of the
segmenter's time. Nothing here may be used on data from outside.
"""

from __future__ import annotations

from copy import copy
from functools import cache
from typing import Any, TypeVar

from pydantic import BaseModel

M = TypeVar("M", bound=BaseModel)


@cache
def _defaults(model: type[BaseModel]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Every field's default in the order of the fields, and those whose default must not be shared."""
    values = {
        name: field.get_default(call_default_factory=True) for name, field in model.model_fields.items()
    }  # a required field is always given, so its placeholder never stays
    return values, tuple(name for name, value in values.items() if isinstance(value, dict | list | set))


_set = object.__setattr__


def unchecked(model: type[M], /, **values: Any) -> M:
    """An instance of `model` with `values`, and defaults for the rest, without validation."""
    defaults, unshared = _defaults(model)
    state = defaults | values
    for name in unshared:
        if name not in values:
            state[name] = copy(defaults[name])
    made = model.__new__(model)
    _set(made, "__dict__", state)
    _set(made, "__pydantic_fields_set__", set(values))
    _set(made, "__pydantic_extra__", None)
    _set(made, "__pydantic_private__", None)
    return made
