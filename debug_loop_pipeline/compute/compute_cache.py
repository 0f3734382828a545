"""How the result of a cacheable compute unit is named (DOMAIN 2: quality, matching, novelty).

Belongs here: the key. Not here: where results are kept and for how long (the effects and serving decide).
"""

from __future__ import annotations

import hashlib
from typing import Any

import orjson


def cache_key(unit: str, version: int | str, *inputs: Any) -> str:
    """Key of one result: the same unit, version and inputs give the same key in every process, others another.

    Args:
        unit: The unit's name (`STFMatcherCompute`).
        version: Its version: a new one finds nothing that an old one left.
        inputs: Everything the result depends on, as plain JSON values, dates, UUIDs or enumerations; of a pydantic
            model its `model_dump()`.

    Raises:
        TypeError: For an input that has no canonical form.
    """
    canonical = orjson.dumps([unit, version, inputs], option=orjson.OPT_SORT_KEYS)
    return f"{unit}:{version}:{hashlib.sha256(canonical).hexdigest()}"
