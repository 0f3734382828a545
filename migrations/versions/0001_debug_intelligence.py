"""The tables of Part 1: what comes in, the facts of each attempt, the folds over days, the decisions of people."""

import re

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_INGESTION = """
create table execution_inbox (
    attempt_id uuid not null,
    digest text not null check (digest ~ '^[0-9a-f]{64}$'),
    day date not null,
    correlation_id uuid not null,
    execution_id text,
    session_id text,
    started_at timestamptz not null,
    completed_at timestamptz,
    evidence_rank smallint not null check (evidence_rank between 0 and 3),
    source_rank smallint not null check (source_rank between 0 and 1),
    steps integer not null check (steps >= 0),
    holds boolean not null default false,
    event jsonb not null,
    received_at timestamptz not null default now(),
    primary key (attempt_id, digest)
);
comment on table execution_inbox is 'Redacted execution events, one row per attempt and revision; one revision of an attempt holds.';
create unique index execution_inbox_holding on execution_inbox (attempt_id) where holds;
create index execution_inbox_day on execution_inbox (day, attempt_id) include (digest) where holds;
create index execution_inbox_task on execution_inbox (correlation_id) where holds;
create index execution_inbox_session on execution_inbox (session_id) where holds;

create table execution_sources (
    attempt_id uuid not null,
    digest text not null,
    importer text not null,
    file text,
    file_sha256 text not null,
    primary key (attempt_id, digest, importer, file_sha256)
);
comment on table execution_sources is 'The files that tell a revision of an attempt; a copy or a grown session tells it again.';

create table execution_rejects (
    reject_id bigint generated always as identity primary key,
    payload_sha256 text not null,
    reason text not null,
    source text not null,
    position text,
    payload text not null,
    rejected_at timestamptz not null default now(),
    unique (payload_sha256, source)
);
create index execution_rejects_at on execution_rejects (rejected_at desc);

create table import_files (
    path text primary key,
    importer text not null,
    size bigint not null check (size >= 0),
    sha256 text not null,
    summary jsonb not null default '{}',
    imported_at timestamptz not null default now()
);

create table dirty_days (
    mark_id bigint generated always as identity primary key,
    day date not null,
    claimed_by text,
    marked_at timestamptz not null default now()
);
comment on column dirty_days.claimed_by is 'The run that saw the mark when it started; it takes the mark away when it is done.';
create index dirty_days_day on dirty_days (day, mark_id);
create index dirty_days_claimed on dirty_days (claimed_by) where claimed_by is not null;

create table step_progress (
    step text not null,
    attempt_id uuid not null,
    day date not null,
    digest text not null,
    code_version text not null,
    problem text,
    done_at timestamptz not null default now(),
    primary key (step, attempt_id)
);
comment on column step_progress.problem is 'What in this attempt the step could not work on, for people; the rest of the attempt was done.';
create index step_progress_problem on step_progress (step, day) where problem is not null;
create index step_progress_day on step_progress (step, day, attempt_id) include (digest, code_version);

create table fold_marks (
    mark_id bigint generated always as identity primary key,
    fold text not null,
    key text not null,
    day date not null
);
comment on table fold_marks is 'Keys whose facts changed; the fold takes away the marks it saw. Insert only, so no hot row.';
create index fold_marks_fold on fold_marks (fold, day, mark_id);
"""

_FACTS = """
create table debug_execution_attempts (
    attempt_id uuid primary key,
    digest text not null,
    day date not null,
    correlation_id uuid not null,
    execution_id text,
    session_id text,
    run_started_at timestamptz,
    parent_attempt_id uuid,
    parent_correlation_id uuid,
    peer_id text not null,
    agent_name text not null,
    agent_type text,
    importer text not null,
    user_request text not null,
    problem_signature text not null,
    problem_hash text not null check (problem_hash ~ '^[0-9a-f]{64}$'),
    category text not null,
    status text not null check (status in ('success', 'error', 'timeout', 'cancelled', 'partial')),
    outcome text not null check (outcome in ('succeeded', 'failed', 'cancelled', 'unknown')),
    evidence_tier text not null check (evidence_tier in ('verified', 'measured', 'observed', 'unmeasured')),
    started_at timestamptz not null,
    completed_at timestamptz not null,
    time_estimated boolean not null,
    duration_ms bigint check (duration_ms >= 0),
    model_used text,
    provider text,
    tokens_input bigint not null check (tokens_input >= 0),
    tokens_cache_read bigint not null check (tokens_cache_read >= 0),
    tokens_cache_write_5m bigint not null check (tokens_cache_write_5m >= 0),
    tokens_cache_write_1h bigint not null check (tokens_cache_write_1h >= 0),
    tokens_output bigint not null check (tokens_output >= 0),
    usage_estimated boolean not null,
    quality_score double precision check (quality_score between 0 and 1),
    approach_description text,
    repository text,
    branch text,
    commit_sha text,
    pull_request text,
    cwd text,
    tools_used text[] not null,
    files_modified text[] not null,
    stf_ids text[] not null,
    golden_state_ids text[] not null,
    recommendation_id text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    check (completed_at >= started_at),
    check (outcome <> 'succeeded' or (status = 'success' and evidence_tier in ('measured', 'verified')))
);
create index debug_execution_attempts_day on debug_execution_attempts (day, attempt_id);
create index debug_execution_attempts_task on debug_execution_attempts (correlation_id, completed_at);
create index debug_execution_attempts_session on debug_execution_attempts (session_id);
create index debug_execution_attempts_commit on debug_execution_attempts (commit_sha) where commit_sha is not null;
create index debug_execution_attempts_pull_request on debug_execution_attempts (pull_request) where pull_request is not null;
create index debug_execution_attempts_repository on debug_execution_attempts (repository);

create table usage_records (
    message_id text not null,
    request_id text not null,
    attempt_id uuid not null,
    day date not null,
    model text,
    provider text,
    at timestamptz not null,
    tokens_input bigint not null check (tokens_input >= 0),
    tokens_cache_read bigint not null check (tokens_cache_read >= 0),
    tokens_cache_write_5m bigint not null check (tokens_cache_write_5m >= 0),
    tokens_cache_write_1h bigint not null check (tokens_cache_write_1h >= 0),
    tokens_output bigint not null check (tokens_output >= 0),
    estimated boolean not null,
    counted boolean not null default false,
    primary key (message_id, request_id, attempt_id)
);
comment on column usage_records.counted is 'Of all attempts that tell one API response, the one whose copy is counted.';
create unique index usage_records_counted on usage_records (message_id, request_id) where counted;
create index usage_records_attempt on usage_records (attempt_id);

create table attempt_verifications (
    attempt_id uuid not null,
    position integer not null check (position >= 0),
    day date not null,
    correlation_id uuid not null,
    session_id text,
    step integer not null,
    tool_call_id text,
    command text not null,
    goal text not null,
    exit_code integer,
    passed integer,
    failed integer,
    verdict text not null check (verdict in ('pass', 'fail', 'unclear', 'cancelled')),
    outside boolean not null,
    at timestamptz,
    primary key (attempt_id, position)
);
create index attempt_verifications_task on attempt_verifications (correlation_id);
create index attempt_verifications_day on attempt_verifications (day);

create table attempt_errors (
    attempt_id uuid not null,
    position integer not null check (position >= 0),
    day date not null,
    correlation_id uuid not null,
    signature text not null check (signature ~ '^[0-9a-f]{64}$'),
    own_signature text not null check (own_signature ~ '^[0-9a-f]{64}$'),
    stack_signature text,
    error_type text,
    category text not null,
    origin text not null check (origin in
        ('agent_action', 'auth', 'quota', 'rate_limit', 'config', 'transient', 'internal')),
    pattern text not null,
    slots jsonb not null,
    message text not null,
    tool text,
    test text,
    path text,
    line integer,
    step integer not null,
    verification integer,
    tool_call_id text,
    confidence double precision not null check (confidence between 0 and 1),
    at timestamptz not null,
    primary key (attempt_id, position)
);
comment on column attempt_errors.own_signature is 'The signature before a person merged or split its group.';
create index attempt_errors_signature on attempt_errors (signature, at);
create index attempt_errors_own_signature on attempt_errors (own_signature);
create index attempt_errors_task on attempt_errors (correlation_id);
create index attempt_errors_day on attempt_errors (day);

create table attempt_stfs (
    attempt_id uuid not null,
    position integer not null check (position >= 0),
    day date not null,
    stf_hash text not null check (stf_hash ~ '^[0-9a-f]{64}$'),
    language text not null,
    path text not null,
    name text not null,
    code text not null,
    start_line integer not null,
    end_line integer not null,
    is_primary boolean not null,
    confidence double precision not null check (confidence between 0 and 1),
    details jsonb not null,
    primary key (attempt_id, position)
);
create index attempt_stfs_hash on attempt_stfs (stf_hash);
create index attempt_stfs_day on attempt_stfs (day);

create table attempt_stf_quality (
    attempt_id uuid not null,
    position integer not null,
    day date not null,
    stf_hash text not null,
    completeness double precision not null check (completeness between 0 and 1),
    documentation double precision not null check (documentation between 0 and 1),
    onex_compliance double precision not null check (onex_compliance between 0 and 1),
    metadata double precision not null check (metadata between 0 and 1),
    complexity double precision not null check (complexity between 0 and 1),
    quality_score double precision not null check (quality_score between 0 and 1),
    tier text not null check (tier in ('excellent', 'good', 'fair', 'poor')),
    primary key (attempt_id, position)
);
create index attempt_stf_quality_hash on attempt_stf_quality (stf_hash);
create index attempt_stf_quality_day on attempt_stf_quality (day);

create table execution_costs (
    attempt_id uuid primary key,
    day date not null,
    cost_usd numeric(24, 12) check (cost_usd >= 0),
    cost_category text not null check (cost_category in ('cheap', 'moderate', 'expensive', 'unpriced')),
    unpriced_reason text,
    unpriced_detail text not null,
    model text,
    provider text,
    by_model jsonb not null,
    tokens_input bigint not null,
    tokens_cache_read bigint not null,
    tokens_cache_write_5m bigint not null,
    tokens_cache_write_1h bigint not null,
    tokens_output bigint not null,
    estimated boolean not null,
    check ((cost_usd is null) = (unpriced_reason is not null)),
    check ((cost_usd is null) = (cost_category = 'unpriced'))
);
create index execution_costs_day on execution_costs (day);
create index execution_costs_model on execution_costs (model, day);

create table match_epochs (
    epoch bigint generated always as identity primary key,
    registry_digest text not null,
    functions integer not null,
    built_at timestamptz not null default now()
);

create table stf_matches (
    attempt_id uuid not null,
    rank smallint not null check (rank between 1 and 20),
    day date not null,
    stf_hash text not null,
    epoch bigint not null,
    similarity double precision not null check (similarity between 0 and 1.000001),
    quality double precision not null check (quality between 0 and 1),
    composite double precision not null check (composite between 0 and 1),
    primary key (attempt_id, rank)
);
create index stf_matches_hash on stf_matches (stf_hash);
create index stf_matches_day on stf_matches (day);
"""

_FOLDS = """
create table stf_clusters (
    cluster_id text primary key,
    language text not null,
    members integer not null check (members >= 1),
    occurrences integer not null check (occurrences >= 0),
    tasks integer not null check (tasks >= 0)
);

create table debug_transform_functions (
    stf_hash text primary key check (stf_hash ~ '^[0-9a-f]{64}$'),
    cluster_id text not null default '',
    language text not null,
    name text not null,
    code text not null,
    description text,
    problem_signature text not null,
    category text not null,
    details jsonb not null,
    tokens integer not null default 0,
    quality_score double precision not null check (quality_score between 0 and 1),
    quality_tier text not null check (quality_tier in ('excellent', 'good', 'fair', 'poor')),
    quality jsonb not null,
    confidence double precision not null check (confidence between 0 and 1),
    evidence_tier text not null check (evidence_tier in ('verified', 'measured', 'observed', 'unmeasured')),
    approval text not null check (approval in ('pending', 'approved', 'rejected')),
    approved_by text,
    contains_redaction boolean not null,
    occurrences integer not null check (occurrences >= 1),
    usage_count integer not null default 0 check (usage_count >= 0),
    success_count integer not null default 0 check (success_count >= 0),
    failure_count integer not null default 0 check (failure_count >= 0),
    first_attempt_id uuid not null,
    first_completed_at timestamptz not null,
    last_completed_at timestamptz not null,
    peer_id text not null,
    repository text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    check (approval <> 'approved' or not contains_redaction)
);
create index debug_transform_functions_cluster on debug_transform_functions (cluster_id);
create index debug_transform_functions_rank on debug_transform_functions (approval, quality_score desc, stf_hash);
create index debug_transform_functions_category on debug_transform_functions (category);
create index debug_transform_functions_name on debug_transform_functions (name);
create index debug_transform_functions_changed on debug_transform_functions (updated_at, approval);

create table stf_bands (
    band_key bigint not null,
    language text not null,
    stf_hash text not null,
    primary key (band_key, language, stf_hash)
);
comment on table stf_bands is 'MinHash bands: functions that share a key may be near-duplicates; the exact similarity decides.';
create index stf_bands_hash on stf_bands (stf_hash);

create table resolutions (
    resolution_id text primary key check (resolution_id ~ '^[0-9a-f]{64}$'),
    kind text not null check (kind in ('edit', 'command', 'stf')),
    template text not null,
    parts integer not null check (parts >= 1),
    language text,
    stf_cluster_id text,
    example_diff text not null,
    said text,
    example_attempt_id uuid not null,
    example_at timestamptz not null
);

create table mapping_events (
    correlation_id uuid not null,
    signature text not null,
    resolution_id text not null,
    outcome text not null check (outcome in ('success', 'failure')),
    occurred_at timestamptz not null,
    attempt_id uuid not null,
    evidence_tier text not null check (evidence_tier in ('verified', 'measured', 'observed', 'unmeasured')),
    peer_id text,
    error jsonb not null,
    resolution jsonb not null,
    details jsonb not null,
    primary key (correlation_id, signature, resolution_id, outcome)
);
comment on table mapping_events is 'What one task says about one resolution of one error; mappings and resolutions are folds over these.';
create index mapping_events_mapping on mapping_events (signature, resolution_id, occurred_at, attempt_id);
create index mapping_events_resolution on mapping_events (resolution_id);
create index mapping_events_attempt on mapping_events (attempt_id);

create table debug_error_success_mappings (
    mapping_id text primary key check (mapping_id ~ '^[0-9a-f]{64}$'),
    signature text not null,
    resolution_id text not null,
    state text not null check (state in ('new', 'tracking', 'confident', 'deprecated')),
    success_count integer not null check (success_count >= 0),
    failure_count integer not null check (failure_count >= 0),
    confidence double precision not null check (confidence between 0.1 and 1),
    wilson_lower_bound double precision not null check (wilson_lower_bound between 0 and 1),
    error_type text,
    error_category text not null,
    pattern text not null,
    slot_values jsonb not null,
    first_event_at timestamptz not null,
    last_event_at timestamptz not null,
    first_success_at timestamptz,
    first_success_attempt_id uuid,
    first_success_peer_id text,
    confident_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (signature, resolution_id),
    check (success_count + failure_count > 0)
);
create index debug_error_success_mappings_rank
    on debug_error_success_mappings (signature, wilson_lower_bound desc, mapping_id);
create index debug_error_success_mappings_resolution on debug_error_success_mappings (resolution_id);
create index debug_error_success_mappings_type on debug_error_success_mappings (error_type);

create table error_cost_items (
    attempt_id uuid not null,
    signature text not null,
    correlation_id uuid not null,
    day date not null,
    started_at timestamptz not null,
    kind text not null check (kind in ('failed', 'retry')),
    cost_usd numeric(24, 12) check (cost_usd >= 0),
    primary key (attempt_id, signature)
);
comment on table error_cost_items is 'The attempts a signature is charged with, per task: those that failed with it and their retries.';
create index error_cost_items_signature on error_cost_items (signature, day);
create index error_cost_items_task on error_cost_items (correlation_id);

create table error_costs (
    signature text not null,
    day date not null,
    failed_attempts integer not null check (failed_attempts >= 0),
    retry_attempts integer not null check (retry_attempts >= 0),
    unpriced_attempts integer not null check (unpriced_attempts >= 0),
    cost_usd numeric(24, 12) not null check (cost_usd >= 0),
    cost_after_fix_known_usd numeric(24, 12) not null check (cost_after_fix_known_usd >= 0),
    primary key (signature, day),
    check (cost_after_fix_known_usd <= cost_usd)
);
create index error_costs_day on error_costs (day);

create table debug_golden_states (
    golden_state_id text primary key,
    attempt_id uuid not null unique,
    stf_hash text not null,
    state text not null check (state in ('nominated', 'approved', 'rejected')),
    quality_score double precision not null check (quality_score between 0 and 1),
    problem_signature text not null,
    category text not null,
    evidence_tier text not null check (evidence_tier in ('verified', 'measured')),
    peer_id text not null,
    repository text,
    reuse_count integer not null default 0 check (reuse_count >= 0),
    nominated_at timestamptz not null,
    decided_at timestamptz,
    decided_by text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create index debug_golden_states_state on debug_golden_states (state, quality_score desc, golden_state_id);
create index debug_golden_states_stf on debug_golden_states (stf_hash);

create table golden_events (
    golden_state_id text not null,
    position integer not null check (position >= 0),
    action text not null check (action in ('nominate', 'approve', 'reject', 'record_reuse', 'update_quality')),
    from_state text not null,
    to_state text not null,
    occurred_at timestamptz not null,
    actor text not null,
    details jsonb not null,
    primary key (golden_state_id, position)
);
"""

_DECISIONS = """
create table error_group_decisions (
    decision_id bigint generated always as identity primary key,
    kind text not null check (kind in ('merge', 'split')),
    signature text not null,
    into_signature text,
    split_by text,
    reason text not null,
    decided_by text not null,
    decided_at timestamptz not null default now(),
    check ((kind = 'merge') = (into_signature is not null)),
    check ((kind = 'split') = (split_by is not null)),
    check (signature is distinct from into_signature)
);
create index error_group_decisions_signature on error_group_decisions (signature);

create table approvals (
    approval_id bigint generated always as identity primary key,
    subject_kind text not null check (subject_kind in ('stf', 'golden_state')),
    subject_id text not null,
    decision text not null check (decision in ('approve', 'reject')),
    reason text not null,
    decided_by text not null,
    decided_at timestamptz not null default now()
);
create index approvals_subject on approvals (subject_kind, subject_id, approval_id);

create table suppressions (
    subject_kind text not null check (subject_kind in ('stf', 'stf_cluster', 'golden_state', 'resolution', 'signature', 'peer', 'repository')),
    subject_id text not null,
    reason text not null,
    decided_by text not null,
    decided_at timestamptz not null default now(),
    primary key (subject_kind, subject_id)
);

create table recompute_reports (
    report_id bigint generated always as identity primary key,
    step text not null,
    from_version text not null,
    to_version text not null,
    first_day date not null,
    last_day date not null,
    report jsonb not null,
    created_at timestamptz not null default now()
);
create index recompute_reports_step on recompute_reports (step, created_at desc);

create table model_price_catalog (
    price_id bigint generated always as identity primary key,
    provider text not null,
    model text not null,
    effective_from timestamptz not null,
    effective_to timestamptz,
    input_per_million numeric(24, 12) check (input_per_million >= 0),
    cache_read_per_million numeric(24, 12) check (cache_read_per_million >= 0),
    cache_write_5m_per_million numeric(24, 12) check (cache_write_5m_per_million >= 0),
    cache_write_1h_per_million numeric(24, 12) check (cache_write_1h_per_million >= 0),
    output_per_million numeric(24, 12) check (output_per_million >= 0),
    tiers jsonb not null default '[]',
    daily_windows jsonb not null default '[]',
    match_pattern text,
    context_window integer check (context_window > 0),
    deprecated boolean not null default false,
    source text not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (provider, model, effective_from),
    check (effective_to is null or effective_to > effective_from)
);
create index model_price_catalog_model on model_price_catalog (model, effective_from desc);
"""

_VIEWS = """
create function set_updated_at() returns trigger language plpgsql as $$
begin
    new.updated_at := now();
    return new;
end
$$;

create view v_recommended_stfs as
select f.*, coalesce(f.success_count::double precision / nullif(f.success_count + f.failure_count, 0), 0) as success_rate
from debug_transform_functions f
where f.approval = 'approved'
  and not exists (
      select 1 from suppressions s
      where (s.subject_kind, s.subject_id) in
            (('stf', f.stf_hash), ('stf_cluster', f.cluster_id), ('peer', f.peer_id), ('repository', coalesce(f.repository, '')))
  );

create view v_error_resolution_patterns as
select m.mapping_id, m.signature, m.error_type, m.error_category, m.pattern, m.slot_values, m.state, m.success_count,
       m.failure_count, m.confidence, m.wilson_lower_bound, m.first_success_at, m.last_event_at,
       r.resolution_id, r.kind, r.template, r.language, r.stf_cluster_id, r.example_diff, r.said, r.example_attempt_id
from debug_error_success_mappings m
join resolutions r using (resolution_id)
where m.state <> 'deprecated'
  and not exists (
      select 1 from suppressions s
      where (s.subject_kind, s.subject_id) in (('resolution', m.resolution_id), ('signature', m.signature))
  );

create view v_golden_states_full as
select g.golden_state_id, g.attempt_id, g.state, g.quality_score, g.evidence_tier, g.problem_signature, g.category, g.peer_id,
       g.repository, g.reuse_count, g.nominated_at, g.decided_at, g.decided_by, a.user_request, a.approach_description,
       a.agent_name, a.model_used, a.completed_at, a.files_modified, c.cost_usd,
       f.stf_hash, f.name as stf_name, f.language, f.code, f.description, f.cluster_id
from debug_golden_states g
join debug_execution_attempts a using (attempt_id)
join debug_transform_functions f using (stf_hash)
left join execution_costs c using (attempt_id)
where not exists (
    select 1 from suppressions s
    where (s.subject_kind, s.subject_id) in
          (('golden_state', g.golden_state_id), ('stf', g.stf_hash), ('peer', g.peer_id), ('repository', coalesce(g.repository, '')))
);
"""

_DOMAIN_TABLES = (
    "debug_transform_functions",
    "model_price_catalog",
    "debug_execution_attempts",
    "debug_error_success_mappings",
    "debug_golden_states",
)

_TABLES = re.findall(r"^create table (\w+)", _INGESTION + _FACTS + _FOLDS + _DECISIONS, re.MULTILINE)


def upgrade() -> None:
    for block in (_INGESTION, _FACTS, _FOLDS, _DECISIONS, _VIEWS):
        op.execute(block)
    for table in _DOMAIN_TABLES:
        op.execute(
            f"create trigger {table}_updated_at before update on {table} for each row execute function set_updated_at()"
        )


def downgrade() -> None:
    op.execute("drop view v_golden_states_full, v_error_resolution_patterns, v_recommended_stfs")
    op.execute(f"drop table {', '.join(_TABLES)}")
    op.execute("drop function set_updated_at()")
