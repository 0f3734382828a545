"""What the remaining columns of the assets' tables mean: no column in the Dagster UI is without a word."""

import re

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_COMMENTS = """
comment on column attempt_errors.day is 'The partition: the UTC day on which the attempt started.';
comment on column attempt_errors.error_type is 'Exception class, or the tool''s own code of it; none where the text names none.';
comment on column attempt_errors.category is 'What kind of trouble: import_error, test_failure, build_error and so on, else unknown.';
comment on column attempt_errors.message is 'As it was shown, secrets removed.';
comment on column attempt_errors.tool is 'What showed it: a tool of the agent, or a program it ran.';
comment on column attempt_errors.line is 'The line in that file.';
comment on column attempt_errors.tool_call_id is 'The agent''s own id of the call that showed it.';
comment on column attempt_errors.at is 'When it was shown.';
comment on column attempt_stf_quality.day is 'The partition: the UTC day on which the attempt started.';
comment on column attempt_stfs.day is 'The partition: the UTC day on which the attempt started.';
comment on column attempt_stfs.language is 'python, javascript, typescript or go.';
comment on column attempt_stfs.path is 'The file that it was written to.';
comment on column attempt_stfs.name is 'The function''s name.';
comment on column attempt_stfs.start_line is 'Its first line within what was written, from 1.';
comment on column attempt_stfs.end_line is 'Its last line.';
comment on column contributions.occurred_at is 'When it was given: the end of that attempt, or the decision on the fix or golden state.';
comment on column contributions.subject is 'What was given: hash of the function, signature:resolution, or golden state.';
comment on column contributions.path is 'Of a function: the file.';
comment on column contributions.function_name is 'Of a function: its name.';
comment on column contributions.span_ordinal is 'Of a function: which of that name in the file, from 0.';
comment on column contributions.start_line is 'Of a function: its first line.';
comment on column contributions.end_line is 'Of a function: its last line.';
comment on column contributions.language is 'Of a function: its language.';
comment on column contributions.quality_score is 'Of the function or golden state; 0 to 1.';
comment on column contributions.complexity_score is 'Of a function: the quality dimension of that name; 0 to 1.';
comment on column contributions.external_id is 'Its id on the topic, where it came from outside.';
comment on column contributions.received_at is 'When it was told.';
comment on column contributions.transaction_id is 'The reward, where there is one.';
comment on column contributions.decided_at is 'When it was decided; none while it is pending.';
comment on column debug_error_success_mappings.error_type is 'Of the error group: exception class, or the tool''s own code.';
comment on column debug_error_success_mappings.error_category is 'Of the error group: import_error, test_failure and so on.';
comment on column debug_error_success_mappings.pattern is 'The error group''s message with placeholders.';
comment on column debug_error_success_mappings.first_event_at is 'The first task''s word on it.';
comment on column debug_error_success_mappings.last_event_at is 'The latest task''s word on it.';
comment on column debug_error_success_mappings.first_success_at is 'When it first made the error go.';
comment on column debug_error_success_mappings.first_success_attempt_id is 'The attempt in which that was.';
comment on column debug_error_success_mappings.confident_at is 'When it became confident first.';
comment on column debug_error_success_mappings.created_at is 'When the row was first written.';
comment on column debug_error_success_mappings.updated_at is 'When the row was last changed.';
comment on column debug_execution_attempts.run_started_at is 'When the run began.';
comment on column debug_execution_attempts.agent_name is 'Which agent worked.';
comment on column debug_execution_attempts.agent_type is 'The kind of agent, as the event says.';
comment on column debug_execution_attempts.user_request is 'What was asked for, secrets removed.';
comment on column debug_execution_attempts.started_at is 'When the attempt began.';
comment on column debug_execution_attempts.completed_at is 'When it ended.';
comment on column debug_execution_attempts.duration_ms is 'From begin to end, in milliseconds.';
comment on column debug_execution_attempts.model_used is 'The model that answered, as the transcript names it.';
comment on column debug_execution_attempts.provider is 'Who serves that model.';
comment on column debug_execution_attempts.tokens_cache_read is 'Input tokens that were read from the prompt cache.';
comment on column debug_execution_attempts.tokens_cache_write_5m is 'Input tokens that were written to the prompt cache for 5 minutes.';
comment on column debug_execution_attempts.tokens_cache_write_1h is 'Input tokens that were written to the prompt cache for an hour.';
comment on column debug_execution_attempts.approach_description is 'What the agent said it does.';
comment on column debug_execution_attempts.branch is 'The git branch.';
comment on column debug_execution_attempts.commit_sha is 'The git commit.';
comment on column debug_execution_attempts.pull_request is 'The pull request.';
comment on column debug_execution_attempts.cwd is 'The working directory.';
comment on column debug_execution_attempts.tools_used is 'Names of the tools that it called.';
comment on column debug_execution_attempts.files_modified is 'Files that it changed.';
comment on column debug_execution_attempts.created_at is 'When the row was first written.';
comment on column debug_execution_attempts.updated_at is 'When the row was last changed.';
comment on column debug_golden_states.attempt_id is 'The attempt that the solution is of.';
comment on column debug_golden_states.quality_score is 'Of that function; 0 to 1.';
comment on column debug_golden_states.problem_signature is 'What it solves: the request, normalised.';
comment on column debug_golden_states.category is 'Of the problem, by the weighted keyword table.';
comment on column debug_golden_states.evidence_tier is 'How well the attempt''s success is known: verified or measured.';
comment on column debug_golden_states.nominated_at is 'When it became a candidate.';
comment on column debug_golden_states.decided_at is 'When it was approved or rejected; none while it is nominated.';
comment on column debug_golden_states.decided_by is 'Who decided: a person, or the automatic rule.';
comment on column debug_golden_states.created_at is 'When the row was first written.';
comment on column debug_golden_states.updated_at is 'When the row was last changed.';
comment on column debug_transform_functions.language is 'python, javascript, typescript or go.';
comment on column debug_transform_functions.name is 'The function''s name.';
comment on column debug_transform_functions.code is 'Its source, of the occurrence with the best quality.';
comment on column debug_transform_functions.description is 'First line of its documentation, if it has any.';
comment on column debug_transform_functions.problem_signature is 'What was asked for where it was written, normalised.';
comment on column debug_transform_functions.category is 'Of that problem, by the weighted keyword table.';
comment on column debug_transform_functions.details is 'Parameters, return type, complexity, imports it needs, names it leaves free.';
comment on column debug_transform_functions.tokens is 'Length in normalised tokens; near-duplicates are sought from 40 on.';
comment on column debug_transform_functions.quality_tier is 'excellent, good, fair or poor.';
comment on column debug_transform_functions.confidence is 'How sure the extraction is that it is a reusable function; 0.5 to 1.';
comment on column debug_transform_functions.approved_by is 'Who decided: a person, or the automatic rule.';
comment on column debug_transform_functions.first_completed_at is 'End of the attempt that wrote it first.';
comment on column debug_transform_functions.last_completed_at is 'End of the attempt that wrote it last.';
comment on column debug_transform_functions.created_at is 'When the row was first written.';
comment on column debug_transform_functions.updated_at is 'When the row was last changed.';
comment on column dirty_days.mark_id is 'Order of the marks.';
comment on column dirty_days.marked_at is 'When something came in for the day.';
comment on column economic_metrics.day is 'The partition: a UTC day.';
comment on column economic_metrics.metric is 'gini, velocity, earnings_vs_spending, concentration, or an amount of the day.';
comment on column economic_metrics.value is 'The number; amounts are in tokens. None without enough data.';
comment on column economic_metrics.target is 'What the value is held against; none where there is no target.';
comment on column economic_metrics.details is 'The target and how the value came about; for gini the Lorenz curve.';
comment on column economic_metrics.computed_at is 'When it was computed.';
comment on column error_costs.day is 'The partition: the UTC day of the attempts.';
comment on column error_costs.unpriced_attempts is 'Attempts among them whose cost is not known.';
comment on column execution_costs.day is 'The partition: the UTC day on which the attempt started.';
comment on column execution_costs.unpriced_detail is 'Which model or bucket that was.';
comment on column execution_costs.model is 'The catalog''s model; of several the one with most tokens.';
comment on column execution_costs.provider is 'Who serves that model.';
comment on column execution_costs.tokens_input is 'Uncached input tokens.';
comment on column execution_costs.tokens_cache_read is 'Input tokens that were read from the prompt cache.';
comment on column execution_costs.tokens_cache_write_5m is 'Input tokens that were written to the prompt cache for 5 minutes.';
comment on column execution_costs.tokens_cache_write_1h is 'Input tokens that were written to the prompt cache for an hour.';
comment on column execution_costs.tokens_output is 'Output tokens, reasoning among them.';
comment on column execution_inbox.day is 'The partition: the UTC day on which the attempt started.';
comment on column execution_inbox.started_at is 'When the attempt began.';
comment on column execution_inbox.completed_at is 'When it ended.';
comment on column execution_inbox.received_at is 'When the revision came in.';
comment on column model_price_catalog.price_id is 'Order of entry.';
comment on column model_price_catalog.provider is 'Who serves the model.';
comment on column model_price_catalog.model is 'The model''s name at its provider.';
comment on column model_price_catalog.cache_read_per_million is 'USD per million input tokens that are read from the prompt cache.';
comment on column model_price_catalog.cache_write_5m_per_million is 'USD per million input tokens that are written to the prompt cache for 5 minutes.';
comment on column model_price_catalog.cache_write_1h_per_million is 'USD per million input tokens that are written to the prompt cache for an hour.';
comment on column model_price_catalog.output_per_million is 'USD per million output tokens.';
comment on column model_price_catalog.context_window is 'Most tokens in one request.';
comment on column model_price_catalog.deprecated is 'Not to be advised any more; what it cost stays known.';
comment on column model_price_catalog.created_at is 'When the row was first written.';
comment on column model_price_catalog.updated_at is 'When the row was last changed.';
comment on column recommendation_effect.first_day is 'The day of the first task that is compared.';
comment on column recommendation_effect.tasks_treatment is 'Tasks that were served.';
comment on column recommendation_effect.tasks_holdout is 'Tasks that were held out.';
comment on column recommendation_effect.repositories is 'Repositories that the tasks are of.';
comment on column recommendation_effect.treatment_low is 'Lower end of its 95 % interval.';
comment on column recommendation_effect.treatment_high is 'Upper end of it.';
comment on column recommendation_effect.holdout_low is 'Lower end of its 95 % interval.';
comment on column recommendation_effect.holdout_high is 'Upper end of it.';
comment on column recommendation_effect.difference_low is 'Lower end of its 95 % interval.';
comment on column recommendation_effect.difference_high is 'Upper end of it.';
comment on column recommendation_effect.relative_low is 'Lower end of its 95 % interval.';
comment on column recommendation_effect.relative_high is 'Upper end of it.';
comment on column stf_matches.day is 'The partition: the UTC day on which the attempt started.';
comment on column stf_matches.stf_hash is 'The function that matched.';
comment on column stf_matches.quality is 'The function''s quality score.';
comment on column stuck_loops.position is 'Place among the streaks of that error in the task, from 0.';
comment on column stuck_loops.first_at is 'When the error was first shown.';
comment on column stuck_loops.stuck_at is 'When it was shown so often that it counts as stuck.';
comment on column stuck_loops.last_at is 'When it was shown last.';
comment on column stuck_loops.unpriced_attempts is 'Repetitions whose cost is not known.';
comment on column stuck_loops.agent_name is 'Which agent worked.';
comment on column token_balances.lifetime_earned is 'All that was ever earned, in millitokens.';
comment on column token_balances.lifetime_spent is 'All that was ever spent, in millitokens.';
comment on column token_balances.last_transaction_id is 'The transaction that was folded last.';
comment on column token_balances.last_updated is 'When that transaction was decided.';
comment on column token_balances.folded_at is 'When it was folded.';
comment on column token_charges.peer_id is 'Who is charged.';
comment on column token_charges.decided_at is 'When it was charged.';
comment on column token_outbox.transaction_id is 'Of its content: the same decision has the same id.';
comment on column token_outbox.peer_id is 'The account.';
comment on column token_outbox.decided_at is 'When it was decided.';
"""


def upgrade() -> None:
    op.execute(_COMMENTS)


def downgrade() -> None:
    op.execute(re.sub(r" is '.*';", " is null;", _COMMENTS))
