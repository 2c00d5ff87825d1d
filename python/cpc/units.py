"""Discrete units of a model."""

# Written by generate.py. Change the command, and run it again.

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Literal

from ._arguments import many as _many
from ._call import call as _call

__all__ = ["apply", "fit"]


def fit(
    features: str,
    data: str | os.PathLike | None = None,
    *,
    clusters: int | Sequence[int],
    layer: str | None = None,
    normalize: Literal["none", "mean", "mean-var"] | None = None,
    share: float = 1,
    passes: int = 50,
    seed: int = 0,
    labels: str | os.PathLike | None = None,
    label_rate: float = 100,
    out: str | os.PathLike | None = None,
    on_bad_file: Literal["fail", "skip"] | None = None,
    device: str = "auto",
    progress: bool | None = None,
) -> Any:
    """Fit units on the features of a model.

    Fit units by k-means: seeded by k-means++ on a sample of the frames, then by passes over all
    frames until these improve it no more. Memory does not grow with the data. The same command
    goes on where it was interrupted.

    A file units-K.safetensors is written for each K, beside the model, where `cpc hub push`
    finds it, or into out. With labels, the table says what units have to do with phones.

    Parameters
    ----------
    features : str
        A model, or a directory of features that `cpc extract` wrote
    data : str or path, optional
        The recordings, if `features` is a model: a directory, a manifest, parquet files, or
        hf://datasets/owner/name
    clusters : int, or a list of them
        Numbers of units
    layer : str, optional
        The layer of the features [default: that of the model]
    normalize : {"none", "mean", "mean-var"}, optional
        Normalization of each utterance over its frames [default: none]
    share : float, optional
        The share of the utterances that units are fitted on, drawn with the seed
    passes : int, optional
        Passes over all frames, at most
    seed : int, optional
        The seed
    labels : str or path, optional
        Frame labels, to measure units with
    label_rate : float, optional
        Labels per second
    out : str or path, optional
        The directory to write to [default: that of the model]
    on_bad_file : {"fail", "skip"}, optional
        What to do about a file that cannot be read [default: fail]
    device : str, optional
        Where the model is computed: auto, cpu, cuda, cuda:N or metal
    progress : bool, optional
        Whether a progress bar is shown; by default on terminals and in notebooks.

    Returns
    -------
    Result, Rows or str
        What `cpc units fit --json` prints; printed itself, the table of the command.
    """
    return _call("units fit", [features, *_many(data)], {"clusters": clusters, "layer": layer, "normalize": normalize,
        "share": share, "passes": passes, "seed": seed, "labels": labels, "label_rate": label_rate, "out": out,
        "on_bad_file": on_bad_file, "device": device}, progress=progress)


def apply(
    units: str,
    input: str | os.PathLike,
    *,
    out: str | os.PathLike,
    clusters: int | None = None,
    model: str | None = None,
    format: Literal["jsonl", "zerospeech", "km"] = "jsonl",
    deduplicate: bool = False,
    labels: str | os.PathLike | None = None,
    label_rate: float = 100,
    on_bad_file: Literal["fail", "skip"] | None = None,
    device: str = "auto",
    progress: bool | None = None,
) -> Any:
    """Write the units of recordings.

    Parameters
    ----------
    units : str
        A file of units that `cpc units fit` wrote, or, with clusters, a model that has such
        units: a model or run directory, or hf:owner/name
    input : str or path
        Recordings, in any form that the model reads, or a directory of its features
    out : str or path
        The file to write
    clusters : int, optional
        The number of units, if `units` is a model
    model : str, optional
        The model [default: the one that the units are beside, or that they name]
    format : {"jsonl", "zerospeech", "km"}, optional
        How units are written
    deduplicate : bool
        Write runs of the same unit as one; jsonl says how long they are (`durations`)
    labels : str or path, optional
        Frame labels, to measure units with
    label_rate : float, optional
        Labels per second
    on_bad_file : {"fail", "skip"}, optional
        What to do about a file that cannot be read [default: fail]
    device : str, optional
        Where the model is computed: auto, cpu, cuda, cuda:N or metal
    progress : bool, optional
        Whether a progress bar is shown; by default on terminals and in notebooks.

    Returns
    -------
    Result, Rows or str
        What `cpc units apply --json` prints; printed itself, the table of the command.
    """
    return _call("units apply", [units, input], {"clusters": clusters, "model": model, "out": out, "format": format,
        "deduplicate": deduplicate, "labels": labels, "label_rate": label_rate, "on_bad_file": on_bad_file, "device":
        device}, progress=progress)
