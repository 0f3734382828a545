"""The static vectors of the extra `embedding`: those that wordllama's wheel carries (DOMAIN 3.6, `hybrid`).

The files are read as they lie in the wheel. wordllama's own loader looks for the tokenizer in a folder that is not there and
then wants a download, and importing the package sets up logging for the whole process; neither happens here.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from debug_loop_pipeline.compute.matching.text_embedding import TextEmbedder
from debug_loop_pipeline.errors import DebugLoopError
from debug_loop_pipeline.settings import Settings

_VECTORS = "weights/l2_supercat_256.safetensors"
_TOKENIZER = "tokenizers/l2_supercat_tokenizer_config.json"
_TENSOR = "embedding.weight"


class EmbeddingMissingError(DebugLoopError):
    """The extra `embedding` is not installed, or its files are not where they are known to be."""

    def __init__(self, reason: object) -> None:
        super().__init__(
            f"matching by `hybrid` needs the extra `embedding` ({reason}); install it with"
            " pip install 'debug_loop_pipeline[embedding]', or set DEBUG_LOOP_MATCHING__ALGORITHM=tfidf"
        )


def embedder_of(settings: Settings) -> TextEmbedder | None:
    """The embedder that the matching of these settings needs; None for `tfidf`.

    Raises:
        EmbeddingMissingError: `hybrid` without the extra.
    """
    return load_embedder() if settings.matching.algorithm == "hybrid" else None


@cache
def load_embedder() -> TextEmbedder:
    """The vectors, from the installed files: 65 MB, once in a process.

    Raises:
        EmbeddingMissingError: They are not there.
    """
    try:
        import safetensors
        import tokenizers

        found = find_spec("wordllama")
        if found is None or not found.submodule_search_locations:
            raise EmbeddingMissingError("wordllama is not installed")
        folder = Path(found.submodule_search_locations[0])
        with safetensors.safe_open(folder / _VECTORS, framework="np") as file:
            table = file.get_tensor(_TENSOR)
        tokenizer = tokenizers.Tokenizer.from_buffer((folder / _TOKENIZER).read_bytes())
        made_of = f"wordllama {version('wordllama')}"
    except (ImportError, OSError, PackageNotFoundError) as error:
        raise EmbeddingMissingError(error) from error
    tokenizer.no_padding()
    tokenizer.no_truncation()

    def tokens(texts: Sequence[str]) -> list[list[int]]:
        # One text alone is not worth the threads of a batch.
        if len(texts) == 1:
            return [tokenizer.encode(texts[0], add_special_tokens=False).ids]
        return [found.ids for found in tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]

    return TextEmbedder(f"{made_of}, {Path(_VECTORS).stem}", table.astype(np.float64), tokens)
