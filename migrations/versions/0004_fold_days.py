"""With which code a fold was run over a day, so that changed code recomputes and reports what moves (DOMAIN 3.13)."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_FOLD_DAYS = """
create table fold_days (
    fold text not null,
    day date not null,
    code_version text not null,
    primary key (fold, day)
);
comment on table fold_days is 'The code version a fold had when it was last run over a day.';
"""


def upgrade() -> None:
    op.execute(_FOLD_DAYS)


def downgrade() -> None:
    op.execute("drop table fold_days")
