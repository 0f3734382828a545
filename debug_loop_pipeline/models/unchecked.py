"""Building boundary models from values that are already of the right type, as fast as imports and folds need it.

`model_construct` does the same and takes five times as long, which at thousands of models per megabyte of transcript is most of the
segmenter's time. Nothing here may be used on data from outside.
"""

from __future__ import annotations

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


# Where pydantic keeps what a model is made of; set directly, past the lookup of each name.
_new = object.__new__
_set_values, _set_given, _set_extra, _set_private = (
    vars(BaseModel)[slot].__set__
    for slot in ("__dict__", "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__")
)


def unchecked(model: type[M], /, **values: Any) -> M:
    """An instance of `model` with `values`, and defaults for the rest, without validation."""
    defaults, unshared = _defaults(model)
    state = defaults | values
    for name in unshared:
        if name not in values:
            state[name] = defaults[name].copy()
    made = _new(model)
    _set_values(made, state)
    _set_given(made, set(values))
    _set_extra(made, None)
    _set_private(made, None)
    return made
