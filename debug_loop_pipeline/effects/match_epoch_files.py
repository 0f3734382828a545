"""A match epoch as a directory of arrays that processes map into memory and share (DOMAIN 3.6).

Belongs here: writing, mapping and removing the files. Not here: what the arrays mean (compute/matching/tfidf_index.py and
compute/stf_matcher.py), and which epoch is current (match_epoch_store.py).
"""

from __future__ import annotations

import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import orjson

from debug_loop_pipeline.compute.matching.text_embedding import TextEmbedder, TextVectors
from debug_loop_pipeline.compute.matching.tfidf_index import TfidfEpoch
from debug_loop_pipeline.compute.matching.versions import INDEX_VERSION
from debug_loop_pipeline.compute.stf_matcher import MatchIndex, StfColumns

T = TypeVar("T", TfidfEpoch, StfColumns, TextVectors)

_META = "epoch.json"
_TFIDF, _COLUMNS, _VECTORS = "tfidf", "columns", "vectors"

_DRAFT_PREFIX, _REMOVED_PREFIX = ".draft-", ".removed-"
_DRAFT_SECONDS = 3_600
"""A draft that is older was left by a process that died."""


class EpochFilesError(Exception):
    """The directory holds no epoch that this version can read."""


class VectorsMissingError(EpochFilesError):
    """The epoch is good, but without the vectors that are wanted."""


def save_epoch(index: MatchIndex, directory: Path, *, changes_since: datetime | None = None) -> None:
    """Write the epoch of `index` (without its tail) as `directory`, complete or not at all.

    Args:
        index: What to write.
        directory: A path that does not exist yet; its parent is made.
        changes_since: From when on the registry may hold changes that the epoch does not; `changes_since` reads it.

    Raises:
        FileExistsError: When `directory` is there already: an epoch that others have mapped is never overwritten.
    """
    directory.parent.mkdir(parents=True, exist_ok=True)
    if directory.exists():
        raise FileExistsError(f"{directory} exists; write each epoch under a name of its own")
    draft = Path(tempfile.mkdtemp(prefix=f"{_DRAFT_PREFIX}{directory.name}-", dir=directory.parent))
    try:
        for part, value in ((_TFIDF, index.epoch), (_COLUMNS, index.columns), (_VECTORS, index.vectors)):
            for field in fields(value) if value is not None else ():
                np.save(draft / f"{part}.{field.name}.npy", getattr(value, field.name), allow_pickle=False)
        meta = {
            "index_version": INDEX_VERSION,
            "epoch_id": index.epoch_id,
            "documents": index.epoch.documents,
            "vectors": index.embedder and index.embedder.version,
            "changes_since": changes_since and changes_since.isoformat(),
        }
        (draft / _META).write_bytes(orjson.dumps(meta))
        draft.rename(directory)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def load_epoch(directory: Path, embedder: TextEmbedder | None = None) -> MatchIndex:
    """The epoch written to `directory`, mapped read-only, with an empty tail.

    Args:
        directory: as `save_epoch` wrote it.
        embedder: whose vectors the index is to have; None for an index without.

    Raises:
        VectorsMissingError: When it was written without vectors, or with others.
        EpochFilesError: When something is missing, damaged, or of another index version: build a new epoch then.
    """
    try:
        meta = _meta(directory)
        epoch = _arrays(directory, _TFIDF, TfidfEpoch)
        columns = _arrays(directory, _COLUMNS, StfColumns)
        if embedder is not None and meta.get("vectors") != embedder.version:
            raise VectorsMissingError(f"{directory} holds no vectors of {embedder.version}")
        vectors = _arrays(directory, _VECTORS, TextVectors) if embedder is not None else None
    except (OSError, EOFError, ValueError, KeyError) as error:
        raise EpochFilesError(f"{directory} holds no readable epoch: {error}") from error
    sizes = {epoch.documents, len(columns), meta["documents"], *([len(vectors)] if vectors is not None else [])}
    if len(sizes) > 1:
        raise EpochFilesError(f"{directory} holds parts of different epochs, of {sorted(sizes)} documents")
    return MatchIndex.of_epoch(epoch, columns, meta["epoch_id"], embedder, vectors)


def changes_since(directory: Path) -> datetime:
    """From when on the registry may hold changes that the epoch in `directory` does not.

    Raises:
        EpochFilesError: When it does not say.
    """
    try:
        return datetime.fromisoformat(_meta(directory)["changes_since"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EpochFilesError(f"{directory} does not say when it was read from the registry: {error}") from error


def remove_epoch(directory: Path) -> None:
    """Remove an epoch, if it is there. A process that has it mapped keeps it until it lets go of it."""
    removed = directory.with_name(f"{_REMOVED_PREFIX}{directory.name}-{time.time_ns()}")
    with suppress(FileNotFoundError):
        directory.rename(removed)  # first, so that nobody finds half of an epoch
    shutil.rmtree(removed, ignore_errors=True)


def remove_epochs(root: Path, *, keep: int = 0) -> None:
    """Remove the epochs under `root` but the `keep` newest by name, and what dead processes left behind."""
    if not root.is_dir():
        return
    entries = sorted(root.iterdir())
    epochs = [path for path in entries if not path.name.startswith(".")]
    for path in epochs[: max(0, len(epochs) - keep)]:
        remove_epoch(path)
    for path in entries:
        if path.name.startswith(_REMOVED_PREFIX) or (
            path.name.startswith(_DRAFT_PREFIX) and _age_s(path) > _DRAFT_SECONDS
        ):
            shutil.rmtree(path, ignore_errors=True)


def _age_s(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0


def _meta(directory: Path) -> dict[str, Any]:
    meta: dict[str, Any] = orjson.loads((directory / _META).read_bytes())
    if meta["index_version"] != INDEX_VERSION:
        raise EpochFilesError(f"{directory} is of index version {meta['index_version']}, not {INDEX_VERSION}")
    return meta


def _arrays(directory: Path, part: str, kind: type[T]) -> T:
    # Plain arrays over the map: the map's own class costs microseconds at every slice.
    return kind(
        **{
            field.name: np.asarray(np.load(directory / f"{part}.{field.name}.npy", mmap_mode="r", allow_pickle=False))
            for field in fields(kind)
        }
    )
