"""The matcher's index over a real registry: epochs, their files, and the tail."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from debug_loop_pipeline.compute.stf_matcher import MatchIndex, StfColumns, match_stfs
from debug_loop_pipeline.effects import embedding_model, match_registry
from debug_loop_pipeline.effects.embedding_model import EmbeddingMissingError
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.match_cache import MatchCache
from debug_loop_pipeline.effects.match_epoch_store import MatchEpochStore, current_epoch, epochs_folder
from debug_loop_pipeline.effects.match_registry import match_candidate
from debug_loop_pipeline.effects.postgres import Database, advisory_lock, copy_rows
from debug_loop_pipeline.models.matching import Match, MatchOptions, MatchQuery
from debug_loop_pipeline.settings import MatchingSettings, Settings
from tests.support.events import START, uid

REQUESTS = {
    "parse": "read the config file and parse dates in it",
    "retry": "retry uploads when the connection drops",
    "slug": "make slugs from titles with accents",
    "sort": "sort the versions of packages by number",
}
_COLUMNS = (
    *("stf_hash", "language", "name", "code", "problem_signature", "category", "details", "quality_score"),
    *("quality_tier", "quality", "confidence", "evidence_tier", "approval", "contains_redaction", "occurrences"),
    *("first_attempt_id", "first_completed_at", "last_completed_at", "peer_id", "repository"),
)


@pytest.fixture
def database(postgres_url: str) -> Iterator[Database]:
    made = Database(postgres_url)
    with made.transaction() as connection:
        connection.execute(text("truncate debug_transform_functions, suppressions, match_epochs"))
    yield made
    made.close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


def stf(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def add(database: Database, *names: str, approval: str = "approved", quality: float = 0.8) -> None:
    with database.transaction() as connection:
        write(connection, *names, approval=approval, quality=quality)


def write(connection, *names: str, approval: str = "approved", quality: float = 0.8) -> None:
    rows = [
        (
            *(stf(name), "python", name, "def f(): ...", REQUESTS.get(name, f"number {name} of many"), "other", {}),
            *(quality, "good", {}, 0.7, "measured", approval, False, 1, uid(name), START, START, f"peer-{name}", None),
        )
        for name in names
    ]
    copy_rows(connection, "debug_transform_functions", _COLUMNS, rows)


def run(database: Database, statement: str, **params: object) -> None:
    with database.transaction() as connection:
        connection.execute(text(statement), params)


def found(index: MatchIndex) -> set[str]:
    """The names that their own requests find."""
    names = {stf(name): name for name in [*REQUESTS, *map(str, range(300))]}
    queries = [*REQUESTS.values(), *(f"number {n} of many" for n in range(300))]
    matches = (match_stfs(MatchQuery(problem_signature=query), index) for query in queries)
    return {names[match.stf_id] for one in matches for match in one}


def answers(index: MatchIndex) -> list[tuple[Match, ...]]:
    return [match_stfs(MatchQuery(problem_signature=query), index) for query in REQUESTS.values()]


def fresh(database: Database) -> MatchIndex:
    with database.transaction() as connection:
        rows = connection.execute(text("select * from v_recommended_stfs")).mappings().all()
    return MatchIndex.build([match_candidate(row) for row in rows])


def make_old(database: Database, settings: Settings) -> None:
    """Lets the time between two epochs pass."""
    seconds = settings.matching.epoch_seconds
    run(database, "update match_epochs set built_at = built_at - make_interval(secs => :s)", s=seconds)
    for directory in epochs_folder(settings).iterdir():
        stamp, number = directory.name.split("-")
        rows = fetch_rows(database, "select built_at from match_epochs where epoch = :n", {"n": int(number)})
        assert stamp
        directory.rename(directory.with_name(f"{rows[0]['built_at']:%Y%m%dT%H%M%S%fZ}-{number}"))


def test_an_epoch_answers_as_a_fresh_index_and_from_its_files_too(database: Database, settings: Settings) -> None:
    add(database, *REQUESTS)
    add(database, "17", approval="pending")
    number, index = current_epoch(database, settings)
    assert answers(index) == answers(fresh(database))
    assert found(index) == set(REQUESTS)
    again, loaded = current_epoch(database, settings)
    assert again == number
    assert answers(loaded) == answers(index)
    assert not loaded.columns.quality.flags.owndata
    assert loaded.epoch_id == fetch_rows(database, "select registry_digest from match_epochs")[0]["registry_digest"]


def test_what_comes_later_is_in_the_tail_and_what_goes_is_gone(database: Database, settings: Settings) -> None:
    add(database, "parse", "retry", "slug")
    store = MatchEpochStore(database, settings)
    number = store.current().epoch
    add(database, "sort")
    run(database, "update debug_transform_functions set approval = 'rejected' where stf_hash = :id", id=stf("retry"))
    run(database, "delete from debug_transform_functions where stf_hash = :id", id=stf("slug"))
    run(database, "update debug_transform_functions set quality_score = 0.95 where stf_hash = :id", id=stf("parse"))
    for current in (store.current(), MatchEpochStore(database, settings).current()):
        assert current.epoch == number
        assert found(current.index) == {"parse", "sort"}
        assert answers(current.index)[0][0].quality == 0.95
        assert len(current.index) == 2


@pytest.mark.parametrize(
    ("kind", "subject"),
    [("stf", stf("parse")), ("stf_cluster", "cluster-1"), ("peer", "peer-parse"), ("repository", "r")],
)
def test_a_suppression_withdraws_at_once_and_can_be_taken_back(
    database: Database, settings: Settings, kind: str, subject: str
) -> None:
    add(database, "parse", "retry")
    run(
        database,
        "update debug_transform_functions set cluster_id = 'cluster-1', repository = 'r' where stf_hash = :id",
        id=stf("parse"),
    )
    store = MatchEpochStore(database, settings)
    assert found(store.current().index) == {"parse", "retry"}
    run(database, "insert into suppressions values (:kind, :subject, 'wrong', 'me')", kind=kind, subject=subject)
    assert found(store.current().index) == {"retry"}
    assert found(current_epoch(database, settings, force_new=True)[1]) == {"retry"}
    run(database, "delete from suppressions")
    assert found(store.current().index) == {"parse", "retry"}


def test_a_transaction_that_commits_late_is_not_missed(database: Database, settings: Settings) -> None:
    add(database, "parse")
    with database.transaction() as late:
        write(late, "retry")
        store = MatchEpochStore(database, settings)
        assert found(store.current().index) == {"parse"}
        add(database, "slug")
        assert found(store.current().index) == {"parse", "slug"}
    assert found(store.current().index) == {"parse", "retry", "slug"}
    assert found(current_epoch(database, settings)[1]) == {"parse", "retry", "slug"}


def test_an_unchanged_registry_gives_the_index_it_gave_before(database: Database, settings: Settings) -> None:
    add(database, "parse")
    store = MatchEpochStore(database, settings)
    first = store.current()
    assert store.current() is first
    add(database, "retry")
    assert store.current() is not first
    assert store.current().registry != first.registry


def test_a_new_epoch_begins_when_the_last_is_old_and_something_changed(database: Database, settings: Settings) -> None:
    add(database, "parse")
    first, _ = current_epoch(database, settings)
    add(database, "retry")
    assert current_epoch(database, settings)[0] == first  # not old
    make_old(database, settings)
    second, index = current_epoch(database, settings)
    assert second > first
    assert index.tail_rows == 0
    assert answers(index) == answers(fresh(database))
    make_old(database, settings)
    assert current_epoch(database, settings)[0] == second  # nothing changed


def test_a_large_epoch_is_not_fitted_again_for_one_function_but_for_one_that_went(
    database: Database, settings: Settings
) -> None:
    add(database, *map(str, range(300)))
    first, _ = current_epoch(database, settings)
    add(database, "parse")
    make_old(database, settings)
    number, index = current_epoch(database, settings)
    assert (number, index.tail_rows) == (first, 1)
    run(database, "delete from debug_transform_functions where stf_hash = :id", id=stf("5"))
    number, index = current_epoch(database, settings)
    assert (number > first, index.tail_rows, len(index)) == (True, 0, 300)


def test_a_forced_epoch_begins_at_once(database: Database, settings: Settings) -> None:
    add(database, "parse")
    first, _ = current_epoch(database, settings)
    assert current_epoch(database, settings, force_new=True)[0] > first


@pytest.mark.parametrize("damage", ["removed", "cut", "half"])
def test_lost_files_are_made_again(database: Database, settings: Settings, damage: str) -> None:
    add(database, "parse", "retry")
    first, index = current_epoch(database, settings)
    add(database, "slug")
    (directory,) = epochs_folder(settings).iterdir()
    if damage == "removed":
        for path in directory.iterdir():
            path.unlink()
        directory.rmdir()
    elif damage == "cut":
        (directory / "columns.ids.npy").write_bytes(b"")
    else:
        (directory / "epoch.json").unlink()
    number, rebuilt = current_epoch(database, settings)
    assert number == first
    assert rebuilt.epoch_id == index.epoch_id
    assert found(rebuilt) == {"parse", "retry", "slug"}
    assert [path.name for path in epochs_folder(settings).iterdir()] == [directory.name]
    again = current_epoch(database, settings)[1]
    assert answers(again) == answers(rebuilt)


def test_the_files_of_the_two_newest_epochs_stay(database: Database, settings: Settings) -> None:
    add(database, "parse")
    numbers = [current_epoch(database, settings, force_new=True)[0] for _ in range(4)]
    kept = sorted(path.name.rpartition("-")[2] for path in epochs_folder(settings).iterdir())
    assert kept == [str(number) for number in numbers[-2:]]


def test_without_a_place_for_files_the_index_is_there_all_the_same(database: Database, settings: Settings) -> None:
    add(database, "parse")
    settings.data_dir.mkdir()
    epochs_folder(settings).write_text("in the way")
    number, index = current_epoch(database, settings)
    assert found(index) == {"parse"}
    assert current_epoch(database, settings)[0] == number


def test_an_empty_registry_has_an_epoch_too(database: Database, settings: Settings) -> None:
    number, index = current_epoch(database, settings)
    assert (len(index), found(index)) == (0, set())
    add(database, "parse")
    assert current_epoch(database, settings)[0] == number
    assert found(current_epoch(database, settings)[1]) == {"parse"}


def test_many_at_once_begin_one_epoch(database: Database, settings: Settings) -> None:
    add(database, *REQUESTS)
    barrier, numbers = threading.Barrier(4), []

    def ask() -> None:
        store = MatchEpochStore(database, settings)
        barrier.wait()
        numbers.append((store.current().epoch, frozenset(found(store.current().index))))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(numbers) == {(numbers[0][0], frozenset(REQUESTS))}
    assert fetch_rows(database, "select count(*) as n from match_epochs")[0]["n"] == 1


def test_while_another_process_begins_an_epoch_the_last_one_serves(database: Database, settings: Settings) -> None:
    add(database, "parse")
    first, _ = current_epoch(database, settings)
    add(database, "retry")
    make_old(database, settings)
    with database.transaction() as other:
        advisory_lock(other, "match_epoch")
        number, index = current_epoch(database, settings)
    assert (number, found(index)) == (first, {"parse", "retry"})
    assert current_epoch(database, settings)[0] > first


def test_an_epoch_that_another_machine_began_is_built_here_from_the_registry(
    database: Database, settings: Settings, tmp_path: Path
) -> None:
    elsewhere = settings.model_copy(update={"data_dir": tmp_path / "elsewhere"})
    add(database, "parse")
    here = MatchEpochStore(database, settings)
    first = here.current().epoch
    add(database, "retry")
    make_old(database, settings)
    second, _ = current_epoch(database, elsewhere, force_new=True)
    assert (here.current().epoch, found(here.current().index)) == (second, {"parse", "retry"})
    assert second > first


def test_the_time_between_epochs_is_a_setting(database: Database, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, matching=MatchingSettings(epoch_seconds=1))
    add(database, "parse")
    first, _ = current_epoch(database, settings)
    add(database, "retry")
    make_old(database, settings)
    assert timedelta(seconds=settings.matching.epoch_seconds) < timedelta(seconds=600)
    assert current_epoch(database, settings)[0] > first


def test_an_answer_is_kept_until_the_registry_changes_or_its_time_is_over(
    database: Database, settings: Settings
) -> None:
    add(database, "parse", "retry")
    store, now = MatchEpochStore(database, settings), [0.0]
    cache = MatchCache(ttl_s=1_800, clock=lambda: now[0])
    query, options = MatchQuery(problem_signature=REQUESTS["parse"]), MatchOptions()
    first = cache.match(query, store.current(), options)
    assert cache.match(query, store.current(), options) == first == match_stfs(query, store.current().index, options)
    assert (cache.hits, cache.misses) == (1, 1)
    cache.match(query, store.current(), MatchOptions(limit=1))
    cache.match(MatchQuery(problem_signature=REQUESTS["retry"]), store.current(), options)
    assert (cache.hits, cache.misses) == (1, 3)
    run(database, "insert into suppressions values ('stf', :id, 'wrong', 'me')", id=stf("parse"))
    assert cache.match(query, store.current(), options) == ()
    now[0] = 1_800
    assert cache.match(query, store.current(), options) == ()
    assert (cache.hits, cache.misses) == (1, 5)


def test_the_oldest_answers_go_when_the_cache_is_full(database: Database, settings: Settings) -> None:
    add(database, "parse")
    current, cache = MatchEpochStore(database, settings).current(), MatchCache(entries=2)
    for name in ("a", "b", "a", "c", "a", "b"):
        cache.match(MatchQuery(problem_signature=name), current, MatchOptions())
    assert (cache.hits, cache.misses) == (2, 4)


def test_the_registry_is_read_in_blocks(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(database, *REQUESTS, "1", "2", "3")
    sizes, columns_of = [], StfColumns.of
    monkeypatch.setattr(match_registry, "_STREAM_ROWS", 3)
    monkeypatch.setattr(StfColumns, "of", lambda some, texts: sizes.append(len(some)) or columns_of(some, texts))
    _, index = current_epoch(database, settings)
    assert sizes[:3] == [3, 3, 1]
    assert answers(index) == answers(fresh(database))


HYBRID = MatchOptions(algorithm="hybrid")


@pytest.fixture
def hybrid(settings: Settings) -> Settings:
    return settings.model_copy(update={"matching": MatchingSettings(algorithm="hybrid")})


def by_meaning(index: MatchIndex) -> list[tuple[Match, ...]]:
    return [match_stfs(MatchQuery(problem_signature=query), index, HYBRID) for query in REQUESTS.values()]


def test_hybrid_begins_an_epoch_with_vectors_where_the_last_has_none(
    database: Database, settings: Settings, hybrid: Settings
) -> None:
    add(database, "parse", "retry")
    first, plain = current_epoch(database, settings)
    second, index = current_epoch(database, hybrid)
    assert second > first
    assert plain.vectors is None
    assert len(by_meaning(index)[0]) == 1
    add(database, "slug")
    for number, later in (current_epoch(database, hybrid), current_epoch(database, hybrid)):
        assert number == second
        assert [len(found) for found in by_meaning(later)] == [1, 1, 1, 0]
    # Who matches by words goes on with the same epoch.
    assert current_epoch(database, settings)[0] == second


def test_lost_files_are_made_again_with_vectors(database: Database, hybrid: Settings) -> None:
    add(database, "parse", "retry")
    first, index = current_epoch(database, hybrid)
    before = by_meaning(index)
    for path in epochs_folder(hybrid).iterdir():
        (path / "vectors.components.npy").unlink()
    number, again = current_epoch(database, hybrid)
    assert (number, by_meaning(again)) == (first, before)


def test_answers_of_both_algorithms_are_kept_apart(database: Database, hybrid: Settings) -> None:
    add(database, *REQUESTS)
    current, cache = MatchEpochStore(database, hybrid).current(), MatchCache()
    query = MatchQuery(problem_signature="read config and parse the dates")
    words, both = (cache.match(query, current, MatchOptions(algorithm=name)) for name in ("tfidf", "hybrid"))
    assert words[0].similarity != both[0].similarity
    assert cache.match(query, current, HYBRID) == both
    assert (cache.hits, cache.misses) == (1, 2)


def test_hybrid_without_the_extra_is_refused_at_once(
    database: Database, hybrid: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding_model, "find_spec", lambda _: None)
    embedding_model.load_embedder.cache_clear()
    with pytest.raises(EmbeddingMissingError, match=r"\[embedding\]"):
        MatchEpochStore(database, hybrid)
    embedding_model.load_embedder.cache_clear()
