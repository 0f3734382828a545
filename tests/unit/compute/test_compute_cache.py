"""Keys of cached results."""

from __future__ import annotations

from uuid import UUID

import pytest

from debug_loop_pipeline.compute.compute_cache import cache_key
from debug_loop_pipeline.models.matching import MatchOptions


def test_the_same_inputs_give_the_same_key_whatever_the_order_of_their_fields() -> None:
    assert cache_key("Unit", 1, {"a": 1, "b": 2}, UUID(int=3)) == cache_key("Unit", 1, {"b": 2, "a": 1}, UUID(int=3))


def test_any_other_input_gives_another_key() -> None:
    options = MatchOptions()
    keys = {
        cache_key("Unit", 1, "sig", options.model_dump(), "epoch"),
        cache_key("Unit", 2, "sig", options.model_dump(), "epoch"),
        cache_key("Other", 1, "sig", options.model_dump(), "epoch"),
        cache_key("Unit", 1, "sig2", options.model_dump(), "epoch"),
        cache_key("Unit", 1, "sig", MatchOptions(limit=6).model_dump(), "epoch"),
        cache_key("Unit", 1, "sig", options.model_dump(), "epoch2"),
        cache_key("Unit", 1, "sig", options.model_dump(), "epoch", None),
        cache_key("Unit", 1, ["sig", options.model_dump(), "epoch"]),
    }
    assert len(keys) == 8


def test_an_input_without_a_canonical_form_is_refused() -> None:
    with pytest.raises(TypeError):
        cache_key("Unit", 1, {1, 2})
