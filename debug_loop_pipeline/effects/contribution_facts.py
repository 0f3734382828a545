"""The facts that contributions are judged by, as SQL over the store (DOMAIN 4.3).

Belongs here: what of the facts and folds speaks for or against a contribution, said once for whoever looks for contributions
(`steps/contributions`) and whoever judges them (`contribution_store`). Not here: the rules (`compute/economy/contribution_decision`).
"""

from __future__ import annotations

FIXED_IN = """
join mapping_events s on s.signature = m.signature and s.resolution_id = m.resolution_id and s.outcome = 'success'
    and s.occurred_at = m.first_success_at and s.attempt_id = m.first_success_attempt_id
join debug_execution_attempts w on w.attempt_id = (s.details #>> '{gone,attempt_id}')::uuid
"""
"""The attempt `w` that gave the fix of a mapping `m`: the first that showed the error gone. Its change is the fix; the check that passed
later, by which the task knows, may be in the attempt of another peer."""

SHOWN_BEFORE = """
r.arm <> 'holdout' and m.mapping_id = any(r.mapping_ids) and e.occurred_at >= r.served_at
and (a.recommendation_id = r.recommendation_id::text or a.session_id = r.session_id or a.correlation_id = r.correlation_id)
"""
"""Whether the recommendation `r` showed the fix of a mapping `m` to the task of an attempt `a` before the success `e` of that task. A fix
that is found again without having been shown is nobody's reuse."""

SUBJECT_FACTS = f"""
left join lateral (
    select m.mapping_id, m.signature, m.resolution_id, m.confident_at is not null and m.state <> 'deprecated' as confident, w.peer_id as owner
    from debug_error_success_mappings m
    {FIXED_IN}
    where c.kind in ('fix', 'reuse') and m.signature = split_part(c.subject, ':', 1) and m.resolution_id = split_part(c.subject, ':', 2)
) m on true
left join lateral (
    select f.stf_hash, f.cluster_id, coalesce(e.peer_id, f.peer_id) as owner
    from debug_transform_functions f left join debug_transform_functions e on e.stf_hash = f.cluster_id
    where c.kind in ('stf', 'reuse') and f.stf_hash = c.subject
) f on true
left join lateral (
    select g.golden_state_id, g.peer_id as owner, g.state = 'approved' as approved, g.stf_hash,
           coalesce(nullif(o.cluster_id, ''), g.stf_hash) as family
    from debug_golden_states g left join debug_transform_functions o on o.stf_hash = g.stf_hash
    where c.kind in ('golden_state', 'golden_reuse') and g.golden_state_id = c.subject
) g on true
"""
"""What the store knows of the subject of a contribution `c`: a fix `m`, a function `f`, a golden state `g`."""

USED = f"""
left join lateral (
    select s.outcome from stf_uses s
    where c.kind = 'reuse' and s.cluster_id = f.cluster_id and s.correlation_id = a.correlation_id and s.attempt_id = c.attempt_id
    union all
    select 'succeeded' from mapping_events e
    where c.kind = 'reuse' and e.signature = m.signature and e.resolution_id = m.resolution_id and e.outcome = 'success'
      and e.correlation_id = a.correlation_id and e.attempt_id = c.attempt_id
      and exists (select from recommendations r where {SHOWN_BEFORE})
    union all
    select s.details ->> 'outcome' from golden_events s
    where c.kind = 'golden_reuse' and s.golden_state_id = c.subject and s.action = 'record_reuse'
      and s.details ->> 'attempt_id' = c.attempt_id::text
    limit 1
) u on true
"""
"""The use `u` that a reuse `c` by the attempt `a` tells of, as it was recognised, with how its task went from there on."""

IS_READY = """
case c.kind
    when 'stf' then a.evidence_tier in ('measured', 'verified') and exists (
        select from execution_inbox i join step_progress p on p.attempt_id = i.attempt_id and p.digest = i.digest
        where i.attempt_id = c.attempt_id and i.holds and p.step = 'extracted_stfs'
    )
    when 'fix' then a.evidence_tier in ('measured', 'verified') and coalesce(m.confident, false) and m.owner is not null
    when 'golden_state' then a.evidence_tier in ('measured', 'verified') and coalesce(g.approved, false)
    when 'reuse' then u.outcome = 'succeeded' and coalesce(m.owner, f.owner) is not null
    else u.outcome = 'succeeded' and coalesce(g.approved, false)
end
"""
"""Whether the contribution `c` of the attempt `a` waits for nothing any more."""

UNDECIDED = f"""
select c.contribution_id, c.kind, c.peer_id, c.attempt_id, c.occurred_at, c.subject, c.path, c.function_name, c.span_ordinal,
       c.start_line, c.end_line, c.code, c.language, c.quality_score, c.complexity_score, c.used_by_peer_id, c.external_id,
       a.peer_id as attempt_peer_id, a.evidence_tier, a.outcome, a.completed_at,
       coalesce(m.owner, f.owner, g.owner) as owner, true as ready, g.stf_hash as golden_stf_hash, u.outcome as use_outcome,
       c.kind = 'stf' and exists (
           select from attempt_stfs w where w.attempt_id = c.attempt_id and w.stf_hash = c.subject
       ) as written,
       case
           when c.kind = 'golden_state' then coalesce(g.family, c.subject)
           when c.kind in ('reuse', 'golden_reuse') then coalesce(nullif(f.cluster_id, ''), c.subject) || ' in ' || a.correlation_id
           else c.subject
       end as family,
       exists (
           select from suppressions s
           where (s.subject_kind, s.subject_id) in (
               ('peer', c.peer_id), ('repository', coalesce(a.repository, '')), ('stf', coalesce(f.stf_hash, c.subject)),
               ('stf_cluster', coalesce(f.cluster_id, '')), ('golden_state', coalesce(g.golden_state_id, '')),
               ('signature', coalesce(m.signature, '')), ('resolution', coalesce(m.resolution_id, ''))
           )
       ) as suppressed
from contributions c
join debug_execution_attempts a using (attempt_id)
{SUBJECT_FACTS}
{USED}
where c.status = 'pending' and (a.completed_at at time zone 'UTC')::date <= :last and not c.contribution_id = any(:but)
  and (cast(:only as uuid[]) is null or c.contribution_id = any(:only)) and {IS_READY}
order by a.completed_at, c.attempt_id, c.path nulls first, c.function_name nulls first, c.span_ordinal, c.kind, c.subject,
         c.contribution_id
limit :limit
"""
"""The next contributions that can be decided, in the order of decisions, with the facts that they are judged by."""
