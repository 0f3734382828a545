"""What was served to agents, and the verdicts that came from outside."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_SERVING = """
create table recommendations (
    recommendation_id uuid primary key,
    session_id text,
    tool_call_id text,
    correlation_id uuid,
    agent text,
    occasion text not null check (occasion in ('prompt', 'failure', 'request')),
    repository text,
    arm text not null check (arm in ('treatment', 'holdout', 'none')),
    problem_hash text,
    error_signature text,
    stf_hashes text[] not null,
    mapping_ids text[] not null,
    golden_state_ids text[] not null,
    characters integer not null check (characters >= 0),
    served_at timestamptz not null,
    outcome text check (outcome in ('helped', 'did_not_help')),
    outcome_note text,
    outcome_at timestamptz,
    check ((outcome is null) = (outcome_at is null))
);
comment on table recommendations is 'Everything that was served, or would have been in the arm that is held out. Ids only, no text of the asker.';
comment on column recommendations.arm is 'Drawn by session, or task where there is no session; none where neither is known.';
comment on column recommendations.outcome is 'What the agent itself said. What happened is told by the task it joins with.';
create index recommendations_session on recommendations (session_id, served_at) where session_id is not null;
create index recommendations_task on recommendations (correlation_id) where correlation_id is not null;
create index recommendations_at on recommendations (served_at);
"""

_LATEST = """
create index debug_execution_attempts_problem on debug_execution_attempts (problem_hash, started_at desc, attempt_id);
create index debug_execution_attempts_category on debug_execution_attempts (category, started_at desc, attempt_id);
"""

_VERDICTS = """
create table verdicts (
    verdict_id uuid primary key,
    kind text not null check (kind in ('commit', 'pull_request', 'correlation')),
    subject text not null,
    repository text,
    name text not null,
    passed boolean not null,
    tests integer check (tests >= 0),
    failures jsonb not null default '[]',
    failures_not_kept integer not null default 0 check (failures_not_kept >= 0),
    decided_at timestamptz not null,
    recorded_by text not null,
    recorded_at timestamptz not null default now(),
    check (not passed or jsonb_array_length(failures) = 0)
);
comment on table verdicts is 'The newest verdict of each check (name) on a commit, pull request or task. Applied to attempts whenever they come.';
create index verdicts_subject on verdicts (kind, subject);
create index verdicts_commit on verdicts (left(subject, 7)) where kind = 'commit';

create index execution_inbox_commit on execution_inbox (left(event #>> '{context,commit}', 7))
    where holds and event #>> '{context,commit}' is not null;
create index execution_inbox_pull_request on execution_inbox ((substring(event #>> '{context,pull_request}' from '([0-9]+)/?$')))
    where holds and event #>> '{context,pull_request}' is not null;
"""


def upgrade() -> None:
    for block in (_SERVING, _LATEST, _VERDICTS):
        op.execute(block)


def downgrade() -> None:
    op.execute(
        "drop index execution_inbox_commit, execution_inbox_pull_request, debug_execution_attempts_problem,"
        " debug_execution_attempts_category"
    )
    op.execute("drop table verdicts, recommendations")
