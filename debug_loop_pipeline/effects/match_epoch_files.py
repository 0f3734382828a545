"""A match epoch as a directory of arrays that processes map into memory and share (DOMAIN 3.6).

Belongs here: writing and mapping the files. Not here: what the arrays mean (compute/tfidf_index.py and
compute/stf_matcher.py).
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from debug_loop_pipeline.compute.stf_matcher import MatchIndex, StfColumns
from debug_loop_pipeline.compute.tfidf_index import INDEX_VERSION, TfidfEpoch

_META = "epoch.json"
_PARTS: tuple[tuple[str, type[Any]], ...] = (("tfidf", TfidfEpoch), ("columns", StfColumns))


class EpochFilesError(Exception):
    """The directory holds no epoch that this version can read."""


def save_epoch(index: MatchIndex, directory: Path) -> None:
    """Write the epoch of `index` (without its tail) as `directory`, complete or not at all.

    Args:
        index: What to write.
        directory: A path that does not exist yet; its parent is made.

    Raises:
        FileExistsError: When `directory` is there already: an epoch that others have mapped is never overwritten.
    """
    directory.parent.mkdir(parents=True, exist_ok=True)
    if directory.exists():
        raise FileExistsError(f"{directory} exists; write each epoch under a name of its own")
    draft = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    try:
        for part, value in (("tfidf", index.epoch), ("columns", index.columns)):
            for field in fields(value):
                np.save(draft / f"{part}.{field.name}.npy", getattr(value, field.name), allow_pickle=False)
        meta = {"index_version": INDEX_VERSION, "epoch_id": index.epoch_id, "documents": index.epoch.documents}
        (draft / _META).write_bytes(orjson.dumps(meta))
        draft.rename(directory)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def load_epoch(directory: Path) -> MatchIndex:
    """The epoch written to `directory`, mapped read-only, with an empty tail.

    Raises:
        EpochFilesError: When something is missing, damaged, or of another index version: build a new epoch then.
    """
    try:
        meta = orjson.loads((directory / _META).read_bytes())
        if meta["index_version"] != INDEX_VERSION:
            raise EpochFilesError(f"{directory} is of index version {meta['index_version']}, not {INDEX_VERSION}")
        parts = {part: kind(**_arrays(directory, part, kind)) for part, kind in _PARTS}
    except (OSError, ValueError, KeyError) as error:
        raise EpochFilesError(f"{directory} holds no readable epoch: {error}") from error
    epoch, columns = parts["tfidf"], parts["columns"]
    if not epoch.documents == len(columns) == meta["documents"]:
        raise EpochFilesError(
            f"{directory}: {epoch.documents} documents, {len(columns)} rows, {meta['documents']} told"
        )
    return MatchIndex.of_epoch(epoch, columns, meta["epoch_id"])


def _arrays(directory: Path, part: str, kind: type[Any]) -> dict[str, Any]:
    # A plain array over the map: the map's own class costs microseconds at every slice.
    return {
        field.name: np.asarray(np.load(directory / f"{part}.{field.name}.npy", mmap_mode="r", allow_pickle=False))
        for field in fields(kind)
    }
