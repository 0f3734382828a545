"""A merge or split of error groups can be taken back: a decision of its own."""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_UP = """
alter table error_group_decisions drop constraint error_group_decisions_kind_check;
alter table error_group_decisions add constraint error_group_decisions_kind_check
    check (kind in ('merge', 'split', 'undo'));
"""

_DOWN = """
delete from error_group_decisions d
where exists (
    select from error_group_decisions u
    where u.kind = 'undo' and u.signature = d.signature and u.decision_id >= d.decision_id
);
alter table error_group_decisions drop constraint error_group_decisions_kind_check;
alter table error_group_decisions add constraint error_group_decisions_kind_check check (kind in ('merge', 'split'));
"""


def upgrade() -> None:
    """Lets the decision `undo` be recorded."""
    op.execute(_UP)


def downgrade() -> None:
    """Forgets it, with what was undone."""
    op.execute(_DOWN)
