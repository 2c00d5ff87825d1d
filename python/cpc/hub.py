"""Models of the Hugging Face hub."""

# Written by generate.py. Change the command, and run it again.

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from ._call import call as _call

__all__ = ["cached", "pull", "push"]


def pull(
    reference: str,
    *,
    to: Any | None = None,
    overwrite: bool = False,
    progress: bool | None = None,
) -> Any:
    """Fetch a model into the cache.

    Each file is checked against the hub's size and hash before it enters the cache. If the
    command is stopped or cut off, run it again and it resumes where it stopped. Files that the
    cache already has at the same commit are not fetched again.

    Parameters
    ----------
    reference : str
        hf:owner/name[@revision][/folder], or the https address of a model on the hub
    to : str or path, optional
        Also copy the files to this directory
    overwrite : bool
        Replace a model that exists in `to`
    progress : bool, optional
        Whether a progress bar is shown; by default on terminals and in notebooks.

    Returns
    -------
    Result, Rows or str
        What `cpc hub pull --json` prints; printed itself, the table of the command.
    """
    return _call("hub pull", [reference], {"to": to, "overwrite": overwrite}, progress=progress)


def push(
    model: str,
    repository: str,
    *,
    private: bool = False,
    revision: str | None = None,
    message: str = "Upload a model of cpc-toolkit",
    dry_run: bool = False,
    license: str | None = None,
    language: str | Sequence[str] | None = None,
    dataset: str | Sequence[str] | None = None,
    probe: str | os.PathLike | Sequence[str | os.PathLike] | None = None,
    abx: str | os.PathLike | Sequence[str | os.PathLike] | None = None,
    progress: bool | None = None,
) -> Any:
    """Upload a model to the hub.

    The card states what the run recorded: data, hours, architecture, steps, and the loss and
    accuracy of each k. It shows how to load the model with cpc, in PyTorch and in numpy. The
    options below add to it. A README.md next to the model that was written or changed by hand
    is uploaded unchanged.

    A repository or branch that does not exist is created. A token with write access is read
    from HF_TOKEN, or from the file that `hf auth login` writes.

    Parameters
    ----------
    model : str
        Any `model`: a run directory (its best model), a model directory, or a CPC_audio
        checkpoint
    repository : str
        The repository, as owner/name
    private : bool
        Make the repository private
    revision : str, optional
        The branch to commit to [default: main]
    message : str, optional
        The commit message
    dry_run : bool
        Print what would be uploaded, and upload nothing
    license : str, optional
        The license, by its id on the hub, such as mit or cc-by-4.0
    language : str, or a list of them, optional
        A language of the recordings, by its ISO 639 code
    dataset : str, or a list of them, optional
        A data set on the hub that the model was trained on
    probe : str or path, or a list of them, optional
        The output of `cpc probe --json` for its features
    abx : str or path, or a list of them, optional
        The output of `cpc abx --json` for its features
    progress : bool, optional
        Whether a progress bar is shown; by default on terminals and in notebooks.

    Returns
    -------
    Result, Rows or str
        What `cpc hub push --json` prints; printed itself, the table of the command.
    """
    return _call("hub push", [model, repository], {"private": private, "revision": revision, "message": message,
        "dry_run": dry_run, "license": license, "language": language, "dataset": dataset, "probe": probe, "abx": abx},
        progress=progress)


def cached(
    progress: bool | None = None,
) -> Any:
    """List what is in the cache.

    List the models and data sets from the hub that are in the cache. Each cached commit is
    listed with its size and the branches and tags that pointed to it.

    Parameters
    ----------
    progress : bool, optional
        Whether a progress bar is shown; by default on terminals and in notebooks.

    Returns
    -------
    Result, Rows or str
        What `cpc hub list --json` prints; printed itself, the table of the command.
    """
    return _call("hub list", [], {}, progress=progress)
