"""DOMAIN 4.3: what is accepted, what waits, what is rejected and why."""

from __future__ import annotations

from uuid import UUID

import pytest
from pydantic import ValidationError

from debug_loop_pipeline.compute.code.stf_similarity import shingles
from debug_loop_pipeline.compute.contribution_validator import validate_contribution, was_written
from debug_loop_pipeline.models.base import EvidenceTier, Outcome
from debug_loop_pipeline.models.contribution import (
    CodeSpan,
    ContributionEvent,
    PendingReason,
    RejectReason,
    SubjectFacts,
    ValidationVerdict,
)
from debug_loop_pipeline.settings import EconomySettings
from tests.support.economy import ATTEMPT, CODE, OTHER, RENAMED, START, attempt, contribution

READY = SubjectFacts(owner_peer_id="ann", ready=True, use_outcome=Outcome.SUCCEEDED)
KINDS = ["stf", "fix", "golden_state", "golden_reuse", "reuse"]


def worker(kind: str) -> str:
    return "ben" if "reuse" in kind else "ann"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("evidence", [EvidenceTier.MEASURED, EvidenceTier.VERIFIED])
def test_measured_work_of_the_peer_is_accepted(kind: str, evidence: EvidenceTier):
    found = validate_contribution(contribution(kind), attempt(worker(kind), evidence=evidence), READY)
    assert found.verdict is ValidationVerdict.ACCEPTED


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "reuse" not in kind])
@pytest.mark.parametrize("evidence", [EvidenceTier.UNMEASURED, EvidenceTier.OBSERVED])
def test_it_waits_until_the_evidence_is_measured(kind: str, evidence: EvidenceTier):
    facts = attempt(worker(kind), evidence=evidence, outcome=Outcome.UNKNOWN)
    found = validate_contribution(contribution(kind), facts, READY)
    assert (found.verdict, found.waits_for) == (ValidationVerdict.PENDING, (PendingReason.EVIDENCE,))


def test_an_attempt_that_is_not_known_yet_is_waited_for():
    found = validate_contribution(contribution(), None)
    assert (found.verdict, found.waits_for) == (ValidationVerdict.PENDING, (PendingReason.ATTEMPT,))


@pytest.mark.parametrize("kind", ["fix", "golden_state"])
@pytest.mark.parametrize("subject", [None, SubjectFacts(), SubjectFacts(owner_peer_id="ann", ready=False)])
def test_a_fix_or_golden_state_waits_until_it_is_confident_or_approved(kind: str, subject: SubjectFacts | None):
    found = validate_contribution(contribution(kind), attempt(), subject)
    assert (found.verdict, found.waits_for) == (ValidationVerdict.PENDING, (PendingReason.SUBJECT,))


def reasons(*args, **kwargs) -> tuple[RejectReason, ...]:
    found = validate_contribution(*args, **kwargs)
    assert (found.verdict is ValidationVerdict.REJECTED) == bool(found.reasons)
    assert len(found.details) >= len(found.reasons)
    return found.reasons


def test_another_peers_attempt_is_rejected():
    assert reasons(contribution(), attempt("eve")) == (RejectReason.FOREIGN_ATTEMPT,)
    assert reasons(contribution(), attempt(attempt_id=UUID(int=8))) == (RejectReason.FOREIGN_ATTEMPT,)


@pytest.mark.parametrize("kind", ["fix", "golden_state", "golden_reuse", "reuse"])
def test_another_peers_fix_golden_state_or_work_is_rejected(kind: str):
    eves = SubjectFacts(owner_peer_id="eve", ready=True)
    assert reasons(contribution(kind), attempt(worker(kind)), eves) == (RejectReason.FOREIGN_SUBJECT,)


@pytest.mark.parametrize("kind", ["golden_reuse", "reuse"])
def test_a_peer_earns_nothing_from_its_own_work_reused(kind: str):
    own = contribution(kind, used_by_peer_id="ann")
    assert RejectReason.SELF_REUSE in reasons(own, attempt("ann"), READY)
    assert RejectReason.SELF_REUSE in reasons(own, None, READY)
    # Said to be ben's, while the attempt that reused it is the owner's own.
    assert RejectReason.SELF_REUSE in reasons(contribution(kind), attempt("ann"), READY)


@pytest.mark.parametrize("kind", ["golden_reuse", "reuse"])
@pytest.mark.parametrize("outcome", [None, Outcome.FAILED, Outcome.UNKNOWN])
def test_a_reuse_waits_until_its_task_has_a_success_that_lasts(kind: str, outcome: Outcome | None):
    found = validate_contribution(contribution(kind), attempt("ben"), READY.model_copy(update={"use_outcome": outcome}))
    assert (found.verdict, found.waits_for) == (ValidationVerdict.PENDING, (PendingReason.SUCCESS,))


@pytest.mark.parametrize("kind", ["golden_reuse", "reuse"])
def test_the_attempt_that_began_a_use_may_have_failed(kind: str):
    assert reasons(contribution(kind), attempt("ben", outcome=Outcome.FAILED), READY) == ()


def test_code_of_a_failed_attempt_is_rejected():
    assert reasons(contribution(), attempt(outcome=Outcome.FAILED)) == (RejectReason.FAILED,)


@pytest.mark.parametrize(
    ("code", "language", "reason"),
    [
        ("def broken(:\n    return\n", "python", RejectReason.UNPARSABLE),
        (CODE, "cobol", RejectReason.UNPARSABLE),
        ("def f():\n    return '\0'\n", "python", RejectReason.UNPARSABLE),
        ("def f():\n    return " + "(" * 5_000 + ")" * 5_000, "python", RejectReason.UNPARSABLE),
        (CODE.replace('"utf-8"', '"<REDACTED:password>"'), "python", RejectReason.REDACTED),
        ("def f():\n    return 'ü'\n" + "    # filler\n" * 10_000, "python", RejectReason.TOO_LARGE),
    ],
    ids=["syntax", "language", "nul", "deep", "redacted", "large"],
)
def test_code_that_cannot_be_judged_is_rejected(code: str, language: str, reason: RejectReason):
    assert reasons(contribution(code=code, language=language), attempt()) == (reason,)


def test_the_size_limit_is_a_setting():
    assert reasons(contribution(), attempt(), economy=EconomySettings(max_code_bytes=20)) == (RejectReason.TOO_LARGE,)


def test_suppressed_work_is_rejected():
    assert reasons(contribution(), attempt(), SubjectFacts(suppressed=True)) == (RejectReason.SUPPRESSED,)


def test_code_that_was_decided_under_another_cut_is_rejected():
    decided = [(CodeSpan(path="a.py", function="read_rows"), shingles(CODE, "python"))]
    loop = CODE.replace("def read_rows", "def outer():\n    pass\n\n\ndef read_rows")
    assert reasons(contribution(code=loop), attempt(), None, decided) == (RejectReason.SAME_SPAN,)
    # Half of it.
    half = CODE[: CODE.index("            rows.append")] + "            pass\n"
    assert reasons(contribution(code=half), attempt(), None, decided) == (RejectReason.SAME_SPAN,)
    # Something else in the same file, and the same in another.
    assert reasons(contribution(code=OTHER), attempt(), None, decided) == ()
    elsewhere = contribution(span=CodeSpan(path="b.py", function="read_rows"))
    assert reasons(elsewhere, attempt(), None, decided) == ()


def test_code_that_the_attempt_did_not_write_is_rejected():
    assert reasons(contribution(), attempt(), SubjectFacts(written=False)) == (RejectReason.FOREIGN_ATTEMPT,)
    assert reasons(contribution(), attempt(), SubjectFacts(written=True)) == ()


def test_code_is_the_attempts_own_under_other_names_and_in_another_layout():
    assert was_written(contribution(), [(OTHER, "python"), (RENAMED, "python")])
    assert not was_written(contribution(), [(OTHER, "python"), (CODE, "javascript"), ("def broken(:", "python")])
    assert not was_written(contribution(code="def broken(:"), [(CODE, "python")])


def test_every_reason_is_named():
    found = reasons(
        contribution(code="<REDACTED:token>"), attempt("eve", outcome=Outcome.FAILED), SubjectFacts(suppressed=True)
    )
    assert set(found) == {
        RejectReason.FOREIGN_ATTEMPT,
        RejectReason.FAILED,
        RejectReason.SUPPRESSED,
        RejectReason.REDACTED,
    }


def test_a_contribution_says_what_its_kind_needs():
    with pytest.raises(ValidationError, match="span, code and language"):
        contribution(code=None)
    with pytest.raises(ValidationError, match="names the peer that reused"):
        contribution("reuse", used_by_peer_id=None)
    common = {"contribution_id": "x", "peer_id": "ann", "kind": "stf", "attempt_id": ATTEMPT, "occurred_at": START}
    for both_or_none in ({}, {"code": "x", "resolution": "y"}):
        with pytest.raises(ValidationError, match="either code or a resolution"):
            ContributionEvent(**common, **both_or_none)


def test_what_is_decided_first_does_not_depend_on_how_it_came():
    one, two = contribution(), contribution(span=CodeSpan(path="a.py", function="b"))
    three = contribution(span=CodeSpan(path="B.py", function="z"))
    assert sorted([one, two, three], key=lambda c: c.order) == sorted([three, two, one], key=lambda c: c.order)
    assert min([one, two, three], key=lambda c: c.order) is three
