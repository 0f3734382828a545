"""Units as nodes of omnibase-core: NodeCompute, NodeReducer, NodeEffect, NodeOrchestrator (extra `onex`, Python 3.12+).

Here: what a node is given and gives back, in that package's models, errors and intents. Not here: its protocols for database,
cache and event bus (`stores`, `bus`). `from debug_loop_pipeline.onex.nodes import NodeSTFHashCompute` works for each of the twenty;
`node_class(unit)` makes one of any unit, a generated one too.

What a unit needs (`Database`, `Kafka`, ...) it finds in the container by its type: register it there with
`container.service_registry.register_instance(Database, database)`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, ClassVar
from uuid import NAMESPACE_OID, UUID, uuid4, uuid5

from omnibase_core.enums.enum_core_error_code import EnumCoreErrorCode
from omnibase_core.enums.enum_effect_types import EnumTransactionState
from omnibase_core.errors.model_onex_error import ModelOnexError
from omnibase_core.models.common.model_schema_value import ModelSchemaValue
from omnibase_core.models.container.model_onex_container import ModelONEXContainer
from omnibase_core.models.contracts.model_contract_base import ModelContractBase
from omnibase_core.models.contracts.model_contract_compute import ModelContractCompute
from omnibase_core.models.contracts.model_contract_effect import ModelContractEffect
from omnibase_core.models.contracts.model_contract_orchestrator import ModelContractOrchestrator
from omnibase_core.models.contracts.model_contract_reducer import ModelContractReducer
from omnibase_core.models.contracts.model_workflow_step import ModelWorkflowStep
from omnibase_core.models.effect.model_effect_input import ModelEffectInput
from omnibase_core.models.effect.model_effect_output import ModelEffectOutput
from omnibase_core.models.fsm.model_fsm_state_snapshot import ModelFSMStateSnapshot
from omnibase_core.models.orchestrator.model_orchestrator_input import ModelOrchestratorInput
from omnibase_core.models.orchestrator.model_orchestrator_output import ModelOrchestratorOutput
from omnibase_core.models.reducer.model_intent import ModelIntent
from omnibase_core.models.reducer.model_reducer_fsm_metadata import ModelReducerFsmMetadata
from omnibase_core.models.reducer.model_reducer_input import ModelReducerInput
from omnibase_core.models.reducer.model_reducer_output import ModelReducerOutput
from omnibase_core.nodes.node_compute import NodeCompute
from omnibase_core.nodes.node_effect import NodeEffect
from omnibase_core.nodes.node_orchestrator import NodeOrchestrator
from omnibase_core.nodes.node_reducer import NodeReducer
from pydantic import BaseModel, ValidationError

from debug_loop_pipeline.effects.resilience import CircuitOpenError, EffectError, EffectUnavailableError
from debug_loop_pipeline.onex.check import package_root
from debug_loop_pipeline.onex.contracts import REACHED, contract_of, contracts_folder, read_contract
from debug_loop_pipeline.onex.intents import model_intent
from debug_loop_pipeline.onex.registry import UNITS, unit_named
from debug_loop_pipeline.onex.source import Source
from debug_loop_pipeline.onex.units import Kind, Unit, UnknownOperationError
from debug_loop_pipeline.reducers.machine import IllegalActionError

CONTRACT_MODELS: dict[Kind, type[ModelContractBase]] = {
    Kind.COMPUTE: ModelContractCompute,
    Kind.REDUCER: ModelContractReducer,
    Kind.EFFECT: ModelContractEffect,
    Kind.ORCHESTRATOR: ModelContractOrchestrator,
}


def contract_model(unit: Unit) -> ModelContractBase:
    """A unit's contract as the published model of its kind, with that model's own further checks.

    Raises:
        ValidationError, ModelOnexError: the package does not accept it.
    """
    path = contracts_folder() / f"{unit.slug}.yaml"
    written = read_contract(path) if unit in UNITS else contract_of(unit, Source(package_root()), UNITS)
    contract = CONTRACT_MODELS[unit.kind].model_validate(written)
    contract.validate_node_specific_config()
    return contract


class UnitNode:
    """What the four kinds of node share."""

    unit: ClassVar[Unit]
    container: ModelONEXContainer
    contract: ModelContractBase

    async def _load_contract(self) -> None:
        """The contract is there from the beginning; nothing is searched beside the module."""
        object.__setattr__(self, "contract_data", self.contract)

    def _request(self, data: Any) -> BaseModel:
        """The request in a node's input.

        Raises:
            ModelOnexError: it is none.
        """
        if isinstance(data, Mapping):
            data = {key: v.to_value() if isinstance(v, ModelSchemaValue) else v for key, v in data.items()}
        try:
            return self.unit.parse(data)
        except ValidationError as error:
            raise ModelOnexError(
                f"{self.unit.node_name} was asked something it cannot read: {error}",
                EnumCoreErrorCode.VALIDATION_ERROR,
                unit=self.unit.name,
            ) from error

    def _instance(self) -> Any:
        """The unit, made of what the container has; made once."""
        made = getattr(self, "_made", None)
        if made is None:
            made = self.unit.build(*(self.container.get_service(need) for need in self.unit.needs))
            object.__setattr__(self, "_made", made)
        return made

    def _run(self, request: BaseModel) -> BaseModel:
        try:
            return self.unit.run(self._instance(), request)
        except ModelOnexError:
            raise
        except Exception as error:
            raise onex_error(self.unit, error) from error


def onex_error(unit: Unit, error: Exception) -> ModelOnexError:
    """One of our errors as theirs; the cause and its words stay."""
    code = next((code for kind, code in _CODES if isinstance(error, kind)), EnumCoreErrorCode.OPERATION_FAILED)
    return ModelOnexError(f"{unit.node_name}: {error}", code, unit=unit.name, error_type=type(error).__name__)


_CODES: tuple[tuple[type[Exception], EnumCoreErrorCode], ...] = (
    (CircuitOpenError, EnumCoreErrorCode.SERVICE_UNAVAILABLE),
    (EffectUnavailableError, EnumCoreErrorCode.RESOURCE_UNAVAILABLE),
    (EffectError, EnumCoreErrorCode.OPERATION_FAILED),
    (IllegalActionError, EnumCoreErrorCode.INVALID_STATE),
    (UnknownOperationError, EnumCoreErrorCode.INVALID_OPERATION),
    (LookupError, EnumCoreErrorCode.NOT_FOUND),
    (ValueError, EnumCoreErrorCode.VALIDATION_ERROR),
)


class UnitCompute(UnitNode, NodeCompute[Any, BaseModel]):
    """A compute unit: `process(ModelComputeInput(data=request, computation_type=node.computation_type))`."""

    def __init__(self, container: ModelONEXContainer) -> None:
        """Register the unit as the computation that its contract names."""
        self.contract = contract_model(self.unit)
        super().__init__(container)
        self.performance_threshold_ms = float(self.unit.performance.p95_ms)
        self.register_computation(self.computation_type, lambda data: self._run(self._request(data)))

    @property
    def computation_type(self) -> str:
        """The algorithm of its contract."""
        return self.unit.slug


class UnitEffect(UnitNode, NodeEffect):
    """An effect: `process(ModelEffectInput(effect_type=..., operation_data=request))`; the result is JSON.

    The unit's own retries, breaker and time-outs hold; those of the input would multiply them and are not used.
    """

    def __init__(self, container: ModelONEXContainer) -> None:
        """Load the contract."""
        object.__setattr__(self, "contract", contract_model(self.unit))
        super().__init__(container)

    async def process(self, input_data: ModelEffectInput) -> ModelEffectOutput:
        """Carry out the operation that the data names."""
        request = self._request(input_data.operation_data)
        started = time.perf_counter()
        answer = await asyncio.to_thread(self._run, request)
        return ModelEffectOutput(
            result=answer.model_dump(mode="json"),
            operation_id=input_data.operation_id,
            effect_type=input_data.effect_type,
            transaction_state=EnumTransactionState.COMMITTED,
            processing_time_ms=(time.perf_counter() - started) * 1000,
            side_effects_applied=[f"{self.unit.name}.{self.unit.operation(request).name}"],
        )


class UnitReducer(UnitNode, NodeReducer[Any, list[BaseModel]]):
    """A reducer: `process(ModelReducerInput(data=[request, ...], reduction_type=...))`; a reduction per request.

    The transition is held against the contract's machine too, which notes it and adds its own intents.
    """

    def __init__(self, container: ModelONEXContainer) -> None:
        """Load the contract, whose state machine is the reducer's."""
        self.contract = contract_model(self.unit)
        super().__init__(container)

    async def process(
        self, input_data: ModelReducerInput[Any], projection_intents: tuple[Any, ...] = ()
    ) -> ModelReducerOutput[list[BaseModel]]:
        """Apply each request's action to its state.

        Raises:
            ModelOnexError: an action does not fit its state (INVALID_STATE), or is none.
        """
        started = time.perf_counter()
        answers: list[BaseModel] = []
        intents: list[ModelIntent] = []
        noted = None
        for data in input_data.data:
            answer: Any = self._run(self._request(data))
            answers.append(answer)
            made = answer.transition
            self.restore_state(ModelFSMStateSnapshot(current_state=made.from_state), validate=False)
            if answer.applied:
                noted = await self.execute_fsm_transition(self.fsm_contract, made.action, {REACHED: made.to_state})
                if not noted.success or noted.new_state != made.to_state:
                    raise ModelOnexError(
                        f"{self.unit.node_name}: the contract has no {made.from_state} -{made.action}-> {made.to_state}",
                        EnumCoreErrorCode.INVALID_STATE,
                    )
                intents += [model_intent(intent, answer.state) for intent in answer.intents]
                intents += noted.intents
        metadata = None
        if noted is not None:
            metadata = ModelReducerFsmMetadata(
                fsm_state=noted.new_state,
                fsm_previous_state=noted.old_state,
                fsm_transition_success=True,
                fsm_transition_name=noted.transition_name,
            )
        return ModelReducerOutput(
            result=answers,
            operation_id=input_data.operation_id,
            reduction_type=input_data.reduction_type,
            processing_time_ms=(time.perf_counter() - started) * 1000,
            items_processed=len(answers),
            intents=(*intents, *self._build_projection_intents(projection_intents)),
            metadata=input_data.metadata,
            fsm_metadata=metadata,
        )


class UnitOrchestratorInput(ModelOrchestratorInput):
    """The package's own input with the request beside it, for which it has no place."""

    request: Any


class UnitOrchestrator(UnitNode, NodeOrchestrator):
    """An orchestrator: `process(node.asked(request))`; which steps were done, failed or skipped, and the answer as JSON."""

    def __init__(self, container: ModelONEXContainer) -> None:
        """Load the contract."""
        self.contract = contract_model(self.unit)
        super().__init__(container)

    def asked(self, request: Any, workflow_id: UUID | None = None) -> UnitOrchestratorInput:
        """The input for a request, with the steps of the contract's graph."""
        ids = {step: uuid5(NAMESPACE_OID, f"{self.unit.name}.{step}") for step in self.unit.steps}
        before: list[UUID] = []
        steps = []
        for order, (step, key) in enumerate(ids.items()):
            steps.append(
                ModelWorkflowStep(
                    step_id=key, step_name=step, step_type="effect", order_index=order, depends_on=list(before)
                )
            )
            before = [key]
        return UnitOrchestratorInput(workflow_id=workflow_id or uuid4(), steps=steps, request=request)

    async def process(self, input_data: UnitOrchestratorInput) -> ModelOrchestratorOutput:
        """Run the orchestrator for the request in the input."""
        request = self._request(input_data.request)
        began = datetime.now(UTC)
        started = time.perf_counter()
        answer: Any = await asyncio.to_thread(self._run, request)
        ended: dict[str, list[Any]] = {"done": [], "failed": [], "skipped": []}
        for outcome in answer.outcomes:
            ended[outcome.status].append(outcome)
        return ModelOrchestratorOutput(
            execution_status="failed" if ended["failed"] else "completed",
            execution_time_ms=int((time.perf_counter() - started) * 1000),
            start_time=began.isoformat(),
            end_time=datetime.now(UTC).isoformat(),
            completed_steps=[outcome.step for outcome in ended["done"]],
            failed_steps=[outcome.step for outcome in ended["failed"]],
            skipped_steps=[outcome.step for outcome in ended["skipped"]],
            final_result=ModelSchemaValue.from_value(answer.model_dump(mode="json")),
            errors=[{"step": outcome.step, "error": outcome.error or ""} for outcome in ended["failed"]],
            metrics={outcome.step: outcome.milliseconds for outcome in answer.outcomes},
        )


_BASES: dict[Kind, type[UnitNode]] = {
    Kind.COMPUTE: UnitCompute,
    Kind.REDUCER: UnitReducer,
    Kind.EFFECT: UnitEffect,
    Kind.ORCHESTRATOR: UnitOrchestrator,
}


def node_class(unit: Unit) -> type[UnitNode]:
    """The node of a unit."""
    return _node_class(unit.node_name) if unit in UNITS else _made(unit)


def _made(unit: Unit) -> type[UnitNode]:
    return type(unit.node_name, (_BASES[unit.kind],), {"unit": unit, "__module__": __name__, "__doc__": unit.purpose})


@lru_cache
def _node_class(name: str) -> type[UnitNode]:
    return _made(unit_named(name))


def __getattr__(name: str) -> type[UnitNode]:
    """The node of that name, of the twenty."""
    try:
        return _node_class(name)
    except UnknownOperationError as error:
        raise AttributeError(str(error)) from error
