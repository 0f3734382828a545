"""Runs under Python 3.12 or newer beside omnibase-core: units as its nodes, and directly. Prints one JSON document.

Arguments: the URL of a migrated PostgreSQL, and a file with requests.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from omnibase_core.enums.enum_effect_types import EnumEffectType
from omnibase_core.enums.enum_reducer_types import EnumReductionType
from omnibase_core.errors.model_onex_error import ModelOnexError
from omnibase_core.models.compute.model_compute_input import ModelComputeInput
from omnibase_core.models.container.model_onex_container import ModelONEXContainer
from omnibase_core.models.effect.model_effect_input import ModelEffectInput
from omnibase_core.models.reducer.model_reducer_input import ModelReducerInput
from omnibase_core.nodes.node_compute import NodeCompute
from omnibase_core.nodes.node_effect import NodeEffect
from omnibase_core.nodes.node_orchestrator import NodeOrchestrator
from omnibase_core.nodes.node_reducer import NodeReducer
from omnibase_core.protocols.cache.protocol_cache_backend import ProtocolCacheBackend
from omnibase_core.protocols.event_bus.protocol_event_bus_lifecycle import ProtocolEventBusLifecycle
from omnibase_core.protocols.event_bus.protocol_event_bus_publisher import ProtocolEventBusPublisher
from omnibase_core.protocols.infrastructure.protocol_database_connection import ProtocolDatabaseConnection
from omnibase_core.utils.util_fsm_executor import validate_fsm_contract

from debug_loop_pipeline.effects.kafka import Kafka
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.effects.valkey import Valkey
from debug_loop_pipeline.onex import nodes
from debug_loop_pipeline.onex.bus import OnexEventBus
from debug_loop_pipeline.onex.registry import UNITS, unit_named
from debug_loop_pipeline.onex.stores import OnexCache, OnexDatabase
from debug_loop_pipeline.settings import Settings


async def refusal(asked: Any) -> str:
    try:
        await asked
    except ModelOnexError as error:
        return str(error.error_code)
    return "none"


async def probe(url: str, asked: dict[str, Any]) -> dict[str, Any]:
    database, settings = Database(url), Settings()
    container = ModelONEXContainer()
    for kind, service in ((Database, database), (Settings, settings)):
        await container.service_registry.register_instance(kind, service)
    told: dict[str, Any] = {"contracts": {}}
    for unit in UNITS:
        contract = nodes.contract_model(unit)
        machine = getattr(contract, "state_machine", None)
        told["contracts"][contract.name] = [] if machine is None else await validate_fsm_contract(machine)

    hasher: Any = nodes.NodeSTFHashCompute(container)
    await hasher.initialize()
    unit = unit_named("STFHashCompute")
    done = await hasher.process(ModelComputeInput(data=asked["hash"], computation_type=hasher.computation_type))
    told["compute"] = {
        "is": isinstance(hasher, NodeCompute),
        "node": done.result.model_dump(mode="json"),
        "direct": unit.run(None, unit.parse(asked["hash"])).model_dump(mode="json"),
        "refusal": await refusal(
            hasher.process(ModelComputeInput(data={"code": 1}, computation_type=hasher.computation_type))
        ),
    }

    golden: Any = nodes.NodeGoldenStateManagerReducer(container)
    unit = unit_named("GoldenStateManagerReducer")
    fold = EnumReductionType.FOLD
    reduced = await golden.process(ModelReducerInput(data=[asked["golden"]], reduction_type=fold))
    told["reducer"] = {
        "is": isinstance(golden, NodeReducer),
        "node": reduced.result[0].model_dump(mode="json"),
        "direct": unit.run(unit.build(), unit.parse(asked["golden"])).model_dump(mode="json"),
        "intents": [intent.intent_type for intent in reduced.intents],
        "state": golden.get_current_state(),
        "refusal": await refusal(golden.process(ModelReducerInput(data=[asked["illegal"]], reduction_type=fold))),
    }

    catalog: Any = nodes.NodeModelPriceCatalogEffect(container)
    unit = unit_named("ModelPriceCatalogEffect")

    def effect(data: dict[str, Any]) -> Any:
        return catalog.process(ModelEffectInput(effect_type=EnumEffectType.DATABASE_OPERATION, operation_data=data))

    await effect(asked["add_model"])
    listed = await effect(asked["list_models"])
    told["effect"] = {
        "is": isinstance(catalog, NodeEffect),
        "node": listed.result,
        "direct": unit.run(unit.build(database), unit.parse(asked["list_models"])).model_dump(mode="json"),
        "state": listed.transaction_state.value,
        "refusal": await refusal(effect(asked["add_model"])),
    }

    loop: Any = nodes.NodeDebugLoopOrchestrator(container)
    unit = unit_named("DebugLoopOrchestrator")
    ran = await loop.process(loop.asked(asked["attempt"]))
    again: Any = unit.run(unit.build(database, settings), unit.parse(asked["attempt"]))
    told["orchestrator"] = {
        "is": isinstance(loop, NodeOrchestrator),
        "status": ran.execution_status,
        "node": [ran.final_result.to_value()["attempt_id"], ran.completed_steps, ran.failed_steps],
        "direct": [str(again.attempt_id), [o.step for o in again.outcomes if o.status == "done"], []],
    }
    told["protocols"] = {
        "database": isinstance(OnexDatabase(database), ProtocolDatabaseConnection),
        "cache": isinstance(OnexCache(Valkey("valkey://127.0.0.1:1/0")), ProtocolCacheBackend),
        "publisher": isinstance(OnexEventBus(Kafka("127.0.0.1:1")), ProtocolEventBusPublisher),
        "lifecycle": isinstance(OnexEventBus(Kafka("127.0.0.1:1")), ProtocolEventBusLifecycle),
    }
    nameless = ModelONEXContainer()
    told["no_service"] = await refusal(
        nodes.NodeModelPriceCatalogEffect(nameless).process(
            ModelEffectInput(effect_type=EnumEffectType.DATABASE_OPERATION, operation_data=asked["list_models"])
        )
    )
    database.close()
    return told


if __name__ == "__main__":
    told = asyncio.run(probe(sys.argv[1], json.loads(Path(sys.argv[2]).read_text())))
    sys.stdout.write(json.dumps(told) + "\n")
