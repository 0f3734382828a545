"""Effects: every call to a server goes through an EffectCaller (retries, breaker, span) and a client with time-outs.

The room of effects has one client per server; what an effect unit reaches is read, its clients included.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from debug_loop_pipeline.onex.findings import Finding, Rule, at, calls, keywords
from debug_loop_pipeline.onex.source import PACKAGE, Module, Source
from debug_loop_pipeline.onex.units import Unit

_ROOMS = ("client", "effects")
_RESILIENCE = f"{PACKAGE}.effects.resilience"
_CALLER = f"{_RESILIENCE}.EffectCaller"
_GUARDS = {
    "retry_context": "retries",
    "timeout": "a limit of the retries' time",
    "admit": "the breaker",
    "start_as_current_span": "a span",
}
"""What EffectCaller has to use -> what that gives every call."""

TIMEOUTS: dict[str, frozenset[str]] = {
    "sqlalchemy.create_engine": frozenset({"pool_timeout", "connect_args"}),
    "psycopg2.connect": frozenset({"connect_timeout"}),
    "redis.Redis": frozenset({"socket_timeout", "socket_connect_timeout"}),
    "redis.Redis.from_url": frozenset({"socket_timeout", "socket_connect_timeout"}),
    "kafka.KafkaProducer": frozenset({"request_timeout_ms", "delivery_timeout_ms", "max_block_ms"}),
    "kafka.KafkaConsumer": frozenset({"request_timeout_ms"}),
    "kafka.admin.KafkaAdminClient": frozenset({"request_timeout_ms"}),
}
"""How a driver's client is made -> the arguments that bound its waiting."""

_ENGINE_TEXTS = ("'connect_timeout'", "statement_timeout=")
"""What `connect_args` of an engine have to name."""

_NETWORK = frozenset(
    [
        "aiohttp",
        "asyncio.streams",
        "asyncpg",
        "boto3",
        "confluent_kafka",
        "ftplib",
        "http.client",
        "httpx",
        "paramiko",
        "pika",
        "psycopg",
        "requests",
        "smtplib",
        "socket",
        "socketserver",
        "subprocess",
        "telnetlib",
        "urllib.request",
        "urllib3",
        "websockets",
        "valkey",
    ]
)
_BEHIND_CLIENTS = frozenset({"engine", "client"})
"""Attributes of our clients that are the driver itself."""


def check_effect(unit: Unit, source: Source) -> Iterator[Finding]:
    """Every breach of the rules of effects in what a unit reaches."""
    yield from _guards(unit, source)
    modules = [module for module in source.closure(unit.module, _ROOMS) if module.name != _RESILIENCE]
    clients = {module.name: callers for module in modules if (callers := _callers(module))}
    # What a client is made of (its driver's own connections) is part of the client.
    parts = {imported.module for module in modules if module.name in clients for imported in module.imports}
    for module in modules:
        for call in clients.get(module.name, ()):
            for missing in sorted({"policy", "breaker"} - keywords(call)):
                yield Finding(
                    unit.name, Rule.EFFECT_CALLER, f"makes an EffectCaller without {missing}", at(module, call)
                )
        is_client = module.name in clients or module.name in parts
        yield from _drivers(unit, module, is_client=is_client)
        if not is_client:
            yield from _bypasses(unit, module)
    if not clients:
        yield Finding(unit.name, Rule.EFFECT_CALLER, "reaches no client that calls through EffectCaller", unit.module)


def _callers(module: Module) -> list[ast.Call]:
    return [call for call in module.calls if module.resolve(call.func) == _CALLER]


def _guards(unit: Unit, source: Source) -> Iterator[Finding]:
    module = source.module(_RESILIENCE)
    caller = None if module is None else module.definition("EffectCaller")
    if module is None or caller is None:
        yield Finding(unit.name, Rule.EFFECT_CALLER, "there is no EffectCaller", _RESILIENCE)
        return
    used = {node.attr for node in ast.walk(caller) if isinstance(node, ast.Attribute)}
    used |= {name for call in calls(caller) for name in keywords(call)}
    for name, guard in _GUARDS.items():
        if name not in used:
            yield Finding(unit.name, Rule.EFFECT_CALLER, f"EffectCaller does without {guard}", at(module, caller))


def _drivers(unit: Unit, module: Module, *, is_client: bool) -> Iterator[Finding]:
    for call in module.calls:
        name = module.resolve(call.func)
        if name == "socket.create_connection":
            if len(call.args) < 2 and "timeout" not in keywords(call):
                yield Finding(unit.name, Rule.EFFECT_TIMEOUT, "opens a connection without timeout", at(module, call))
            continue
        wanted = TIMEOUTS.get(name or "")
        if wanted is None:
            continue
        if not is_client:
            yield Finding(unit.name, Rule.EFFECT_BYPASS, f"makes its own {name}", at(module, call))
        missing = wanted - keywords(call)
        if name == "sqlalchemy.create_engine":
            missing |= {text for text in _ENGINE_TEXTS if not any(text in found for found in _texts(module))}
        if missing:
            yield Finding(
                unit.name, Rule.EFFECT_TIMEOUT, f"makes {name} without {', '.join(sorted(missing))}", at(module, call)
            )


def _texts(module: Module) -> list[str]:
    """The module's texts, each in quotation marks, so that one can be looked for as a whole."""
    return [f"'{n.value}'" for n in module.nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)]


def _bypasses(unit: Unit, module: Module) -> Iterator[Finding]:
    for imported in module.imports:
        if imported.module in _NETWORK or imported.full in _NETWORK:
            yield Finding(unit.name, Rule.EFFECT_BYPASS, f"imports {imported.full}", at(module, imported.line))
    for node in module.nodes:
        if isinstance(node, ast.Attribute) and node.attr in _BEHIND_CLIENTS and isinstance(node.value, ast.Attribute):
            yield Finding(
                unit.name, Rule.EFFECT_BYPASS, f"uses the driver itself: {ast.unparse(node)}", at(module, node)
            )
