"""What our reducers ask for, as omnibase-core's intents (extra `onex`).

PERSIST_STATE and NOTIFY have payloads of that package; a reward is an extension of ours.
"""

from __future__ import annotations

from typing import Any

from omnibase_core.models.reducer.model_intent import ModelIntent
from omnibase_core.models.reducer.payloads.model_event_payloads import ModelPayloadEmitEvent
from omnibase_core.models.reducer.payloads.model_extension_payloads import ModelPayloadExtension
from omnibase_core.models.reducer.payloads.model_payload_persist_state import ModelPayloadPersistState
from pydantic import TypeAdapter

from debug_loop_pipeline.models.intents import GrantReward, Intent, Notify, PersistState

PLUGIN = "debug_loop_pipeline"


def model_intent(intent: Intent, state: Any) -> ModelIntent:
    """An intent of ours as theirs.

    Args:
        intent: what a reducer asks for.
        state: the state it came to, which is what PERSIST_STATE is about.
    """
    match intent:
        case PersistState():
            target = f"{intent.subject_kind}:{intent.subject_id}"
            written = TypeAdapter(type(state)).dump_python(state, mode="json")
            return _intent(target, ModelPayloadPersistState(state_key=target, state_data=written))
        case Notify():
            target = f"{intent.subject_kind}:{intent.subject_id}"
            told = intent.model_dump(mode="json", exclude={"intent"})
            return _intent(target, ModelPayloadEmitEvent(event_type=intent.topic, event_data=told, topic=intent.topic))
        case GrantReward():
            granted = intent.model_dump(mode="json", exclude={"intent"})
            payload = ModelPayloadExtension(extension_type="custom.grant_reward", plugin_name=PLUGIN, data=granted)
            return _intent(intent.subject_id, payload)


def _intent(target: str, payload: Any) -> ModelIntent:
    return ModelIntent(intent_type=payload.intent_type, target=target, payload=payload)
