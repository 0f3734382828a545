"""Tasks that an attempt has left are folded anew; the length of each event, by which work is cut into chunks."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_LEFT = """
from execution_inbox o
join execution_inbox h on h.attempt_id = o.attempt_id and h.holds
{more}
where not o.holds and o.correlation_id <> h.correlation_id
"""

_UP = f"""
alter table execution_inbox add column bytes integer not null default 0;
update execution_inbox set bytes = octet_length(event::text);
comment on column execution_inbox.bytes is 'Length of the event as JSON; what is read at once is bounded by it.';
insert into fold_marks (fold, key, day)
select distinct f.fold, o.correlation_id::text, h.day
{
    _LEFT.format(
        more="cross join (values ('error_success_mappings'), ('error_costs'), ('stuck_loops'), ('recommendation_outcomes')) f(fold)"
    )
};
insert into dirty_days (day) select distinct h.day {_LEFT.format(more="")};
"""


def upgrade() -> None:
    op.execute(_UP)


def downgrade() -> None:
    op.execute("alter table execution_inbox drop column bytes")
