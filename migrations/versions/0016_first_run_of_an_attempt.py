"""What was copied out of a session stays that session's: of two runs that tell an attempt the first in the order of credit holds it."""

from __future__ import annotations

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_COLUMN = """
alter table execution_inbox add column run_started_at timestamptz;
update execution_inbox set run_started_at = cast(event ->> 'run_started_at' as timestamptz) where event ->> 'run_started_at' is not null;
comment on column execution_inbox.run_started_at is 'then the run that began first, of those that began at once the one whose execution_id is least,';
"""

_SETTLE = """
create temporary table settled on commit drop as
select attempt_id, digest, day, best from (
    select attempt_id, digest, day, holds,
           row_number() over (
               partition by attempt_id
               order by evidence_rank desc, source_rank desc, {run} coalesce(completed_at, started_at) desc, steps desc, digest desc
           ) = 1 as best
    from execution_inbox
) ranked
where holds <> best;
update execution_inbox i set holds = false from settled s where i.attempt_id = s.attempt_id and i.digest = s.digest and not s.best;
update execution_inbox i set holds = true from settled s where i.attempt_id = s.attempt_id and i.digest = s.digest and s.best;
insert into dirty_days (day) select distinct day from settled;
drop table settled;
"""


def upgrade() -> None:
    """Lets the revisions settle anew; what changes is computed with the next run."""
    op.execute(_COLUMN + _SETTLE.format(run='run_started_at, execution_id collate "C",'))


def downgrade() -> None:
    """As before: nothing of the run counts."""
    op.execute(_SETTLE.format(run="") + "alter table execution_inbox drop column run_started_at")
