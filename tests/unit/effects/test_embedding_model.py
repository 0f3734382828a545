"""The vectors of the extra `embedding`: read from the wheel, without network, or refused with what to do."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from debug_loop_pipeline.effects import embedding_model
from debug_loop_pipeline.effects.embedding_model import EmbeddingMissingError, embedder_of, load_embedder
from debug_loop_pipeline.settings import MatchingSettings, Settings

PROJECT = Path(__file__).parents[3]
HYBRID = Settings(matching=MatchingSettings(algorithm="hybrid"))
needs_extra = pytest.mark.skipif(find_spec("wordllama") is None, reason="the extra `embedding` is not installed")


@needs_extra
def test_texts_of_one_meaning_are_closer_than_others() -> None:
    embedder = load_embedder()
    query = embedder.embed(["remove duplicates from a list"])
    close, far = embedder.embed(
        ["drop repeated items of an array", "open a network connection with a timeout"]
    ).similarities(query)
    assert close > far + 0.1


@needs_extra
def test_it_opens_no_connection_and_leaves_logging_alone() -> None:
    code = (
        "import logging, socket, sys\n"
        "def refuse(*_): raise AssertionError('network')\n"
        "socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse\n"
        "from debug_loop_pipeline.effects.embedding_model import load_embedder\n"
        "assert len(load_embedder().embed(['parse dates']).components[0]) == 256\n"
        "assert 'wordllama' not in sys.modules and 'requests' not in sys.modules\n"
        "assert not logging.getLogger().handlers\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_tfidf_needs_no_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding_model, "load_embedder", lambda: pytest.fail("loaded"))
    assert embedder_of(Settings()) is None


@pytest.mark.parametrize("missing", ["wordllama", "tokenizers", "safetensors"])
def test_without_the_extra_it_is_said_which_one_and_what_to_do(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    if missing == "wordllama":
        monkeypatch.setattr(embedding_model, "find_spec", lambda _: None)
    else:
        monkeypatch.setitem(sys.modules, missing, None)
    load_embedder.cache_clear()
    with pytest.raises(EmbeddingMissingError) as refused:
        embedder_of(HYBRID)
    load_embedder.cache_clear()
    assert missing in str(refused.value)
    assert "debug_loop_pipeline[embedding]" in str(refused.value)
    assert "DEBUG_LOOP_MATCHING__ALGORITHM=tfidf" in str(refused.value)
