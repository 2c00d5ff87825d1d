"""Contrastive predictive coding and mutual information: features of audio, series, text and images, and how much X says about Y.

>>> import cpc
>>> model = cpc.load("runs/demo")
>>> c = model.features(samples, rate=8000)          # (frames, dimensions) float32
>>> cpc.pretrain("wav/", out="runs/a", preset="small", train={"lr": 1e-4})
>>> r = cpc.mi.estimate(x, y)                       # float(r), r.interval, r.warnings

Every command of `cpc` is a function here, with the same options: those of `cpc mi` are in `cpc.mi`, those of `cpc hub` in `cpc.hub`.
Results are dictionaries and lists that print as the command does.
"""

from . import _call, _cpc, hub, mi, text, units
from ._commands import abx, convert, extract, finetune, info, predict, pretrain, probe
from ._errors import Error, UsageError, Warning
from ._model import Model, Stream, load
from ._results import Estimate, Result, Rows

__all__ = [
    "Error", "Estimate", "Model", "Result", "Rows", "Stream", "UsageError", "Warning", "abx", "convert", "extract", "finetune", "hub", "info",
    "load", "mi", "offline", "predict", "pretrain", "probe", "text", "threads", "units",
]

__version__ = _cpc.version()


def offline(yes=True):
    """Forbids network connections, or allows them again: only what the cache has of the hub is used.

    Parameters
    ----------
    yes : bool
        Whether they are forbidden.
    """
    _call.offline = yes


def threads(number=None):
    """The number of threads that compute: one per physical core, or as many as RAYON_NUM_THREADS says.

    Parameters
    ----------
    number : int, optional
        Sets it. That is possible before anything was computed.

    Returns
    -------
    int
        The number of threads.
    """
    if number is not None and not _cpc.set_threads(number) and _cpc.threads() != number:
        raise Error(f"threads({number}): {_cpc.threads()} threads compute already\ncall it before anything else")
    _call.begin(number)
    return _cpc.threads()
