"""What went wrong in tasks that resemble a request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.postgres import Database


def errors_of_similar_tasks(
    database: Database, problem_hash: str, stf_hashes: Sequence[str], limit: int
) -> list[dict[str, Any]]:
    """Error groups of the tasks with this problem, or in which one of these functions was written; commonest first.

    Groups, peers and repositories that a person suppressed are left out, and so is what the infrastructure caused.
    """
    return fetch_rows(
        database,
        _ERRORS,
        {"problem": problem_hash, "functions": list(stf_hashes), "limit": limit},
        operation="failures",
    )


_ERRORS = """
with alike as (
    select correlation_id from debug_execution_attempts where problem_hash = :problem
    union
    select a.correlation_id from attempt_stfs s join debug_execution_attempts a using (attempt_id)
    where s.stf_hash = any(:functions)
)
select e.signature, min(e.pattern) as pattern, min(e.error_type) as error_type, min(e.category) as category,
       count(distinct e.correlation_id) as tasks
from attempt_errors e join alike using (correlation_id) join debug_execution_attempts a using (attempt_id)
where e.origin = 'agent_action'
  and not exists (
      select 1 from suppressions s
      where (s.subject_kind, s.subject_id) in
            (('signature', e.signature), ('peer', a.peer_id), ('repository', coalesce(a.repository, '')))
  )
group by e.signature
order by tasks desc, e.signature
limit :limit
"""
