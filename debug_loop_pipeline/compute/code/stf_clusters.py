"""Clusters of near-duplicate STFs (DOMAIN 3.4): connected components over pairs of high enough exact similarity.

Here: a pure fold from members, pairs and what the clusters were before to what they are now. Not here: finding the
pairs (`stf_similarity`), reading or storing either.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

CLUSTER_VERSION = "1"


@dataclass(frozen=True, slots=True, order=True)
class ClusterMember:
    """One STF. Members order by when they were first known, then by hash: the order is total."""

    completed_at: datetime
    """End of the earliest attempt that wrote it, aware."""
    stf_hash: str


@dataclass(frozen=True, slots=True)
class StfCluster:
    """A set of STFs that are one solution."""

    cluster_id: str
    """Hash of its earliest member."""
    members: tuple[str, ...]
    """Hashes in the order of the members."""
    aliases: frozenset[str] = field(default_factory=frozenset)
    """Ids it had, or that clusters merged into it had."""


def cluster_stfs(
    members: Iterable[ClusterMember],
    pairs: Iterable[tuple[str, str]],
    previous: Sequence[StfCluster] = (),
) -> list[StfCluster]:
    """Fold members and similar pairs into clusters, singletons included.

    Args:
        members: every STF of the components that are to be known, each hash once.
        pairs: hashes whose similarity reaches the threshold; pairs with a hash that is no member are left out.
        previous: the clusters as they were, for the aliases. An id follows the member whose hash it is; where
            that member is gone, the earliest member that is left of its cluster.

    Returns:
        Clusters in the order of their earliest members. The result does not depend on the order of the arguments.
    """
    ordered = sorted(members)
    parent = {member.stf_hash: member.stf_hash for member in ordered}
    rank = {member.stf_hash: number for number, member in enumerate(ordered)}
    for a, b in pairs:
        if a in parent and b in parent:
            first, second = sorted((_root(parent, a), _root(parent, b)), key=rank.__getitem__)
            parent[second] = first
    components: dict[str, list[str]] = {}
    for member in ordered:
        components.setdefault(_root(parent, member.stf_hash), []).append(member.stf_hash)
    aliases = _aliases(parent, rank, previous)
    return [
        StfCluster(root, tuple(hashes), frozenset(aliases.get(root, set()) - {root}))
        for root, hashes in components.items()
    ]


def _aliases(parent: dict[str, str], rank: Mapping[str, int], previous: Sequence[StfCluster]) -> dict[str, set[str]]:
    """Old ids by the root of the component they now mean."""
    found: dict[str, set[str]] = {}
    for cluster in previous:
        left = [stf_hash for stf_hash in cluster.members if stf_hash in parent]
        heir = min(left, key=rank.__getitem__, default=None)
        for old in {cluster.cluster_id, *cluster.aliases}:
            keeper = old if old in parent else heir
            if keeper is not None:
                found.setdefault(_root(parent, keeper), set()).add(old)
    return found


def _root(parent: dict[str, str], stf_hash: str) -> str:
    """The earliest member of a component; paths are halved on the way."""
    while parent[stf_hash] != stf_hash:
        parent[stf_hash] = parent[parent[stf_hash]]
        stf_hash = parent[stf_hash]
    return stf_hash
