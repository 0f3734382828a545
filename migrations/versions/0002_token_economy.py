"""The tables of Part 2: contributions, decided accounts with their outbox, the fold of the stream, metrics."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_CONTRIBUTIONS = """
create table contributions (
    contribution_id uuid primary key,
    kind text not null check (kind in ('stf', 'fix', 'golden_state', 'golden_reuse', 'reuse')),
    peer_id text not null,
    attempt_id uuid not null,
    occurred_at timestamptz not null,
    attempt_day date not null,
    subject text not null,
    path text,
    function_name text,
    span_ordinal integer check (span_ordinal >= 0),
    start_line integer check (start_line >= 1),
    end_line integer check (end_line >= start_line),
    code text,
    language text,
    quality_score double precision check (quality_score between 0 and 1),
    complexity_score double precision check (complexity_score between 0 and 1),
    used_by_peer_id text,
    external_id text,
    origin text not null check (origin in ('pipeline', 'topic')),
    received_at timestamptz not null default now(),
    status text not null default 'pending' check (status in ('pending', 'rewarded', 'unrewarded', 'rate_limited', 'rejected')),
    sequence bigint unique,
    decision jsonb,
    amount bigint not null default 0 check (amount >= 0),
    transaction_id uuid,
    decided_at timestamptz,
    check ((status = 'pending') = (decided_at is null)),
    check ((status = 'pending') = (sequence is null)),
    check ((status = 'rewarded') = (amount > 0)),
    check ((status = 'rewarded') = (transaction_id is not null))
);
comment on table contributions is 'What may earn tokens. Pending until its evidence is measured, then decided once, with its inputs.';
comment on column contributions.sequence is 'Place in the one sequence of decisions: novelty compares with what came before.';
comment on column contributions.code is 'Of an STF; emptied by forget, its fingerprint stays.';
create index contributions_pending on contributions (occurred_at, attempt_id, contribution_id) where status = 'pending';
create index contributions_attempt on contributions (attempt_id, path);
create index contributions_day on contributions (attempt_day, peer_id);
create index contributions_rewarded_day on contributions (peer_id, attempt_day) where status = 'rewarded';
create index contributions_rewarded_at on contributions (peer_id, decided_at) where status = 'rewarded';
create index contributions_subject on contributions (subject, kind);

create table contribution_fingerprints (
    contribution_id uuid primary key references contributions on delete cascade,
    sequence bigint not null unique,
    language text not null,
    stf_hash text not null,
    tokens integer not null check (tokens >= 0),
    shingles bytea not null
);
comment on table contribution_fingerprints is 'Of every STF that was decided, so that the next one is compared with all of them; read in order of sequence.';
comment on column contribution_fingerprints.shingles is 'Sorted 64-bit hashes of its shingles, little-endian.';

create table contribution_rejects (
    reject_id bigint generated always as identity primary key,
    payload_sha256 text not null unique,
    reason text not null,
    source text not null,
    position text,
    payload text not null,
    rejected_at timestamptz not null default now()
);
comment on table contribution_rejects is 'Messages of contributions.v1 that are no contribution; the same bytes are kept once.';
create index contribution_rejects_at on contribution_rejects (rejected_at desc);
"""

_DECIDED = """
create table token_accounts (
    peer_id text primary key,
    balance bigint not null default 0,
    held bigint not null default 0,
    lifetime_earned bigint not null default 0 check (lifetime_earned >= 0),
    lifetime_spent bigint not null default 0 check (lifetime_spent >= 0),
    last_transaction_id uuid,
    version bigint not null default 0 check (version >= 0),
    last_updated timestamptz,
    last_active timestamptz,
    constraint token_accounts_never_overdrawn check (0 <= held and held <= balance)
) with (fillfactor = 70);
comment on table token_accounts is 'What has been decided. Every decision locks its accounts here, in peer order.';
comment on column token_accounts.last_active is 'Of the latest decision that was no decay.';

create table token_holds (
    hold_id uuid primary key,
    peer_id text not null references token_accounts,
    request_id text not null,
    provider text,
    model text not null,
    amount bigint not null check (amount > 0),
    status text not null default 'open' check (status in ('open', 'settled', 'released', 'expired')),
    created_at timestamptz not null,
    expires_at timestamptz not null check (expires_at > created_at),
    closed_at timestamptz,
    settled_at timestamptz,
    actual bigint check (actual >= 0),
    spent bigint not null default 0 check (spent >= 0),
    uncovered bigint not null default 0 check (uncovered >= 0),
    attempt_id uuid,
    charged boolean not null default false,
    unique (peer_id, request_id),
    check ((status = 'open') = (closed_at is null)),
    check ((status = 'settled') = (settled_at is not null))
);
comment on column token_holds.closed_at is 'When it left open: once, under the lock of its account.';
comment on column token_holds.attempt_id is 'The attempt whose cost it covers, once known.';
comment on column token_holds.charged is 'That attempt was charged before the hold was settled; a settle that comes later spends nothing.';
create index token_holds_open on token_holds (peer_id, expires_at) where status = 'open';
create index token_holds_due on token_holds (expires_at) where status = 'open';
create index token_holds_attempt on token_holds (attempt_id) where attempt_id is not null;

create table token_charges (
    attempt_id uuid primary key,
    peer_id text not null references token_accounts,
    amount bigint not null check (amount >= 0),
    spent bigint not null check (spent >= 0),
    uncovered bigint not null check (uncovered >= 0),
    decided_at timestamptz not null,
    check (amount = spent + uncovered)
);
comment on table token_charges is 'Attempts that no settled hold covered, charged once each as far as the account went.';

create table token_outbox (
    outbox_id bigint generated always as identity primary key,
    transaction_id uuid not null unique,
    partition smallint not null check (partition >= 0),
    peer_id text not null,
    digest text not null check (digest ~ '^[0-9a-f]{64}$'),
    payload bytea not null,
    decided_at timestamptz not null default now()
);
comment on table token_outbox is 'Every transaction decided, as published: append only, and never pruned, since the stream is rebuilt from it.';
create index token_outbox_partition on token_outbox (partition, outbox_id);

create table token_unpublished (
    partition smallint not null,
    outbox_id bigint not null references token_outbox,
    primary key (partition, outbox_id)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
comment on table token_unpublished is 'Rows of token_outbox the broker has not confirmed. Beside it, so that publishing never rewrites a wide row.';
"""

_FOLDED = """
create table consumer_offsets (
    consumer text not null,
    topic text not null,
    partition smallint not null check (partition >= 0),
    topic_id text,
    next_offset bigint not null default 0 check (next_offset >= 0),
    updated_at timestamptz not null default now(),
    primary key (consumer, topic, partition)
) with (fillfactor = 50);
comment on table consumer_offsets is 'The next offset to read, committed in the transaction that folded everything before it.';

create table token_transactions (
    transaction_id uuid primary key,
    group_id uuid,
    peer_id text not null,
    transaction_type text not null check (transaction_type in ('earned', 'spent', 'transferred', 'bonus', 'hold', 'release', 'adjustment')),
    amount bigint not null check (amount <> 0),
    reason text not null,
    subject_hash text not null,
    cause_id text not null,
    quality_score double precision,
    novelty_score double precision,
    counterparty_peer_id text,
    metadata jsonb not null,
    occurred_at timestamptz not null,
    partition smallint not null,
    message_offset bigint not null,
    folded_at timestamptz not null default now()
);
comment on table token_transactions is 'The stream as it was folded, each transaction once.';
comment on column token_transactions.occurred_at is 'When it was decided: the timestamp of the transaction.';
create index token_transactions_peer on token_transactions (peer_id, occurred_at desc, transaction_id);
create index token_transactions_at on token_transactions (occurred_at);

create table token_balances (
    peer_id text primary key,
    balance bigint not null,
    held bigint not null,
    lifetime_earned bigint not null,
    lifetime_spent bigint not null,
    last_transaction_id uuid not null,
    version bigint not null check (version > 0),
    last_updated timestamptz not null,
    folded_at timestamptz not null default now()
) with (fillfactor = 70);
comment on table token_balances is 'The fold of token_transactions by peer. No rule on signs: the fold may see a spend before what paid for it.';
create index token_balances_folded on token_balances (folded_at);
create index token_balances_top on token_balances (balance desc, peer_id);

create table token_quarantine (
    topic text not null,
    topic_id text not null,
    partition smallint not null,
    message_offset bigint not null,
    reason text not null,
    transaction_id uuid,
    message_key text,
    payload_sha256 text not null,
    payload bytea not null,
    payload_bytes integer not null,
    received_at timestamptz not null default now(),
    primary key (topic, topic_id, partition, message_offset)
);
comment on table token_quarantine is 'Messages that no outbox row explains by id, digest and partition. Reported, never folded.';
create index token_quarantine_at on token_quarantine (received_at desc);

create table ledger_epoch (
    only_row boolean primary key default true check (only_row),
    epoch text not null,
    reason text not null,
    began_at timestamptz not null default now()
);
comment on table ledger_epoch is 'Names the cached balances that are valid; a rebuilt or restored ledger begins another.';
insert into ledger_epoch (epoch, reason) values (replace(gen_random_uuid()::text, '-', ''), 'created');

create table economic_metrics (
    day date not null,
    metric text not null,
    status text not null check (status in ('ok', 'not_enough_data')),
    value double precision,
    target double precision,
    met boolean,
    sample_size integer not null check (sample_size >= 0),
    details jsonb not null default '{}',
    computed_at timestamptz not null default now(),
    primary key (day, metric),
    check ((status = 'ok') = (value is not null)),
    check (met is null or status = 'ok')
);
comment on column economic_metrics.met is 'Whether the target is met; unknown where there is no target or not enough data.';
"""

_ALL_TABLES = (
    "economic_metrics",
    "ledger_epoch",
    "token_quarantine",
    "token_balances",
    "token_transactions",
    "consumer_offsets",
    "token_unpublished",
    "token_outbox",
    "token_charges",
    "token_holds",
    "token_accounts",
    "contribution_rejects",
    "contribution_fingerprints",
    "contributions",
)


def upgrade() -> None:
    for block in (_CONTRIBUTIONS, _DECIDED, _FOLDED):
        op.execute(block)


def downgrade() -> None:
    op.execute(f"drop table {', '.join(_ALL_TABLES)}")
