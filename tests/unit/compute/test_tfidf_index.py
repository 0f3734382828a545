"""Words, weights, bounds, and an epoch that comes back from its files as it was."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from debug_loop_pipeline.compute.matching.text_embedding import TextEmbedder
from debug_loop_pipeline.compute.matching.tfidf_index import TfidfEpoch
from debug_loop_pipeline.compute.matching.versions import INDEX_VERSION
from debug_loop_pipeline.compute.matching.words import document_text, term_of
from debug_loop_pipeline.compute.stf_matcher import MatchIndex, match_stfs
from debug_loop_pipeline.effects.match_epoch_files import EpochFilesError, VectorsMissingError, load_epoch, save_epoch
from debug_loop_pipeline.models.matching import MatchCandidate, MatchOptions, MatchQuery

TEXTS = ["fix the config parser", "fix the login test", "retry uploads of the file", "the the the"]


def terms(text: str) -> list[str]:
    return [bytes(term).decode() for term in TfidfEpoch.fit([text]).terms]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fix tests", ["fix", "test"]),
        ("queries query", ["query"]),
        ("parse_config-file", ["config", "file", "parse"]),
        ("a x 1 of <path> in <num> <literal>", ["in", "of"]),
        ("utf8 status bus class", ["bus", "class", "status", "utf8"]),
        ("größe naïve—dash", ["dash", "größe", "naïve"]),
        ("a < b, path > 3: num", ["num", "path"]),
        ("", []),
    ],
)
def test_the_words_of_a_text(text: str, expected: list[str]) -> None:
    assert terms(text) == expected


def test_names_are_split_at_humps_and_underscores() -> None:
    assert terms(document_text("load", "parseHTTPConfig_file", "Reads it")) == [
        "file", "httpconfig", "it", "load", "parse", "read",
    ]  # fmt: skip


def test_a_term_is_at_most_forty_bytes() -> None:
    assert len(term_of("ä" * 100)) == 40


@given(st.text())
def test_a_plural_and_its_singular_are_found_whatever_the_text(text: str) -> None:
    epoch = TfidfEpoch.fit([text, "tests"])
    assert epoch.similarities(epoch.vector("test"))[1] == 1.0


def test_weights_are_the_documented_formula() -> None:
    epoch = TfidfEpoch.fit(TEXTS)
    vector = epoch.vector("the the config unheard")
    idf = {b"the": 1 + math.log(5 / 5), b"config": 1 + math.log(5 / 2), b"unheard": 1 + math.log(5)}
    raw = {b"the": (1 + math.log(2)) * idf[b"the"], b"config": idf[b"config"], b"unheard": idf[b"unheard"]}
    length = math.sqrt(sum(weight**2 for weight in raw.values()))
    known = {bytes(epoch.terms[p]): w for p, w in zip(vector.positions, vector.weights, strict=True)}
    assert known == pytest.approx({t: raw[t] / length for t in (b"the", b"config")}, abs=1e-6)
    assert vector.unseen == pytest.approx({b"unheard": raw[b"unheard"] / length}, abs=1e-6)


def test_a_text_is_most_similar_to_itself_and_unlike_what_shares_no_word() -> None:
    epoch = TfidfEpoch.fit(TEXTS)
    for number, text in enumerate(TEXTS):
        similarities = epoch.similarities(epoch.vector(text))
        assert similarities[number] == 1.0
        assert np.argmax(similarities) == number
    assert epoch.similarities(epoch.vector("zebra")).tolist() == [0.0] * 4


def test_documents_without_words_are_kept_and_match_nothing() -> None:
    epoch = TfidfEpoch.fit(["", "<path>", "fix"])
    assert epoch.documents == 3
    assert epoch.similarities(epoch.vector("fix")).tolist() == [0.0, 0.0, 1.0]
    assert TfidfEpoch.fit([]).similarities(TfidfEpoch.fit([]).vector("fix")).tolist() == []


_DOCUMENT = st.lists(st.sampled_from([f"w{n}" for n in range(30)]), max_size=10).map(" ".join)


@settings(max_examples=100, deadline=None)
@given(
    documents=st.lists(_DOCUMENT, min_size=1, max_size=30), query=_DOCUMENT, threshold=st.sampled_from([0.1, 0.5, 0.8])
)
def test_the_bounds_of_a_shortlist_hold_and_it_misses_nothing(
    documents: list[str], query: str, threshold: float
) -> None:
    epoch = TfidfEpoch.fit(documents)
    vector = epoch.vector(query)
    exact = epoch.similarities(vector)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("debug_loop_pipeline.compute.matching.tfidf_index._POSTINGS_BUDGET", 0)
        shortlist = epoch.search(vector, threshold)
    for _ in range(2):
        assert set(np.flatnonzero(exact >= threshold)) <= set(shortlist.rows)
        assert np.all(shortlist.lower <= exact[shortlist.rows])
        assert np.all(shortlist.upper >= exact[shortlist.rows])
        assert shortlist.similarities().tolist() == exact[shortlist.rows].tolist()
        shortlist.read_the_rest()
    assert np.allclose(shortlist.lower, shortlist.upper, atol=1e-4)


def _index() -> MatchIndex:
    return MatchIndex.build(
        MatchCandidate(stf_id=f"{number:064x}", problem_signature=text, name="fixIt", quality=0.8)
        for number, text in enumerate(TEXTS * 5)
    )


def test_an_epoch_read_from_its_files_matches_as_before_and_takes_a_tail(tmp_path: Path) -> None:
    index = _index()
    save_epoch(index, tmp_path / "epochs" / "1")
    loaded = load_epoch(tmp_path / "epochs" / "1")
    assert loaded.epoch_id == index.epoch_id
    assert isinstance(loaded.epoch.term_docs.base, np.memmap)
    options = MatchOptions(min_similarity=0.1, limit=20)
    for text in TEXTS:
        query = MatchQuery(problem_signature=text)
        assert match_stfs(query, loaded, options) == match_stfs(query, index, options) != ()
    new = [
        MatchCandidate(stf_id="f" * 64, problem_signature="rotate the token", quality=1.0),
        MatchCandidate(stf_id=f"{0:064x}", problem_signature=TEXTS[0], name="fixIt", quality=1.0),
    ]
    query = MatchQuery(problem_signature=f"{TEXTS[0]} rotate token")
    after = match_stfs(query, loaded.followed_by(new), options)
    assert after == match_stfs(query, index.followed_by(new), options)
    assert {after[0].quality, after[1].quality} == {1.0}


def test_vectors_are_kept_beside_the_words_and_missed_by_name(tmp_path: Path) -> None:
    embedder = TextEmbedder("toy 1", np.eye(50), lambda texts: [[len(word) for word in t.split()] for t in texts])
    population = [
        MatchCandidate(stf_id=f"{number:064x}", problem_signature=text, quality=0.8)
        for number, text in enumerate(TEXTS)
    ]
    index = MatchIndex.build(population, embedder)
    save_epoch(index, tmp_path / "with")
    save_epoch(MatchIndex.build(population), tmp_path / "without")
    loaded = load_epoch(tmp_path / "with", embedder)
    assert loaded.vectors is not None
    assert isinstance(loaded.vectors.components.base, np.memmap)
    options = MatchOptions(algorithm="hybrid", min_similarity=0.1, limit=20)
    for text in TEXTS:
        query = MatchQuery(problem_signature=text)
        assert match_stfs(query, loaded, options) == match_stfs(query, index, options) != ()
    assert load_epoch(tmp_path / "with").vectors is None
    for directory, wanted in (("without", embedder), ("with", replace(embedder, version="toy 2"))):
        with pytest.raises(VectorsMissingError, match="toy"):
            load_epoch(tmp_path / directory, wanted)


def test_an_epoch_on_disk_is_never_overwritten(tmp_path: Path) -> None:
    save_epoch(_index(), tmp_path / "1")
    with pytest.raises(FileExistsError):
        save_epoch(_index(), tmp_path / "1")
    assert [path.name for path in tmp_path.iterdir()] == ["1"]


@pytest.mark.parametrize("damage", ["missing", "cut", "version", "mixed"])
def test_a_damaged_epoch_is_refused_by_name(tmp_path: Path, damage: str) -> None:
    directory = tmp_path / "1"
    save_epoch(_index(), directory)
    victim = directory / "tfidf.term_docs.npy"
    if damage == "missing":
        victim.unlink()
    elif damage == "cut":
        victim.write_bytes(victim.read_bytes()[:-50])
    elif damage == "version":
        meta = orjson.loads((directory / "epoch.json").read_bytes())
        (directory / "epoch.json").write_bytes(orjson.dumps(meta | {"index_version": INDEX_VERSION + 1}))
    else:
        save_epoch(MatchIndex.build([]), tmp_path / "2")
        (tmp_path / "2" / "columns.ids.npy").replace(directory / "columns.ids.npy")
    with pytest.raises(EpochFilesError, match=str(directory)):
        load_epoch(directory)
