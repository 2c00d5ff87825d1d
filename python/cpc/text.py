"""Words of text models."""

# Written by generate.py. Change the command, and run it again.

from __future__ import annotations

import os
from typing import Any

from ._call import call as _call

__all__ = ["expand"]


def expand(
    model: str,
    *,
    vectors: str | os.PathLike,
    out: str | os.PathLike,
    most: int = 1000000,
    overwrite: bool = False,
    progress: bool | None = None,
) -> Any:
    """Add the words of a file of word vectors to a model's vocabulary.

    A linear map from the file's vectors to the model's embeddings is fitted over the words that
    both contain (least squares, in closed form). The embeddings of the file's other words are
    their vectors under this map. The vectors of sentences of known words do not change.

    The file is in the format of word2vec (text or binary), fastText's .vec or GloVe. Its words
    should have the same case as the model's: a model that was trained on lowercase text accepts
    only lowercase words. The tokenizer must be one of words or of word pieces; BPE pieces
    already make up any word.

    Parameters
    ----------
    model : str
        A text model: a model or run directory, or hf:owner/name
    vectors : str or path
        The file of word vectors
    out : str or path
        The model directory to create
    most : int, optional
        Maximum number of words to add, from the beginning of the file, where the frequent words
        are
    overwrite : bool
        Replace a model that exists in `out`
    progress : bool, optional
        Whether a progress bar is shown; by default on terminals and in notebooks.

    Returns
    -------
    Result, Rows or str
        What `cpc text expand --json` prints; printed itself, the table of the command.
    """
    return _call("text expand", [model], {"vectors": vectors, "out": out, "most": most, "overwrite": overwrite},
        progress=progress)
