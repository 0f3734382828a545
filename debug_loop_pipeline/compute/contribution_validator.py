"""ContributionValidatorCompute: accept, wait or reject, with every reason (DOMAIN 4.3).

Belongs here: the rules. What the store knows comes in as facts; what a contribution says of itself (its time, its
peer's right to it) is never believed. Not here: what it earns (compute/reward_calculator.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from debug_loop_pipeline.compute.code.languages import UnsupportedLanguageError, language_named
from debug_loop_pipeline.compute.code.source_tree import SourceError, SourceTooLargeError, parse_source
from debug_loop_pipeline.compute.code.stf_similarity import Hashes, shingles, similarity
from debug_loop_pipeline.compute.debug_stf_extractor import REDACTION_MARK
from debug_loop_pipeline.models.base import EvidenceTier, Outcome
from debug_loop_pipeline.models.contribution import (
    AttemptFacts,
    CodeSpan,
    Contribution,
    ContributionKind,
    PendingReason,
    RejectReason,
    SubjectFacts,
    Validation,
    ValidationVerdict,
)
from debug_loop_pipeline.settings import EconomySettings

VALIDATOR_VERSION = "2"

_NO_SUBJECT = SubjectFacts()
Finding = tuple[RejectReason, str]


def validate_contribution(
    contribution: Contribution,
    attempt: AttemptFacts | None,
    subject: SubjectFacts | None = None,
    decided: Sequence[tuple[CodeSpan, Hashes]] = (),
    economy: EconomySettings | None = None,
) -> Validation:
    """Judge one contribution.

    Args:
        contribution: What is claimed.
        attempt: What is known of its attempt, None where it is not known.
        subject: What is known of the fix, golden state or reused work, None where it is not known.
        decided: Of an STF: spans and shingles of its attempt that were decided as other contributions.
        economy: Other size limits than the defaults.

    Returns:
        Rejected where anything is wrong for good; else pending where something may still come; else accepted.
    """
    economy = economy or EconomySettings()
    wrong = [
        *_attempt_findings(contribution, attempt),
        *_subject_findings(contribution, subject),
        *_code_findings(contribution, decided, economy),
    ]
    if wrong:
        return Validation(
            verdict=ValidationVerdict.REJECTED,
            reasons=tuple(dict.fromkeys(reason for reason, _ in wrong)),
            details=tuple(detail for _, detail in wrong),
        )
    waits = _waits_for(contribution, attempt, subject or _NO_SUBJECT)
    if waits:
        return Validation(
            verdict=ValidationVerdict.PENDING,
            waits_for=tuple(reason for reason, _ in waits),
            details=tuple(detail for _, detail in waits),
        )
    return Validation(verdict=ValidationVerdict.ACCEPTED)


def was_written(
    contribution: Contribution, functions: Iterable[tuple[str, str]], economy: EconomySettings | None = None
) -> bool:
    """Whether an STF's code is, but for names and layout, among the functions that its attempt wrote.

    Args:
        contribution: an STF.
        functions: (code, language) of each function.
        economy: with the similarity from which code is the same.
    """
    least = (economy or EconomySettings()).duplicate_similarity
    own = _shingles(contribution.code, contribution.language)
    if own is None:
        return False
    for code, language in functions:
        other = _shingles(code, language) if language == contribution.language else None
        if other is not None and similarity(own, other) >= least:
            return True
    return False


def _shingles(code: str | None, language: str | None) -> Hashes | None:
    if code is None or language is None:
        return None
    try:
        return shingles(code, language)
    except (SourceError, UnsupportedLanguageError):
        return None


def _attempt_findings(contribution: Contribution, attempt: AttemptFacts | None) -> list[Finding]:
    found: list[Finding] = []
    kind = contribution.kind
    worker = contribution.used_by_peer_id if kind.is_reuse else contribution.peer_id
    if kind.is_reuse and contribution.used_by_peer_id == contribution.peer_id:
        found.append((RejectReason.SELF_REUSE, "a peer earns nothing from its own work reused"))
    if attempt is None:
        return found
    if attempt.peer_id == contribution.peer_id and kind.is_reuse:
        found.append((RejectReason.SELF_REUSE, f"attempt {attempt.attempt_id} is the owner's own"))
    if attempt.attempt_id != contribution.attempt_id or attempt.peer_id != worker:
        found.append((RejectReason.FOREIGN_ATTEMPT, f"attempt {attempt.attempt_id} is not of {worker}"))
    if kind is ContributionKind.STF and attempt.outcome is Outcome.FAILED:
        found.append((RejectReason.FAILED, "code of a failed attempt"))
    return found


def _subject_findings(contribution: Contribution, subject: SubjectFacts | None) -> list[Finding]:
    if subject is None:
        return []
    found: list[Finding] = []
    if subject.written is False:
        found.append((RejectReason.FOREIGN_ATTEMPT, f"attempt {contribution.attempt_id} did not write this code"))
    if subject.suppressed:
        found.append((RejectReason.SUPPRESSED, f"{contribution.subject} is suppressed"))
    owner = subject.owner_peer_id
    if contribution.kind is not ContributionKind.STF and owner is not None and owner != contribution.peer_id:
        found.append((RejectReason.FOREIGN_SUBJECT, f"{contribution.subject} is not of {contribution.peer_id}"))
    return found


def _code_findings(
    contribution: Contribution, decided: Sequence[tuple[CodeSpan, Hashes]], economy: EconomySettings
) -> list[Finding]:
    code, language = contribution.code, contribution.language
    if code is None:
        return []
    if REDACTION_MARK in code:
        return [(RejectReason.REDACTED, "the code holds a redacted secret")]
    if language is None:
        return [(RejectReason.UNPARSABLE, "code without a language")]
    try:
        spec = language_named(language)
        source = parse_source(code, spec, standalone=True, max_bytes=economy.max_code_bytes)
        same = _decided_as(contribution, shingles(code, language), decided, economy) if decided else None
    except SourceTooLargeError as err:
        return [(RejectReason.TOO_LARGE, str(err))]
    except (SourceError, UnsupportedLanguageError) as err:
        return [(RejectReason.UNPARSABLE, str(err))]
    if source.has_error:
        return [(RejectReason.UNPARSABLE, f"a syntax error of {spec.name}")]
    return [] if same is None else [(RejectReason.SAME_SPAN, f"this code was decided as {same.function}")]


def _decided_as(
    contribution: Contribution, own: Hashes, decided: Sequence[tuple[CodeSpan, Hashes]], economy: EconomySettings
) -> CodeSpan | None:
    """The decided span of the same path that holds this code, or is held by it.

    By what is in them and not by line numbers: those of a fragment begin at 1, and another extractor cuts elsewhere.
    """
    if contribution.span is None or not own.size:
        return None
    for span, other in decided:
        smaller = min(own.size, other.size)
        shared = np.intersect1d(own, other, assume_unique=True).size
        if span.path == contribution.span.path and smaller and shared / smaller >= economy.duplicate_similarity:
            return span
    return None


def _waits_for(
    contribution: Contribution, attempt: AttemptFacts | None, subject: SubjectFacts
) -> list[tuple[PendingReason, str]]:
    waits: list[tuple[PendingReason, str]] = []
    if attempt is None:
        waits.append((PendingReason.ATTEMPT, f"attempt {contribution.attempt_id} is not known"))
    elif contribution.kind.is_reuse:
        if subject.use_outcome is not Outcome.SUCCEEDED:
            how = "is not known" if subject.use_outcome is None else f"ended {subject.use_outcome} so far"
            waits.append((PendingReason.SUCCESS, f"a use by attempt {contribution.attempt_id} {how}"))
    elif attempt.evidence.rank < EvidenceTier.MEASURED.rank:
        waits.append((PendingReason.EVIDENCE, f"the evidence is {attempt.evidence}"))
    known = subject.owner_peer_id is not None and subject.ready
    if contribution.kind is not ContributionKind.STF and not known:
        waits.append((PendingReason.SUBJECT, f"{contribution.subject} is not known as confident or approved"))
    return waits
