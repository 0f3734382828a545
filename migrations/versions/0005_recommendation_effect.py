"""What became of what was served: outcomes and reuse per task, the effect per day, and loops without progress."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_OUTCOMES = """
create table recommendation_outcomes (
    correlation_id uuid primary key,
    day date not null,
    arm text not null check (arm in ('treatment', 'holdout')),
    drawn_by text not null,
    recommendation_id uuid not null,
    joined_by text not null check (joined_by in ('task', 'report', 'tool_call', 'session')),
    session_id text,
    repository text,
    served_at timestamptz not null,
    recommendations integer not null check (recommendations >= 1),
    succeeded boolean not null,
    attempts integer not null check (attempts >= 0),
    cost_usd numeric(24, 12) check (cost_usd >= 0)
);
comment on table recommendation_outcomes is 'One row per task in which something was, or would have been, served: how it went from there on. Intention to treat.';
comment on column recommendation_outcomes.day is 'Of the first serving.';
comment on column recommendation_outcomes.drawn_by is 'What the arm was drawn by: the session, or the task.';
create index recommendation_outcomes_day on recommendation_outcomes (day);

create table reuse_offers (
    correlation_id uuid not null,
    subject_kind text not null check (subject_kind in ('stf', 'golden_state')),
    subject_id text not null,
    how text not null check (how in ('shown', 'reported', 'written')),
    attempt_id uuid,
    at timestamptz not null,
    primary key (correlation_id, subject_kind, subject_id, how),
    check ((attempt_id is null) = (how = 'shown'))
);
comment on table reuse_offers is 'Functions and golden states that a task was shown, said it used, or wrote in an attempt that failed; the earliest of each.';
create index reuse_offers_subject on reuse_offers (subject_kind, subject_id);

create table stf_uses (
    cluster_id text not null,
    correlation_id uuid not null,
    attempt_id uuid not null,
    recognised_by text not null check (recognised_by in ('report', 'code')),
    outcome text not null check (outcome in ('succeeded', 'failed', 'unknown')),
    peer_id text not null,
    at timestamptz not null,
    primary key (cluster_id, correlation_id)
);
comment on table stf_uses is 'Uses of a cluster of functions: at most one per task, with how the task went from there on.';
create index stf_uses_task on stf_uses (correlation_id);

create table recommendation_effect (
    day date not null,
    measure text not null check (measure in ('succeeded', 'attempts', 'cost_usd')),
    status text not null check (status in ('measured', 'not enough data')),
    first_day date not null,
    tasks_treatment integer not null check (tasks_treatment >= 0),
    tasks_holdout integer not null check (tasks_holdout >= 0),
    repositories integer not null check (repositories >= 0),
    resampled text check (resampled in ('repositories', 'tasks')),
    treatment double precision,
    treatment_low double precision,
    treatment_high double precision,
    holdout double precision,
    holdout_low double precision,
    holdout_high double precision,
    difference double precision,
    difference_low double precision,
    difference_high double precision,
    relative double precision,
    relative_low double precision,
    relative_high double precision,
    p_value double precision check (p_value > 0 and p_value <= 1),
    primary key (day, measure),
    check ((status = 'measured') = (p_value is not null))
);
comment on table recommendation_effect is 'Both arms over the days from first_day to day, with 95 % intervals and a permutation p-value.';

create table stuck_loops (
    correlation_id uuid not null,
    signature text not null,
    position integer not null check (position >= 0),
    day date not null,
    attempt_id uuid not null,
    first_at timestamptz not null,
    stuck_at timestamptz not null,
    last_at timestamptz not null,
    times integer not null check (times >= 2),
    ended boolean not null,
    attempts integer not null check (attempts >= 0),
    unpriced_attempts integer not null check (unpriced_attempts >= 0),
    cost_usd numeric(24, 12) not null check (cost_usd >= 0),
    agent_name text not null,
    session_id text,
    repository text,
    primary key (correlation_id, signature, position),
    check (first_at <= stuck_at and stuck_at <= last_at)
);
comment on table stuck_loops is 'One error signature shown again and again in a task without progress, and what the repetitions cost.';
comment on column stuck_loops.day is 'Of the attempt that showed it so often that it counts as stuck.';
create index stuck_loops_day on stuck_loops (day);
create index stuck_loops_signature on stuck_loops (signature);
"""

_JOINS = """
create index debug_execution_attempts_recommendation on debug_execution_attempts (recommendation_id) where recommendation_id is not null;
"""


def upgrade() -> None:
    for block in (_OUTCOMES, _JOINS):
        op.execute(block)


def downgrade() -> None:
    op.execute("drop index debug_execution_attempts_recommendation")
    op.execute("drop table stuck_loops, recommendation_effect, stf_uses, reuse_offers, recommendation_outcomes")
