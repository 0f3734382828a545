"""What a check finds, and what each rule is for."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from debug_loop_pipeline.onex.source import Module


class Rule(StrEnum):
    """The rules of `debug-loop onex check`."""

    NAME = "name"
    CONTRACT = "contract"
    PURE_IMPORT = "pure-import"
    PURE_CALL = "pure-call"
    PURE_GLOBAL = "pure-global"
    REDUCER_SHAPE = "reducer-shape"
    REDUCER_TRANSITION = "reducer-transition"
    REDUCER_STATE = "reducer-state"
    EFFECT_CALLER = "effect-caller"
    EFFECT_TIMEOUT = "effect-timeout"
    EFFECT_BYPASS = "effect-bypass"
    ORCHESTRATOR_INJECTED = "orchestrator-injected"
    ORCHESTRATOR_STEPS = "orchestrator-steps"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a rule is there, and what to do where it is broken."""

    why: str
    fix: str


REASONS: dict[Rule, Reason] = {
    Rule.NAME: Reason(
        "Contract, node, class and file of a unit are found from its name.",
        "Rename it, or its entry in the registry, so that all follow the name.",
    ),
    Rule.CONTRACT: Reason(
        "Others build on what the contract says.",
        "Run `debug-loop onex contracts --write` and read the difference before committing it.",
    ),
    Rule.PURE_IMPORT: Reason(
        "A pure unit gives the same answer for the same input, in every process and for ever; what it imports can break that.",
        "Take what it provides as an argument, or move the code to an effect. A library that is pure is added to "
        "`KNOWN_PURE` in onex/check_purity.py.",
    ),
    Rule.PURE_CALL: Reason(
        "I/O, clock, randomness and values that differ between processes make recomputing and caching wrong.",
        "Take the value (the time, the text, the number) as an argument; the effect or step that calls has it.",
    ),
    Rule.PURE_GLOBAL: Reason(
        "State that outlives the call makes the answer depend on the calls before it.",
        "Keep it in a local or in an object that the caller makes; functools.cache is there for remembered answers.",
    ),
    Rule.REDUCER_SHAPE: Reason(
        "A reducer is a state machine: (state, action) in; state, intents and transition out; nothing kept in itself.",
        "Give it `reduce(self, state, action) -> Reduced[State]`, and return intents for what is to be done.",
    ),
    Rule.REDUCER_TRANSITION: Reason(
        "The table is what people, contracts and checks know of the machine.",
        "Declare it in the reducer's table of transitions, or correct the reducer.",
    ),
    Rule.REDUCER_STATE: Reason(
        "A state that cannot be reached is dead code, or the way to it is missing.",
        "Add the transition that leads there, or remove the state.",
    ),
    Rule.EFFECT_CALLER: Reason(
        "Every call to a server is retried, guarded by the breaker and traced in one place.",
        "Make an EffectCaller with policy and breaker beside the client, and call through it.",
    ),
    Rule.EFFECT_TIMEOUT: Reason(
        "Without a time-out one silent server stops everything that waits for it.",
        "Give the client the named time-outs.",
    ),
    Rule.EFFECT_BYPASS: Reason(
        "A call that goes round the clients has no retry, breaker, time-out or span.",
        "Use Database, Valkey or Kafka (effects/), or make a client of that kind.",
    ),
    Rule.ORCHESTRATOR_INJECTED: Reason(
        "An orchestrator puts in order what it is given: so it runs on any servers, and in tests.",
        "Take it in the constructor, and let the caller make it.",
    ),
    Rule.ORCHESTRATOR_STEPS: Reason(
        "The contract's graph is read as what happens, in that order.",
        "Name the same steps in onex/orchestrator_units.py as in the code.",
    ),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken rule."""

    unit: str
    rule: Rule
    what: str
    where: str
    """`module:line`, or a file."""

    @property
    def why(self) -> str:
        """Why it matters."""
        return REASONS[self.rule].why

    @property
    def fix(self) -> str:
        """What to do."""
        return REASONS[self.rule].fix

    def told(self) -> dict[str, str]:
        """For JSON."""
        return {
            "unit": self.unit,
            "rule": self.rule.value,
            "what": self.what,
            "where": self.where,
            "why": self.why,
            "fix": self.fix,
        }


def at(module: Module, node: ast.AST | int) -> str:
    """Where something is."""
    line = node if isinstance(node, int) else getattr(node, "lineno", 1)
    return f"{module.name}:{line}"


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    """Every call inside."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def keywords(call: ast.Call) -> set[str]:
    """The names of the keyword arguments of a call."""
    return {keyword.arg for keyword in call.keywords if keyword.arg is not None}
