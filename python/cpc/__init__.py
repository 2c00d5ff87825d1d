"""Contrastive predictive coding and mutual information: features of audio, series, text and images, and how much X says about Y.

>>> import cpc
>>> model = cpc.load("runs/demo")
>>> c = model.features(samples, rate=8000)          # (frames, dimensions) float32
>>> cpc.pretrain("wav/", out="runs/a", preset="small", train={"lr": 1e-4})
>>> r = cpc.mi.estimate(x, y)                       # float(r), r.interval, r.warnings

Every command of `cpc` is a function here, with the same options: those of `cpc mi` are in `cpc.mi`, those of `cpc hub` in `cpc.hub`.
Results are dictionaries and lists that print as the command does.
"""

from typing import TYPE_CHECKING

from ._cpc import version as _version

if TYPE_CHECKING:
    from . import hub, mi, text, units
    from ._commands import abx, convert, extract, finetune, info, predict, pretrain, probe
    from ._errors import Error, UsageError, Warning
    from ._model import Model, Stream, load
    from ._results import Estimate, Result, Rows

__version__ = _version()

#: Where names are. They are imported when they are used, so that the command `cpc` starts without numpy.
_HOMES = {
    "_commands": ("abx", "convert", "extract", "finetune", "info", "predict", "pretrain", "probe"),
    "_errors": ("Error", "UsageError", "Warning"),
    "_model": ("Model", "Stream", "load"),
    "_results": ("Estimate", "Result", "Rows"),
}
_MODULES = ("hub", "mi", "text", "units")

# Without Warning, which is a name of Python too.
__all__ = sorted({*_MODULES, *(name for names in _HOMES.values() for name in names), "offline", "threads"} - {"Warning"})


def __getattr__(name):
    import importlib

    if name in _MODULES:
        return importlib.import_module(f"cpc.{name}")
    for home, names in _HOMES.items():
        if name in names:
            value = globals()[name] = getattr(importlib.import_module(f"cpc.{home}"), name)
            return value
    raise AttributeError(f"module 'cpc' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__, "Warning"})


def offline(yes=True):
    """Forbids network connections, or allows them again: only what the cache has of the hub is used.

    Parameters
    ----------
    yes : bool
        Whether they are forbidden.
    """
    from . import _call

    _call.offline = yes


def threads(number=None):
    """The number of threads that compute: one per physical core, or as many as RAYON_NUM_THREADS says.

    Parameters
    ----------
    number : int, optional
        Sets it, from 1 to 1024. That is possible before anything was computed.

    Returns
    -------
    int
        The number of threads.
    """
    from . import _call, _cpc
    from ._errors import Error, UsageError

    now = _cpc.threads()
    if number is None:
        return now or _cpc.cores()
    if not 1 <= number <= 1024:
        raise UsageError(f"threads({number}): not a number of threads\ngive a number from 1 to 1024")
    if now not in (None, number):
        raise Error(f"threads({number}): {now} threads compute already\ncall it before anything else")
    _call.begin(int(number))
    return int(number)
