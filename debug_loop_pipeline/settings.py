"""Every setting, typed, described and safe by default (environment prefix `DEBUG_LOOP_`, nested ones with `__`).

Belongs here: defaults that DOMAIN gives a number for and everything an installation may change. Not here: weights
inside a formula (they are the formula; see `compute/`) and anything evaluated at import.
"""

from __future__ import annotations

import json
import re
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from debug_loop_pipeline.errors import DebugLoopError
from debug_loop_pipeline.models.logger_options import LoggerOptions
from debug_loop_pipeline.models.servers import STATE_FILE, ServersState

VALKEY_SCHEMES = frozenset({"valkey", "valkeys", "redis", "rediss", "unix"})
_POSTGRES_DRIVER = "postgresql+psycopg2"
_BROKER = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[^\s/:@\[\]]+):([0-9]{1,5})")


class MissingServerError(DebugLoopError):
    """A server is needed that is neither configured nor running."""


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TextLimits(_Group):
    """Sizes above which text is cut and marked."""

    field_chars: int = Field(
        default=65_536, gt=0, description="Longest text field of an execution event, in characters."
    )
    code_chars: int = Field(default=524_288, gt=0, description="Longest piece of code that is kept, in characters.")
    signature_chars: int = Field(default=2_000, gt=0, description="Longest problem signature (DOMAIN 3.2).")
    said_chars: int = Field(
        default=200, gt=0, le=200, description="Longest quote of an agent's own words; importers keep 200 (DOMAIN 3.8)."
    )
    diff_bytes: int = Field(
        default=2_048, gt=0, le=8_000, description="Largest example diff of a resolution (DOMAIN 3.8)."
    )
    errors_per_verification: int = Field(
        default=20, gt=0, description="Distinct errors kept per verification (DOMAIN 3.7)."
    )


class ExtractionSettings(_Group):
    """STF extraction and clusters (DOMAIN 3.3, 3.4)."""

    min_lines: int = Field(default=5, gt=0, description="Shortest candidate, in lines.")
    max_lines: int = Field(default=500, gt=0, description="Longest candidate, in lines.")
    functions_required: bool = Field(default=True, description="Only functions are candidates.")
    classes: bool = Field(default=False, description="Classes are candidates too.")
    min_confidence: float = Field(default=0.5, ge=0, le=1, description="Candidates below this are dropped.")
    cluster_similarity: float = Field(
        default=0.85, gt=0, le=1, description="Jaccard from which two STFs share a cluster."
    )
    cluster_min_tokens: int = Field(default=40, gt=0, description="Shorter STFs are never clustered.")


class QualitySettings(_Group):
    """STF quality tiers and approval (DOMAIN 3.5)."""

    excellent: float = Field(default=0.9, ge=0, le=1, description="Lower bound of the tier excellent.")
    good: float = Field(default=0.7, ge=0, le=1, description="Lower bound of the tier good.")
    fair: float = Field(default=0.5, ge=0, le=1, description="Lower bound of the tier fair; poor is below.")
    auto_approve: float = Field(
        default=0.7, ge=0, le=1, description="Quality from which measured evidence approves an STF."
    )
    cache_ttl_seconds: int = Field(default=3_600, gt=0, description="How long a quality score is cached.")


class MatchingSettings(_Group):
    """STF matching (DOMAIN 3.6)."""

    algorithm: Literal["tfidf", "hybrid"] = Field(default="tfidf", description="`hybrid` needs the extra `embedding`.")
    min_quality: float = Field(default=0.7, ge=0, le=1, description="STFs below this quality do not match.")
    min_similarity: float = Field(default=0.5, ge=0, le=1, description="Least cosine similarity of a match.")
    limit: int = Field(default=5, ge=1, le=20, description="Matches returned.")
    similarity_weight: float = Field(default=0.6, ge=0, le=1, description="Weight of the similarity in the composite.")
    quality_weight: float = Field(default=0.4, ge=0, le=1, description="Weight of the quality in the composite.")
    usage_boost: float = Field(default=1.1, ge=1, description="Factor on the composite of an STF that is used often.")
    usage_boost_above: int = Field(default=10, ge=0, description="Uses above which the boost applies.")
    epoch_seconds: int = Field(default=600, gt=0, description="Least time between two epochs of the index.")
    cache_ttl_seconds: int = Field(default=1_800, gt=0, description="How long a match is cached.")


class MappingSettings(_Group):
    """States of an error to success mapping (DOMAIN 3.8)."""

    confident_at: float = Field(default=0.8, ge=0, le=1, description="Confidence from which a mapping is confident.")
    confident_successes: int = Field(
        default=3, ge=1, description="Successes in different tasks that `confident` needs."
    )
    tracking_below: float = Field(default=0.5, ge=0, le=1, description="Confidence below which `confident` is lost.")
    deprecated_failures: int = Field(default=5, ge=1, description="Failures from which a mapping may be deprecated.")
    deprecated_below: float = Field(default=0.2, ge=0, le=1, description="Confidence below which it then is.")
    credited_parts: int = Field(default=8, ge=1, description="Parts of a change credited one by one.")


class GoldenSettings(_Group):
    """Golden states (DOMAIN 3.9)."""

    nominate_quality: float = Field(default=0.80, ge=0, le=1, description="Quality from which an attempt is nominated.")
    approve_quality: float = Field(
        default=0.90, ge=0, le=1, description="Quality from which it is approved without a person."
    )


class CostSettings(_Group):
    """Cost categories in USD (DOMAIN 3.10)."""

    cheap_below: float = Field(default=0.01, gt=0, description="An attempt that costs less is cheap.")
    moderate_below: float = Field(
        default=0.10, gt=0, description="An attempt that costs less is moderate, else expensive."
    )


class ManifestSettings(_Group):
    """What is served to an agent (DOMAIN 3.11)."""

    token_budget: int = Field(default=1_500, gt=0, description="Longest manifest, in tokens.")
    stf_limit: int = Field(default=5, ge=1, le=20, description="STFs searched and listed.")
    stf_in_prompt: int = Field(default=1, ge=0, description="STFs whose code goes into a prompt.")
    min_composite: float = Field(default=0.5, ge=0, le=1, description="STFs below this are not mentioned.")
    min_wilson: float = Field(default=0.2, ge=0, le=1, description="Fixes below this lower bound are not mentioned.")


class RecommendationSettings(_Group):
    """The held-out experiment (DOMAIN 3.12)."""

    holdout_share: float = Field(
        default=0.10, ge=0, le=1, description="Share of sessions that are computed but not shown."
    )
    salt: str = Field(default="debug-loop", min_length=1, description="Salt of the hash that draws the arm.")
    min_tasks_per_arm: int = Field(default=20, ge=1, description="Tasks an arm needs before an effect is stated.")
    effect_days: int = Field(
        default=30, ge=1, description="Days, up to the one it is stated for, that an effect is of."
    )
    seed: int = Field(default=1, ge=0, description="Draws the resamples of intervals and p-values.")


class LoopGuardSettings(_Group):
    """When a task counts as stuck."""

    stuck_after: int = Field(
        default=3, ge=2, description="How often a task shows one error signature without progress until it is stuck."
    )


class EconomySettings(_Group):
    """The token economy (DOMAIN section 4). Rewards are in tokens; `economy_enabled` turns it on."""

    stf_rewards: tuple[tuple[float, int], ...] = Field(
        default=((0.9, 300), (0.7, 150), (0.5, 50)),
        description="(least quality, base reward) of an STF, best first; below the last it earns nothing.",
    )
    fix_reward: int = Field(default=100, ge=0, description="Reward of a fix whose mapping became confident.")
    golden_reward: int = Field(default=200, ge=0, description="Base reward of an approved golden state.")
    golden_bonus_above: float = Field(
        default=0.9, ge=0, le=1, description="Quality above which a golden state earns more than its base."
    )
    golden_reuse_rewards: tuple[int, ...] = Field(
        default=(50, 40, 30, 20),
        min_length=1,
        description="Rewards of the first reuses of a golden state; the last one is for all that follow.",
    )
    golden_reuse_limit: int = Field(default=500, ge=0, description="Most that one golden state earns by reuse.")
    reuse_reward: int = Field(default=5, ge=0, description="Reward of an STF or fix per use by another peer.")
    duplicate_similarity: float = Field(
        default=0.85, gt=0, le=1, description="Similarity to an earlier STF from which a new one earns nothing."
    )
    rewards_per_attempt_day: int = Field(
        default=20, ge=1, description="Most rewarded contributions of a peer per day of the attempt."
    )
    rewards_per_decision_day: int = Field(
        default=200, ge=1, description="Most rewarded contributions of a peer per day of the decision."
    )
    max_code_bytes: int = Field(default=65_536, gt=0, description="Largest code of a contribution, in UTF-8 bytes.")
    hold_seconds: int = Field(default=3_600, gt=0, description="How long a hold stands before it expires.")
    hold_sweep_seconds: int = Field(default=60, gt=0, description="Time between two sweeps of expired holds.")
    balance_cache_seconds: int = Field(default=3_600, gt=0, description="How long a balance stays in the cache.")
    decay_daily_rate: float = Field(
        default=0.0, ge=0, le=1, description="Share of an idle balance that decays per day; 0 turns decay off."
    )
    decay_idle_days: int = Field(default=90, ge=1, description="Days without a transaction after which it decays.")
    metrics_window_days: int = Field(default=30, ge=1, description="Days whose rewards make a contributor.")
    spending_window_days: int = Field(default=7, ge=1, description="Days over which earnings and spending compare.")
    min_contributors: int = Field(default=10, ge=1, description="Contributors below which a metric says nothing.")
    gini_below: float = Field(default=0.5, gt=0, le=1, description="Target: Gini of earnings below this.")
    velocity_above: float = Field(default=0.1, ge=0, description="Target: daily velocity above this.")
    ring_share: float = Field(
        default=0.8, gt=0.5, le=1, description="Share of reuse among themselves from which peers are a ring."
    )
    ring_min_uses: int = Field(default=10, ge=1, description="Uses among themselves that a ring needs.")

    @field_validator("stf_rewards", "golden_reuse_rewards", mode="before")
    @classmethod
    def _is_a_list(cls, value: object, info: ValidationInfo) -> object:
        if isinstance(value, list | tuple):
            return value
        example = json.dumps(cls.model_fields[str(info.field_name)].default)
        raise ValueError(f"a list is written as JSON, such as {example}")

    @field_validator("stf_rewards")
    @classmethod
    def _best_first(cls, value: tuple[tuple[float, int], ...]) -> tuple[tuple[float, int], ...]:
        least = [quality for quality, _ in value]
        if least != sorted(set(least), reverse=True) or any(reward < 0 for _, reward in value):
            raise ValueError("STF rewards need falling qualities, and none below zero")
        return value

    @field_validator("golden_reuse_rewards")
    @classmethod
    def _none_negative(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if any(reward < 0 for reward in value):
            raise ValueError("a reward is not below zero")
        return value


class ResilienceSettings(_Group):
    """Breaker and time-outs of every effect (DOMAIN section 1). How often to retry is each client's own."""

    breaker_failures: int = Field(default=5, ge=1, description="Failures in a row that open the circuit breaker.")
    breaker_reset_seconds: float = Field(
        default=30.0, gt=0, description="Time until an open breaker lets one call through."
    )
    statement_timeout_seconds: float = Field(default=300.0, gt=0, description="Longest PostgreSQL statement.")
    kafka_timeout_seconds: float = Field(default=30.0, gt=0, description="Longest Kafka request, delivery included.")
    valkey_timeout_seconds: float = Field(default=1.0, gt=0, description="Longest Valkey command.")
    postgres_pool_size: int = Field(
        default=5, ge=1, description="PostgreSQL connections kept open per process; as many again in a burst."
    )


class _Environment(EnvSettingsSource):
    """Variables whose text is no JSON where JSON is wanted reach validation, which names the setting."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """The value as JSON where it is some."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value


class Settings(BaseSettings):
    """Everything an installation may set. `get_settings()` also fills in embedded servers that run."""

    model_config = SettingsConfigDict(
        env_prefix="DEBUG_LOOP_", env_nested_delimiter="__", frozen=True, extra="ignore", validate_default=True
    )

    postgres_url: str | None = Field(
        default=None,
        repr=False,
        description="PostgreSQL of the pipeline. Unset: the embedded one of the data directory.",
    )
    dagster_postgres_url: str | None = Field(
        default=None,
        repr=False,
        description="PostgreSQL of Dagster's own storage. Unset: database `<name>_dagster` beside the pipeline's.",
    )
    valkey_url: str | None = Field(
        default=None,
        repr=False,
        description="Valkey or Redis, redis://[:password@]host:port/db. Unset: the embedded one.",
    )
    kafka_bootstrap_servers: str | None = Field(
        default=None, description="Kafka brokers, host:port[,host:port]. Unset: the embedded one."
    )
    data_dir: Path = Field(
        default=Path(".debug-loop"),
        description="Directory of the embedded servers, Dagster's home, spools and indexes.",
    )
    kafka_jars: Path | None = Field(
        default=None,
        description="Directory with Apache Kafka's jars. Unset: `.kafka` of the project, filled by `make kafka`.",
    )
    units_folder: Path | None = Field(
        default=None,
        description="Folder of units that `debug-loop new --graph` wrote: each becomes an asset. Unset: none.",
    )
    first_partition: date = Field(
        default=date(2023, 1, 1), description="First daily partition; older events are rejected."
    )
    peer_id: str | None = Field(default=None, description="Peer of attempts whose source names none.")
    sharing_group: str | None = Field(
        default=None, description="Repositories between which code is served share one group. Unset: all of this store."
    )
    serving_enabled: bool = Field(default=True, description="The one switch that turns every recommendation off.")
    economy_enabled: bool = Field(default=False, description="Rewards and spending (DOMAIN section 4).")
    sensor_wait_seconds: float = Field(
        default=0.0,
        ge=0,
        le=30,
        description="How long a tick of the day sensor waits for something to do; `debug-loop dev` sets 4.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least level that is logged."
    )
    log_format: Literal["console", "json"] = Field(
        default="console", description="Form of a log line on standard error."
    )

    text: TextLimits = Field(default_factory=TextLimits, description="Text size limits.")
    extraction: ExtractionSettings = Field(
        default_factory=ExtractionSettings, description="STF extraction and clusters."
    )
    quality: QualitySettings = Field(default_factory=QualitySettings, description="STF quality tiers.")
    matching: MatchingSettings = Field(default_factory=MatchingSettings, description="STF matching.")
    mapping: MappingSettings = Field(default_factory=MappingSettings, description="Error to success mappings.")
    golden: GoldenSettings = Field(default_factory=GoldenSettings, description="Golden states.")
    cost: CostSettings = Field(default_factory=CostSettings, description="Cost categories.")
    manifest: ManifestSettings = Field(default_factory=ManifestSettings, description="Manifest thresholds.")
    recommendation: RecommendationSettings = Field(
        default_factory=RecommendationSettings, description="Held-out share and statistics."
    )
    loop_guard: LoopGuardSettings = Field(default_factory=LoopGuardSettings, description="When a task counts as stuck.")
    economy: EconomySettings = Field(
        default_factory=EconomySettings, description="Rewards, limits, holds and targets of the token economy."
    )
    logger: LoggerOptions = Field(
        default_factory=LoggerOptions, description="The execution logger and its spool, inside agents."
    )
    resilience: ResilienceSettings = Field(default_factory=ResilienceSettings, description="Breaker, time-outs, pools.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is given in code, then the environment."""
        return init_settings, _Environment(settings_cls)

    @field_validator(
        "postgres_url", "dagster_postgres_url", "valkey_url", "kafka_bootstrap_servers", "peer_id", mode="before"
    )
    @classmethod
    def _blank_is_unset(cls, value: object) -> object:
        return None if isinstance(value, str) and not value.strip() else value

    @field_validator("postgres_url", "dagster_postgres_url")
    @classmethod
    def _sqlalchemy_form(cls, value: str | None) -> str | None:
        return None if value is None else sqlalchemy_url(value)

    @field_validator("valkey_url")
    @classmethod
    def _valkey_scheme(cls, value: str | None) -> str | None:
        if value is not None and urlsplit(value).scheme not in VALKEY_SCHEMES:
            raise ValueError("the address is valkey://:password@host:port/0")
        return value

    @field_validator("kafka_bootstrap_servers")
    @classmethod
    def _brokers(cls, value: str | None) -> str | None:
        if value is None:
            return None
        brokers = [broker.strip() for broker in value.split(",") if broker.strip()]
        for broker in brokers:
            port = _BROKER.fullmatch(broker)
            if port is None or not 0 < int(port[1]) < 1 << 16:
                raise ValueError("the address is host:port[,host:port]")
        return ",".join(brokers) or None

    @field_validator("data_dir", "kafka_jars")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return None if value is None else value.expanduser().absolute()

    def require_postgres_url(self) -> str:
        """The pipeline's database as an SQLAlchemy URL.

        Raises:
            MissingServerError: None is configured and the embedded one does not run.
        """
        return self._require(self.postgres_url, "PostgreSQL", "DEBUG_LOOP_POSTGRES_URL")

    def require_valkey_url(self) -> str:
        """The Valkey URL. Raises MissingServerError like `require_postgres_url`."""
        return self._require(self.valkey_url, "Valkey", "DEBUG_LOOP_VALKEY_URL")

    def require_kafka_bootstrap_servers(self) -> str:
        """The Kafka brokers. Raises MissingServerError like `require_postgres_url`."""
        return self._require(self.kafka_bootstrap_servers, "a Kafka broker", "DEBUG_LOOP_KAFKA_BOOTSTRAP_SERVERS")

    def require_dagster_postgres_url(self) -> str:
        """The database of Dagster's storage, beside the pipeline's unless set."""
        if self.dagster_postgres_url is not None:
            return self.dagster_postgres_url
        url = urlsplit(self.require_postgres_url())
        return url._replace(path=f"{url.path}_dagster").geturl()

    @property
    def dagster_home(self) -> Path:
        """Where `dagster.yaml`, the workspace file and the compute logs lie."""
        return self.data_dir / "dagster"

    def _require(self, value: str | None, what: str, variable: str) -> str:
        if value is None:
            raise MissingServerError(
                f"{what} is needed, but {variable} is not set and no embedded one runs under {self.data_dir}. "
                f"Run `debug-loop up`, or set {variable}."
            )
        return value


def sqlalchemy_url(url: str) -> str:
    """Give a PostgreSQL URL the driver that is installed: SQLAlchemy 2.1 would take psycopg 3 for a bare `postgresql://`."""
    scheme, separator, rest = url.partition("://")
    if scheme.partition("+")[0] not in ("postgresql", "postgres") or not separator:
        raise ValueError("a PostgreSQL URL looks like postgresql://user:password@host:port/database")
    return f"{_POSTGRES_DRIVER}://{rest}"


def libpq_url(url: str) -> str:
    """The same database for psycopg2 and `psql`, which know no driver suffix."""
    return f"postgresql://{sqlalchemy_url(url).partition('://')[2]}"


def load_settings() -> Settings:
    """Settings as the environment gives them, embedded servers left out."""
    return Settings()


def read_servers_state(data_dir: Path) -> ServersState:
    """What is known about the embedded servers of a data directory; the empty state where none was ever started there.

    Raises:
        MissingServerError: The file is not readable as a state file, or the directory is none.
    """
    path = data_dir / STATE_FILE
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return ServersState()
    except NotADirectoryError as err:
        raise MissingServerError(f"{data_dir} is no directory: set DEBUG_LOOP_DATA_DIR to one.") from err
    except PermissionError as err:
        raise MissingServerError(
            f"{path} belongs to another user; set DEBUG_LOOP_DATA_DIR to a directory of yours."
        ) from err
    try:
        return ServersState.model_validate_json(content)
    except ValueError as err:
        raise MissingServerError(f"{path} is not a state file ({err}). Move it away and run `debug-loop up`.") from err


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, with the addresses of embedded servers where none is set.

    Cached: after starting or stopping servers in this process call `get_settings.cache_clear()`.
    """
    settings = load_settings()
    running = read_servers_state(settings.data_dir).running
    found = {
        field: running[name].address
        for name, field in (
            ("postgres", "postgres_url"),
            ("valkey", "valkey_url"),
            ("kafka", "kafka_bootstrap_servers"),
        )
        if getattr(settings, field) is None and name in running
    }
    return settings.model_copy(update=found)
