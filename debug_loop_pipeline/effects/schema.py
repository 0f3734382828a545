"""Brings a database to a revision of the schema (Alembic). No table is created anywhere else."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, make_url, pool, text

from debug_loop_pipeline.effects.schema_columns import migrations_folder

_LOCK = 0x64656275  # one migration at a time per database


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()))
    return config


def _run(url: str, step: str, revision: str) -> None:
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg2"), poolclass=pool.NullPool)
    with engine.connect() as connection:
        connection.execute(text("select pg_advisory_lock(:key)"), {"key": _LOCK})
        connection.commit()
        try:
            config = _config()
            config.attributes["connection"] = connection
            (command.upgrade if step == "up" else command.downgrade)(config, revision)
            connection.commit()
        finally:
            connection.rollback()
            connection.execute(text("select pg_advisory_unlock(:key)"), {"key": _LOCK})
            connection.commit()
    engine.dispose()


def upgrade(url: str, revision: str = "head") -> None:
    """Upgrade the database at `url` (postgresql://...) to `revision`; safe when several processes do it at once."""
    _run(url, "up", revision)


def downgrade(url: str, revision: str) -> None:
    """Downgrade to `revision` (`base` removes everything of ours)."""
    _run(url, "down", revision)


def current(url: str) -> tuple[str | None, str | None]:
    """(revision of the database, newest revision known to this code)."""
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg2"), poolclass=pool.NullPool)
    with engine.connect() as connection:
        have = MigrationContext.configure(connection).get_current_revision()
    engine.dispose()
    return have, ScriptDirectory.from_config(_config()).get_current_head()
