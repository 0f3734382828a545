"""The effects of both parts: one request and one answer per operation, tied together by `operation`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, RootModel

from debug_loop_pipeline.effects.balance_cache import BalanceCacheEffect
from debug_loop_pipeline.effects.debug_stf_storage import FUNCTIONS, DebugSTFStorageEffect, UsageCounts
from debug_loop_pipeline.effects.kafka import Kafka
from debug_loop_pipeline.effects.model_price_catalog import ModelPriceCatalogEffect
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.effects.step_store import RowChanges
from debug_loop_pipeline.effects.token_ledger import TokenLedgerEffect
from debug_loop_pipeline.effects.valkey import Valkey
from debug_loop_pipeline.models.base import FrozenModel, UtcDatetime
from debug_loop_pipeline.models.cost import ModelPrice
from debug_loop_pipeline.models.stf import StfQuality
from debug_loop_pipeline.models.token import Balance, PeerId, TokenTransaction
from debug_loop_pipeline.onex.units import Kind, Operation, Performance, Unit

_QUERY = Performance(p95_ms=50, source="DOMAIN 5: indexed query")

StfHash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Rows(FrozenModel):
    """Rows of a table, column by name."""

    rows: tuple[dict[str, Any], ...]


class Changed(FrozenModel):
    """How many rows, messages or values a call changed."""

    changed: int = Field(ge=0)


# -- DebugSTFStorageEffect ---------------------------------------------------------------------------------------


class StoreStfs(FrozenModel):
    """Make the rows of these hashes be exactly `rows`; a hash without a row is removed."""

    operation: Literal["store"] = "store"
    rows: tuple[dict[str, Any], ...]
    """Every column of the registry's fold, by name."""
    hashes: tuple[StfHash, ...]


class StoredStfs(FrozenModel):
    """The rows that moved."""

    inserted: int
    updated: int
    deleted: int


class RetrieveStf(FrozenModel):
    """One function, where it occurred and the others of its cluster."""

    operation: Literal["retrieve"] = "retrieve"
    stf_hash: StfHash


class SearchStfs(FrozenModel):
    """Functions that pass the filters, best quality first."""

    operation: Literal["search"] = "search"
    approval: str | None = None
    language: str | None = None
    tier: str | None = None
    category: str | None = None
    min_quality: float = Field(default=0.0, ge=0.0, le=1.0)
    name_contains: str | None = None
    limit: int = Field(default=20, ge=1)


class UpdateUsage(FrozenModel):
    """How often functions were reused, as folded from all their uses."""

    operation: Literal["update_usage"] = "update_usage"
    counts: dict[StfHash, UsageCounts]


class UpdateQuality(FrozenModel):
    """The quality of one function."""

    operation: Literal["update_quality"] = "update_quality"
    stf_hash: StfHash
    quality: StfQuality


class DebugSTFStorageRequest(
    RootModel[
        Annotated[StoreStfs | RetrieveStf | SearchStfs | UpdateUsage | UpdateQuality, Field(discriminator="operation")]
    ]
):
    """What DebugSTFStorageEffect is asked."""


class DebugSTFStorageAnswer(RootModel[StoredStfs | Rows | Changed]):
    """What it answers."""


class StfStorage:
    """The effect, and the database whose transaction a write is in."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.effect = DebugSTFStorageEffect(database)


def _store(storage: StfStorage, request: StoreStfs) -> StoredStfs:
    rows = [tuple(row[column] for column in FUNCTIONS.columns) for row in request.rows]
    with storage.database.transaction("store_stfs") as connection:
        moved: RowChanges = storage.effect.store(connection, rows, request.hashes)
    return StoredStfs(inserted=moved.inserted, updated=moved.updated, deleted=moved.deleted)


def _retrieve(storage: StfStorage, request: RetrieveStf) -> Rows:
    return Rows(rows=(storage.effect.retrieve(request.stf_hash),))


def _search(storage: StfStorage, request: SearchStfs) -> Rows:
    return Rows(rows=tuple(storage.effect.search(**request.model_dump(exclude={"operation"}))))


def _update_usage(storage: StfStorage, request: UpdateUsage) -> Changed:
    with storage.database.transaction("update_usage") as connection:
        return Changed(changed=storage.effect.update_usage(connection, request.counts))


def _update_quality(storage: StfStorage, request: UpdateQuality) -> Changed:
    with storage.database.transaction("update_quality") as connection:
        return Changed(changed=storage.effect.update_quality(connection, request.stf_hash, request.quality))


# -- ModelPriceCatalogEffect -------------------------------------------------------------------------------------


class AddModel(FrozenModel):
    """A model the catalog does not have."""

    operation: Literal["add_model"] = "add_model"
    price: ModelPrice


class UpdatePricing(FrozenModel):
    """Another price from its `effective_from` on."""

    operation: Literal["update_pricing"] = "update_pricing"
    price: ModelPrice


class GetPricing(FrozenModel):
    """The price of a model in force at a moment."""

    operation: Literal["get_pricing"] = "get_pricing"
    provider: str
    model: str
    at: UtcDatetime


class ListModels(FrozenModel):
    """The rows that pass the filters."""

    operation: Literal["list_models"] = "list_models"
    provider: str | None = None
    name_contains: str | None = None
    include_deprecated: bool = False


class MarkDeprecated(FrozenModel):
    """A model that is no longer advised."""

    operation: Literal["mark_deprecated"] = "mark_deprecated"
    provider: str
    model: str


class Prices(FrozenModel):
    """Rows of the catalog; empty where there is none."""

    prices: tuple[ModelPrice, ...] = ()


class ModelPriceCatalogRequest(
    RootModel[
        Annotated[AddModel | UpdatePricing | GetPricing | ListModels | MarkDeprecated, Field(discriminator="operation")]
    ]
):
    """What ModelPriceCatalogEffect is asked."""


def _add_model(catalog: ModelPriceCatalogEffect, request: AddModel) -> Prices:
    catalog.add_model(request.price)
    return Prices(prices=(request.price,))


def _update_pricing(catalog: ModelPriceCatalogEffect, request: UpdatePricing) -> Prices:
    catalog.update_pricing(request.price)
    return Prices(prices=(request.price,))


def _get_pricing(catalog: ModelPriceCatalogEffect, request: GetPricing) -> Prices:
    found = catalog.get_pricing(request.provider, request.model, request.at)
    return Prices(prices=() if found is None else (found,))


def _list_models(catalog: ModelPriceCatalogEffect, request: ListModels) -> Prices:
    return Prices(prices=tuple(catalog.list_models(**request.model_dump(exclude={"operation"}))))


def _mark_deprecated(catalog: ModelPriceCatalogEffect, request: MarkDeprecated) -> Prices:
    catalog.mark_deprecated(request.provider, request.model)
    return Prices()


# -- TokenLedgerEffect -------------------------------------------------------------------------------------------


class DecideTransactions(FrozenModel):
    """Transactions to post to their accounts and the outbox, all of them or none."""

    operation: Literal["decide"] = "decide"
    transactions: tuple[TokenTransaction, ...]


class PublishTransactions(FrozenModel):
    """Publish what was decided and is not confirmed by the broker."""

    operation: Literal["publish"] = "publish"


class ReadAccounts(FrozenModel):
    """Accounts as decided; all of them where no peer is named."""

    operation: Literal["accounts"] = "accounts"
    peers: tuple[PeerId, ...] | None = None


class DecidedTransactions(FrozenModel):
    """What was new, and what was decided before."""

    new: tuple[TokenTransaction, ...]
    repeated: tuple[TokenTransaction, ...]


class Balances(FrozenModel):
    """Peer -> balance."""

    balances: dict[str, Balance]


class TokenLedgerRequest(
    RootModel[Annotated[DecideTransactions | PublishTransactions | ReadAccounts, Field(discriminator="operation")]]
):
    """What TokenLedgerEffect is asked."""


class TokenLedgerAnswer(RootModel[DecidedTransactions | Changed | Balances]):
    """What it answers."""


def _decide(ledger: TokenLedgerEffect, request: DecideTransactions) -> DecidedTransactions:
    decided = ledger.decide(request.transactions)
    return DecidedTransactions(new=decided.new, repeated=decided.repeated)


def _publish(ledger: TokenLedgerEffect, _: PublishTransactions) -> Changed:
    return Changed(changed=ledger.publish_all())


def _accounts(ledger: TokenLedgerEffect, request: ReadAccounts) -> Balances:
    return Balances(balances=ledger.accounts(request.peers))


# -- BalanceCacheEffect ------------------------------------------------------------------------------------------


class GetBalances(FrozenModel):
    """Balances of peers, read through."""

    operation: Literal["get"] = "get"
    peers: tuple[PeerId, ...]


class RefreshBalances(FrozenModel):
    """Renew the cached balances of these peers from PostgreSQL."""

    operation: Literal["refresh"] = "refresh"
    peers: tuple[PeerId, ...]


class BalanceCacheRequest(RootModel[Annotated[GetBalances | RefreshBalances, Field(discriminator="operation")]]):
    """What BalanceCacheEffect is asked."""


class BalanceCacheAnswer(RootModel[Balances | Changed]):
    """What it answers."""


def _get(cache: BalanceCacheEffect, request: GetBalances) -> Balances:
    return Balances(balances=cache.get_many(request.peers))


def _refresh(cache: BalanceCacheEffect, request: RefreshBalances) -> Changed:
    return Changed(changed=cache.refresh(request.peers))


def _unit(
    effect: type,
    purpose: str,
    performance: Performance,
    operations: tuple[Operation, ...],
    request: type[BaseModel],
    answer: type[BaseModel],
    needs: tuple[type, ...],
    build: Callable[..., Any],
) -> Unit:
    return Unit(
        name=effect.__name__,
        kind=Kind.EFFECT,
        purpose=purpose,
        module=effect.__module__,
        entry=effect.__name__,
        version="1.0.0",
        performance=performance,
        operations=operations,
        request=request,
        answer=answer,
        needs=needs,
        build=build,
    )


EFFECT_UNITS = (
    _unit(
        DebugSTFStorageEffect,
        "Stores, retrieves and searches functions (STFs) in PostgreSQL, and keeps their usage and quality.",
        _QUERY,
        (
            Operation("store", StoreStfs, StoredStfs, _store),
            Operation("retrieve", RetrieveStf, Rows, _retrieve),
            Operation("search", SearchStfs, Rows, _search),
            Operation("update_usage", UpdateUsage, Changed, _update_usage),
            Operation("update_quality", UpdateQuality, Changed, _update_quality),
        ),
        DebugSTFStorageRequest,
        DebugSTFStorageAnswer,
        (Database,),
        StfStorage,
    ),
    _unit(
        ModelPriceCatalogEffect,
        "Keeps dated model prices in PostgreSQL; a price is never overwritten.",
        _QUERY,
        (
            Operation("add_model", AddModel, Prices, _add_model),
            Operation("update_pricing", UpdatePricing, Prices, _update_pricing),
            Operation("get_pricing", GetPricing, Prices, _get_pricing),
            Operation("list_models", ListModels, Prices, _list_models),
            Operation("mark_deprecated", MarkDeprecated, Prices, _mark_deprecated),
        ),
        ModelPriceCatalogRequest,
        Prices,
        (Database,),
        ModelPriceCatalogEffect,
    ),
    _unit(
        TokenLedgerEffect,
        "Decides transactions into accounts and outbox and publishes them to Kafka, exactly once in effect.",
        Performance(p95_ms=100, per_second=1_000.0, source="DOMAIN 5: ledger, transaction -> balance visible"),
        (
            Operation("decide", DecideTransactions, DecidedTransactions, _decide),
            Operation("publish", PublishTransactions, Changed, _publish),
            Operation("accounts", ReadAccounts, Balances, _accounts),
        ),
        TokenLedgerRequest,
        TokenLedgerAnswer,
        (Database, Kafka),
        TokenLedgerEffect,
    ),
    _unit(
        BalanceCacheEffect,
        "Gives balances from Valkey, read through to PostgreSQL; an older value never replaces a newer one.",
        Performance(p95_ms=50, per_second=10_000.0, source="DOMAIN 5: balance reads, indexed query"),
        (
            Operation("get", GetBalances, Balances, _get),
            Operation("refresh", RefreshBalances, Changed, _refresh),
        ),
        BalanceCacheRequest,
        BalanceCacheAnswer,
        (Valkey, Database),
        BalanceCacheEffect,
    ),
)
