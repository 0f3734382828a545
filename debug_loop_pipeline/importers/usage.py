"""Usage records out of what model services report, in disjoint buckets (DOMAIN 3.10).

Services differ in what they count inside what: OpenAI's and Google's input includes what was read from a cache and
their output the reasoning; Anthropic's input excludes both cache buckets. Not here: prices.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from debug_loop_pipeline.importers.documents import cost_text, count_of, mapping
from debug_loop_pipeline.models.trajectory import Usage


def service_usage(
    raw: Any,
    *,
    message_id: str,
    request_id: str = "",
    model: str | None = None,
    provider: str | None = None,
    at: datetime | None = None,
    cost: Any = None,
) -> Usage | None:
    """The usage of one response in the form of any of the known services; None where nothing was reported.

    `prompt_tokens` (and `input_tokens` beside `input_tokens_details`) include cached and cache-writing tokens; bare
    `input_tokens` do not.
    """
    if not isinstance(raw, dict):
        return None
    details = mapping(raw.get("prompt_tokens_details") or raw.get("input_tokens_details"))
    output_details = mapping(raw.get("completion_tokens_details") or raw.get("output_tokens_details"))
    read = count_of(
        raw.get("cache_read_input_tokens") or details.get("cached_tokens") or raw.get("prompt_cache_hit_tokens")
    )
    creation = mapping(raw.get("cache_creation"))
    write_1h = count_of(creation.get("ephemeral_1h_input_tokens"))
    write = count_of(raw.get("cache_creation_input_tokens") or details.get("cache_creation_tokens"))
    if "prompt_tokens" in raw:
        fresh = count_of(raw["prompt_tokens"]) - read - write
    else:
        fresh = count_of(raw.get("input_tokens"))
        if "input_tokens_details" in raw:
            fresh -= read + write
    usage = Usage(
        message_id=message_id,
        request_id=request_id,
        model=model,
        provider=provider,
        at=at,
        tokens_input=max(0, fresh),
        tokens_cache_read=read,
        tokens_cache_write_5m=max(0, write - write_1h),
        tokens_cache_write_1h=write_1h,
        tokens_output=count_of(raw.get("completion_tokens", raw.get("output_tokens"))),
        tokens_reasoning=count_of(output_details.get("reasoning_tokens")),
        cost_usd=cost_text(cost),
    )
    return usage if usage.total or usage.cost_usd is not None else None


def split_model(name: str | None) -> tuple[str | None, str | None]:
    """Model and provider out of a name such as `openrouter/anthropic/claude-3-opus`: the last part, and the part
    before it.
    """
    if not name:
        return None, None
    parts = [part for part in name.strip("/").split("/") if part]
    if not parts:
        return None, None
    return parts[-1], parts[-2] if len(parts) > 1 else None
