"""Clusters are connected components with an id that stays findable."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from debug_loop_pipeline.compute.code.stf_clusters import ClusterMember, StfCluster, cluster_stfs

START = datetime(2026, 1, 1, tzinfo=UTC)


def member(name: str, day: int = 0) -> ClusterMember:
    return ClusterMember(START + timedelta(days=day), name)


def test_alike_in_a_chain_is_one_cluster_named_after_its_earliest_member() -> None:
    clusters = cluster_stfs([member("c", 1), member("b", 2), member("a", 3), member("d", 0)], [("a", "b"), ("b", "c")])
    assert [(one.cluster_id, one.members) for one in clusters] == [("d", ("d",)), ("c", ("c", "b", "a"))]


def test_members_of_one_moment_are_ordered_by_hash() -> None:
    (cluster,) = cluster_stfs([member("b"), member("a")], [("b", "a")])
    assert cluster.cluster_id == "a"


def test_an_earlier_member_takes_over_and_the_old_id_stays_as_alias() -> None:
    old = cluster_stfs([member("b", 1), member("c", 2)], [("b", "c")])
    (new,) = cluster_stfs([member("a", 0), member("b", 1), member("c", 2)], [("b", "c"), ("a", "c")], old)
    assert (new.cluster_id, new.aliases) == ("a", frozenset({"b"}))


def test_ids_of_merged_clusters_all_lead_to_the_one() -> None:
    previous = [StfCluster("b", ("b",), frozenset({"gone"})), StfCluster("c", ("c",))]
    (merged,) = cluster_stfs([member("b", 1), member("c", 2)], [("b", "c")], previous)
    assert (merged.cluster_id, merged.aliases) == ("b", frozenset({"gone", "c"}))


def test_after_a_split_an_id_follows_the_member_it_names() -> None:
    previous = [StfCluster("a", ("a", "b", "c"), frozenset({"c"}))]
    clusters = cluster_stfs([member("a", 0), member("b", 1), member("c", 2)], [("b", "c")], previous)
    assert [(one.cluster_id, one.aliases) for one in clusters] == [("a", frozenset()), ("b", frozenset({"c"}))]


def test_when_the_named_member_is_withdrawn_the_earliest_left_inherits() -> None:
    (cluster,) = cluster_stfs([member("b", 1), member("c", 2)], [("b", "c")], [StfCluster("a", ("a", "b", "c"))])
    assert (cluster.cluster_id, cluster.aliases) == ("b", frozenset({"a"}))


@given(st.data())
def test_the_order_of_the_arguments_does_not_matter(data: st.DataObject) -> None:
    names = [f"h{number}" for number in range(8)]
    members = [member(name, data.draw(st.integers(0, 3))) for name in names]
    pairs = data.draw(st.lists(st.tuples(st.sampled_from(names), st.sampled_from(names)), max_size=8))
    previous = cluster_stfs(members, pairs[:3])
    once = cluster_stfs(members, pairs, previous)
    shuffled = cluster_stfs(
        data.draw(st.permutations(members)),
        [(b, a) for a, b in data.draw(st.permutations(pairs))],
        data.draw(st.permutations(previous)),
    )
    assert once == shuffled
    assert sorted(name for cluster in once for name in cluster.members) == names
