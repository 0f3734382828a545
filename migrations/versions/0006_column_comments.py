"""What the columns mean, for `psql` and for the column schema of the assets in the Dagster UI."""

import re

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_COMMENTS = """
comment on column debug_execution_attempts.attempt_id is 'From the session''s own identifiers: the same work told again is the same attempt.';
comment on column debug_execution_attempts.digest is 'SHA-256 of the revision of the event that holds.';
comment on column debug_execution_attempts.day is 'The partition: the UTC day on which the attempt started.';
comment on column debug_execution_attempts.correlation_id is 'The task: one request, issue or benchmark problem, however many runs work on it.';
comment on column debug_execution_attempts.execution_id is 'The run: one agent session or trajectory on the task.';
comment on column debug_execution_attempts.session_id is 'The agent''s own name of the session.';
comment on column debug_execution_attempts.peer_id is 'The account: what the event says, else the setting, else the agent''s name.';
comment on column debug_execution_attempts.repository is 'Where the work was done, as the transcript names it.';
comment on column debug_execution_attempts.parent_attempt_id is 'The attempt that this one retries, also across runs of the task.';
comment on column debug_execution_attempts.parent_correlation_id is 'Of a sub-agent: the task that started it.';
comment on column debug_execution_attempts.importer is 'Who told it: an importer, or logger.';
comment on column debug_execution_attempts.problem_signature is 'The request, normalised for comparison.';
comment on column debug_execution_attempts.problem_hash is 'SHA-256 of the problem signature.';
comment on column debug_execution_attempts.category is 'Of the problem, by the weighted keyword table.';
comment on column debug_execution_attempts.status is 'How the attempt ended: success, error, timeout, cancelled, partial.';
comment on column debug_execution_attempts.outcome is 'What that means: failed, succeeded (measured at least), cancelled, unknown.';
comment on column debug_execution_attempts.evidence_tier is 'How well the outcome is known: verified, measured, observed, unmeasured.';
comment on column debug_execution_attempts.time_estimated is 'The times are the run''s or the file''s: the attempt told none.';
comment on column debug_execution_attempts.tokens_input is 'Uncached input tokens; the buckets are disjoint.';
comment on column debug_execution_attempts.tokens_output is 'Output tokens, reasoning among them.';
comment on column debug_execution_attempts.usage_estimated is 'Tokens were estimated from text length.';
comment on column debug_execution_attempts.quality_score is 'What the event itself said, if anything.';
comment on column debug_execution_attempts.stf_ids is 'Functions that the agent reported to have reused.';
comment on column debug_execution_attempts.golden_state_ids is 'Golden states that the agent reported to have reused.';
comment on column debug_execution_attempts.recommendation_id is 'What was served to it.';
comment on column attempt_errors.attempt_id is 'The attempt that the row is about.';
comment on column attempt_errors.position is 'Place within the attempt, from 0.';
comment on column attempt_errors.correlation_id is 'The task.';
comment on column attempt_errors.signature is 'SHA-256 of the pattern, after people''s merges and splits: the group.';
comment on column attempt_errors.stack_signature is 'SHA-256 of type and the innermost in-app frames, at most 5; none without a stack.';
comment on column attempt_errors.origin is 'agent_action, or the kind of infrastructure failure; only agent_action teaches fixes.';
comment on column attempt_errors.pattern is 'The message with its variable parts replaced by placeholders.';
comment on column attempt_errors.slots is 'What the placeholders replaced, in order: [{kind, value}].';
comment on column attempt_errors.test is 'The failing test that showed it.';
comment on column attempt_errors.path is 'The file that it names.';
comment on column attempt_errors.step is 'Place in the run.';
comment on column attempt_errors.verification is 'Which of the attempt''s verifications showed it; none for a call that verifies nothing.';
comment on column attempt_errors.confidence is '0.5 + 0.3 type known + 0.1 stack + 0.1 context.';
comment on column execution_costs.attempt_id is 'The attempt that the row is about.';
comment on column execution_costs.cost_usd is 'Sum of buckets at the prices in force when the attempt started; none where unpriced.';
comment on column execution_costs.cost_category is 'cheap, moderate or expensive.';
comment on column execution_costs.unpriced_reason is 'Why there is no cost: unknown model, or a bucket in use without a price.';
comment on column execution_costs.by_model is 'The same per model, where the attempt used several.';
comment on column execution_costs.estimated is 'Tokens were estimated from text length.';
comment on column attempt_stfs.attempt_id is 'The attempt that the row is about.';
comment on column attempt_stfs.position is 'Place within the attempt, from 0.';
comment on column attempt_stfs.stf_hash is 'SHA-256 of language and normalised tokens: formatting does not change it.';
comment on column attempt_stfs.code is 'The function as it was written.';
comment on column attempt_stfs.is_primary is 'The attempt''s best candidate; the others are alternatives.';
comment on column attempt_stfs.confidence is '0.30 function + 0.20 docstring + 0.20 type hints + 0.15 error handling + 0.15 for 10 to 100 lines.';
comment on column attempt_stfs.details is 'Parameters, return type, complexity, imports it needs, names it leaves free.';
comment on column attempt_stf_quality.attempt_id is 'The attempt that the row is about.';
comment on column attempt_stf_quality.position is 'Place within the attempt, from 0.';
comment on column attempt_stf_quality.stf_hash is 'The function.';
comment on column attempt_stf_quality.completeness is 'Main function, error handling, edge cases; 0 to 1, weight 0.30.';
comment on column attempt_stf_quality.documentation is 'Docstring, type hints, comments; 0 to 1, weight 0.25.';
comment on column attempt_stf_quality.onex_compliance is 'Typed models, naming, validated inputs; 0 to 1, weight 0.20.';
comment on column attempt_stf_quality.metadata is 'Version, description and author known; 0 to 1, weight 0.15. Of the occurrence.';
comment on column attempt_stf_quality.complexity is 'By cyclomatic complexity; 0.2 to 1, weight 0.10.';
comment on column attempt_stf_quality.quality_score is 'The weighted sum.';
comment on column attempt_stf_quality.tier is 'excellent, good, fair or poor.';
comment on column debug_transform_functions.stf_hash is 'SHA-256 of language and normalised tokens.';
comment on column debug_transform_functions.cluster_id is 'Hash of the earliest member of its near-duplicates.';
comment on column debug_transform_functions.quality_score is 'The best of its occurrences.';
comment on column debug_transform_functions.quality is 'The five dimensions of that occurrence.';
comment on column debug_transform_functions.evidence_tier is 'The best among the attempts that wrote it.';
comment on column debug_transform_functions.approval is 'pending, approved or rejected; by score and evidence, or by a person.';
comment on column debug_transform_functions.contains_redaction is 'A secret was cut out of it: never approved.';
comment on column debug_transform_functions.occurrences is 'Attempts that wrote it.';
comment on column debug_transform_functions.usage_count is 'Attempts that reused its cluster.';
comment on column debug_transform_functions.success_count is 'Of those, with a measured success.';
comment on column debug_transform_functions.failure_count is 'Of those, with a measured failure.';
comment on column debug_transform_functions.first_attempt_id is 'The attempt that wrote it first.';
comment on column debug_transform_functions.peer_id is 'Who wrote it first.';
comment on column debug_transform_functions.repository is 'Where the work was done, as the transcript names it.';
comment on column recommendation_effect.day is 'All tasks up to this day are compared.';
comment on column recommendation_effect.measure is 'attempts, succeeded or cost_usd, from the first serving on.';
comment on column recommendation_effect.status is 'measured, or not enough data (fewer than 20 tasks an arm).';
comment on column recommendation_effect.resampled is 'What the bootstrap draws: repositories, or tasks below 10 of them.';
comment on column recommendation_effect.treatment is 'Mean of the tasks that were served.';
comment on column recommendation_effect.holdout is 'Mean of the tasks held out: computed and recorded, not shown.';
comment on column recommendation_effect.difference is 'Treatment minus holdout, with its 95 % interval.';
comment on column recommendation_effect.relative is 'That difference in shares of the holdout.';
comment on column recommendation_effect.p_value is 'Of a permutation test.';
comment on column stf_matches.attempt_id is 'The attempt that the row is about.';
comment on column stf_matches.rank is 'From 1; the order is total.';
comment on column stf_matches.epoch is 'The matcher''s snapshot that was asked.';
comment on column stf_matches.similarity is 'Cosine of the problem signatures.';
comment on column stf_matches.composite is 'min(1, (0.6 similarity + 0.4 quality) x 1.1 if used more than 10 times).';
comment on column debug_error_success_mappings.mapping_id is 'SHA-256 of signature and resolution.';
comment on column debug_error_success_mappings.signature is 'The error group.';
comment on column debug_error_success_mappings.resolution_id is 'SHA-256 of the normalised change.';
comment on column debug_error_success_mappings.state is 'new, tracking, confident or deprecated.';
comment on column debug_error_success_mappings.success_count is 'Tasks in which the change made the error go for good.';
comment on column debug_error_success_mappings.failure_count is 'Tasks in which it was tried and the error stayed or came back.';
comment on column debug_error_success_mappings.confidence is 'success / (success + failure), within 0.1 and 1.';
comment on column debug_error_success_mappings.wilson_lower_bound is 'Lower end of the 95 % interval of that share: what ranks.';
comment on column debug_error_success_mappings.slot_values is 'Values the error had where it was resolved.';
comment on column debug_error_success_mappings.first_success_peer_id is 'Who is rewarded when the mapping becomes confident.';
comment on column error_costs.signature is 'The error group.';
comment on column error_costs.failed_attempts is 'Attempts that showed it.';
comment on column error_costs.retry_attempts is 'Attempts that tried to make it go.';
comment on column error_costs.cost_usd is 'What both cost; a cost that two signatures share stands at both.';
comment on column error_costs.cost_after_fix_known_usd is 'The part of it that came when a fix was known already.';
comment on column stuck_loops.correlation_id is 'The task.';
comment on column stuck_loops.attempt_id is 'The attempt whose showing made it stuck.';
comment on column stuck_loops.signature is 'The error group.';
comment on column stuck_loops.times is 'How often it was shown in a row without progress.';
comment on column stuck_loops.ended is 'Progress was made later.';
comment on column stuck_loops.attempts is 'Attempts that repeated it; the first one had to be made.';
comment on column stuck_loops.cost_usd is 'What the repetitions cost.';
comment on column stuck_loops.repository is 'Where the work was done, as the transcript names it.';
comment on column stuck_loops.session_id is 'The agent''s own name of the session.';
comment on column debug_golden_states.golden_state_id is 'The attempt''s id: one golden state an attempt.';
comment on column debug_golden_states.stf_hash is 'Its best function.';
comment on column debug_golden_states.state is 'nominated, approved or rejected.';
comment on column debug_golden_states.reuse_count is 'Times it was reused.';
comment on column debug_golden_states.peer_id is 'The account: what the event says, else the setting, else the agent''s name.';
comment on column debug_golden_states.repository is 'Where the work was done, as the transcript names it.';
comment on column dirty_days.day is 'A day with something to compute.';
comment on column execution_inbox.attempt_id is 'The attempt that the row is about.';
comment on column execution_inbox.correlation_id is 'The task.';
comment on column execution_inbox.execution_id is 'The run: one agent session or trajectory on the task.';
comment on column execution_inbox.session_id is 'The agent''s own name of the session.';
comment on column execution_inbox.digest is 'SHA-256 of the event''s content: one row per revision.';
comment on column execution_inbox.evidence_rank is 'Which revision holds: evidence first,';
comment on column execution_inbox.source_rank is 'then importer before logger,';
comment on column execution_inbox.steps is 'then later completed_at and more steps, then the greater digest.';
comment on column execution_inbox.holds is 'The revision that everything is derived from.';
comment on column execution_inbox.event is 'The execution event, redacted, without fields at their defaults.';
comment on column model_price_catalog.effective_from is 'In force from here on; a row in force is closed, not overwritten.';
comment on column model_price_catalog.effective_to is 'Until here; none while in force.';
comment on column model_price_catalog.input_per_million is 'USD per million uncached input tokens; none where there is no price.';
comment on column model_price_catalog.tiers is 'Other prices above a number of input tokens.';
comment on column model_price_catalog.daily_windows is 'Other prices at some hours of the day.';
comment on column model_price_catalog.match_pattern is 'Which names in logs mean this model.';
comment on column model_price_catalog.source is 'genai-prices and its version, or who added it.';
comment on column contributions.contribution_id is 'UUIDv5 of peer, attempt and code span: one contribution, however often it is told.';
comment on column contributions.kind is 'stf, fix, golden_state, golden_reuse or reuse.';
comment on column contributions.peer_id is 'Who gave.';
comment on column contributions.attempt_id is 'The attempt in which it was given.';
comment on column contributions.attempt_day is 'Bounds the rewards of a peer and day.';
comment on column contributions.status is 'pending, rewarded, unrewarded, rate_limited or rejected; decided once.';
comment on column contributions.decision is 'The inputs of the decision: evidence, quality, novelty, the nearest earlier work, reasons.';
comment on column contributions.amount is 'Reward in millitokens.';
comment on column contributions.used_by_peer_id is 'Of a reuse: who used it.';
comment on column contributions.origin is 'The pipeline, or the topic of outside contributions.';
comment on column token_outbox.outbox_id is 'Order of publishing within a partition.';
comment on column token_outbox.partition is 'Of token.transactions.v1, by peer.';
comment on column token_outbox.digest is 'SHA-256 of the content: what is folded has to match it.';
comment on column token_outbox.payload is 'The message.';
comment on column token_charges.attempt_id is 'The attempt that the row is about.';
comment on column token_charges.amount is 'What the attempt cost, in millitokens, rounded up.';
comment on column token_charges.spent is 'The part that the balance covered.';
comment on column token_charges.uncovered is 'The rest.';
comment on column economic_metrics.status is 'ok, or not enough data.';
comment on column economic_metrics.sample_size is 'Contributors with a reward in the trailing 30 days, or what the metric counts.';
comment on column token_balances.peer_id is 'The account.';
comment on column token_balances.balance is 'Sum of its transactions, in millitokens.';
comment on column token_balances.held is 'Inside the balance: what open holds reserve.';
comment on column token_balances.version is 'Transactions folded so far: an older value never replaces a newer one.';
"""


def upgrade() -> None:
    op.execute(_COMMENTS)


def downgrade() -> None:
    op.execute(re.sub(r" is '.*';", " is null;", _COMMENTS))
