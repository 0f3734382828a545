"""What was forgotten does not come in again: not by an import of a grown file, not by a spool that is sent once more."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_UP = """
create table forgotten (
    id uuid primary key,
    kind text not null check (kind in ('attempt', 'session', 'repository', 'peer')),
    forgotten_with uuid not null,
    forgotten_at timestamptz not null default clock_timestamp()
);
comment on table forgotten is 'What must not come in again. Ids alone: nothing that was forgotten can be read from it.';
comment on column forgotten.id is 'Of an attempt, or made of the name of a session, repository or peer by a hash.';
comment on column forgotten.kind is 'What the id is of. Of a repository or peer only what began before forgotten_at stays out.';
comment on column forgotten.forgotten_with is 'The session, repository or peer that was forgotten; to take it back.';
comment on column forgotten.forgotten_at is 'When that was.';
create index forgotten_with on forgotten (forgotten_with);
"""


def upgrade() -> None:
    op.execute(_UP)


def downgrade() -> None:
    op.execute("drop table forgotten")
