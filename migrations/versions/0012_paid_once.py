"""What a fix was paid for, so that it is known under another name; and a request may be authorised again after its hold was given back."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_UP = """
alter table contributions add column fix_attempts uuid[];
comment on column contributions.fix_attempts is 'Of a fix that was paid: the first attempts whose change it was, by which it is known when its error or change is named otherwise.';
alter table contributions add column paid_as uuid;
comment on column contributions.paid_as is 'Of a fix that was not paid: the contribution that was paid for the same work under another name.';
update contributions c set fix_attempts = array(
    select distinct (e.details #>> '{gone,attempt_id}')::uuid from mapping_events e
    where e.signature = split_part(c.subject, ':', 1) and e.resolution_id = split_part(c.subject, ':', 2) and e.outcome = 'success'
) where kind = 'fix' and status = 'rewarded';
create index contributions_fix_attempts on contributions using gin (fix_attempts) where fix_attempts is not null;
create index contributions_paid_as on contributions (paid_as) where paid_as is not null;
alter table token_holds drop constraint token_holds_peer_id_request_id_key;
create index token_holds_request on token_holds (peer_id, request_id);
create unique index token_holds_open_request on token_holds (peer_id, request_id) where status = 'open';
"""

_DOWN = """
drop index token_holds_open_request;
drop index token_holds_request;
delete from token_holds h where status in ('released', 'expired') and exists (
    select from token_holds o
    where o.peer_id = h.peer_id and o.request_id = h.request_id and (o.created_at, o.hold_id) > (h.created_at, h.hold_id)
);
alter table token_holds add constraint token_holds_peer_id_request_id_key unique (peer_id, request_id);
drop index contributions_paid_as;
drop index contributions_fix_attempts;
alter table contributions drop column paid_as;
alter table contributions drop column fix_attempts;
"""


def upgrade() -> None:
    op.execute(_UP)


def downgrade() -> None:
    op.execute(_DOWN)
