"""Reward rings: peers that reuse mostly each other's work, so that it earns (DOMAIN 4.3). For a report, not a verdict.

A group is a ring when each of its peers both gives to and takes from others inside it (a strongly connected component),
nearly all reuse by its members and of their work stays inside, and the group is the smaller part of all peers: in a
store of one team everybody reuses everybody, which says nothing. Links that are a small part of what a peer
gives and takes are left out first, so that a ring which takes from others now and then is found all the same.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from debug_loop_pipeline.models.economic_metrics import RewardRing
from debug_loop_pipeline.settings import EconomySettings

RINGS_VERSION = "1"
COLUMNS = ("peer_id", "used_by_peer_id", "uses")
"""What the frame of reuse needs: whose work, by whom, how often (int)."""

_LEVELS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
"""Least share of a link in what its taker takes and its giver gives, weakest first."""


def reward_rings(
    reuse: pd.DataFrame, economy: EconomySettings | None = None, active_peers: int = 0
) -> tuple[RewardRing, ...]:
    """The rings in who reused whose work, largest number of inside uses first.

    Args:
        reuse: See COLUMNS; a pair may have several rows, reuse of one's own work is left out.
        economy: Another share or least number of uses than the defaults.
        active_peers: Peers in the economy, those included that reuse nothing.

    Raises:
        ValueError: A column is missing.
    """
    economy = economy or EconomySettings()
    missing = [column for column in COLUMNS if column not in reuse.columns]
    if missing:
        raise ValueError(f"the frame of reuse lacks {', '.join(missing)}")
    others = reuse[(reuse["peer_id"] != reuse["used_by_peer_id"]) & (reuse["uses"] > 0)]
    if others.empty:
        return ()
    peers = np.unique(np.concatenate([others["peer_id"].astype(str), others["used_by_peer_id"].astype(str)]))
    owner = np.searchsorted(peers, others["peer_id"].astype(str).to_numpy())
    user = np.searchsorted(peers, others["used_by_peer_id"].astype(str).to_numpy())
    size = len(peers)
    # Rows that name one pair twice are added up by the conversion.
    uses = csr_array((others["uses"].to_numpy(dtype=np.int64), (owner, user)), shape=(size, size)).tocoo()
    giver, taker = uses.coords
    count = uses.data
    received = np.bincount(giver, weights=count, minlength=size).astype(np.float64)
    made = np.bincount(taker, weights=count, minlength=size).astype(np.float64)
    weight = np.minimum(count / received[giver], count / made[taker])
    found: dict[frozenset[int], RewardRing] = {}
    for level in _LEVELS:
        kept = weight >= level
        graph = csr_array((count[kept], (giver[kept], taker[kept])), shape=(size, size))
        _, labels = connected_components(graph, directed=True, connection="strong")
        for group in _groups(labels):
            if any(group <= known for known in found) or 2 * len(group) >= max(size, active_peers):
                continue
            inside = np.isin(giver, list(group)) & np.isin(taker, list(group))
            ring = _ring(group, int(count[inside].sum()), peers, received, made)
            if ring.share >= economy.ring_share and ring.uses_inside >= economy.ring_min_uses:
                found[group] = ring
    return tuple(sorted(found.values(), key=lambda ring: (-ring.uses_inside, ring.peers)))


def _groups(labels: NDArray[np.int32]) -> list[frozenset[int]]:
    members: dict[int, set[int]] = {}
    for peer, label in enumerate(labels.tolist()):
        members.setdefault(label, set()).add(peer)
    return [frozenset(group) for group in members.values() if len(group) > 1]


def _ring(
    group: frozenset[int],
    inside: int,
    peers: NDArray[np.str_],
    received: NDArray[np.float64],
    made: NDArray[np.float64],
) -> RewardRing:
    indices = sorted(group)
    all_received, all_made = int(received[indices].sum()), int(made[indices].sum())
    return RewardRing(
        peers=tuple(str(peers[i]) for i in indices),
        uses_inside=inside,
        uses_received=all_received,
        uses_made=all_made,
        share=min(inside / all_received, inside / all_made),
    )
