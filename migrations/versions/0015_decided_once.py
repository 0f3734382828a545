"""A fix that was over a limit is known under another name too, like one that was paid."""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_UP = """
update contributions c set fix_attempts = array(
    select distinct (e.details #>> '{gone,attempt_id}')::uuid from mapping_events e
    where e.signature = split_part(c.subject, ':', 1) and e.resolution_id = split_part(c.subject, ':', 2) and e.outcome = 'success'
) where kind = 'fix' and status = 'rate_limited';
comment on column contributions.fix_attempts is 'Of a fix that was paid, or over a limit: the first attempts whose change it was, by which it is known when its error or change is named otherwise.';
comment on column contributions.paid_as is 'Of a fix that was not paid: the contribution that was decided for the same work under another name.';
"""


def upgrade() -> None:
    """Tells by which attempts a fix is known that a limit kept from being paid."""
    op.execute(_UP)


def downgrade() -> None:
    """Forgets them. The comments stay: what they say of paid fixes is true before, too."""
    op.execute("update contributions set fix_attempts = null where status = 'rate_limited'")
