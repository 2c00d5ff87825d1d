"""Runs commands: arguments of Python become their options, their results data."""

import functools
import json
import logging
import os
import re
import sys
import warnings

from . import _cpc
from ._errors import Error, Warning
from ._names import in_python
from ._progress import Progress
from ._results import Result, Rows
from ._tables import content, is_path

_log = logging.getLogger("cpc")

#: Whether network connections are forbidden (cpc.offline sets it).
offline = False


def begin(threads=None):
    """Before anything is computed: says in the environment how many threads compute, unless it says so already. candle, which computes, reads it
    there; otherwise it reads the system's list of processors at every product, and its elementwise operations wait in loops."""
    if threads is not None:
        os.environ["RAYON_NUM_THREADS"] = str(threads)
    os.environ.setdefault("RAYON_NUM_THREADS", str(_cpc.cores()))
    os.environ.setdefault("CANDLE_NUM_THREADS", "1")


@functools.cache
def _commands():
    return {" ".join(command["path"]): command for command in json.loads(_cpc.commands())}


@functools.cache
def _options(command):
    return {option["name"]: option for option in _commands()[command]["options"]}


def word(value):
    """A value as a word of the command line."""
    if isinstance(value, (bytes, os.PathLike)):
        return os.fsdecode(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def setting(value):
    """A value of a configuration, as TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(setting(item) for item in value) + "]"
    if isinstance(value, (str, os.PathLike)):
        return json.dumps(os.fspath(value))
    return repr(value.item() if hasattr(value, "item") else value)


def settings(values, prefix=""):
    """Settings as KEY=VALUE: dictionaries within each other are sections."""
    if values is None:
        return []
    if not isinstance(values, dict):
        return [values] if isinstance(values, str) else list(values)
    found = []
    for key, value in values.items():
        if isinstance(value, dict):
            found += settings(value, f"{prefix}{key}.")
        else:
            found.append(f"{prefix}{key}={setting(value)}")
    return found


def _flags(command, given):
    """The flags of the options that were given. One that has its default is left out: some options exclude others."""
    flags = []
    for name, value in given.items():
        option = _options(command)[name]
        flag = f"--{option['long']}"
        if value is None or value is False or (not isinstance(value, str) and hasattr(value, "__len__") and len(value) == 0):
            continue
        if option["flag"] or (option["optional_value"] and value is True):
            flags.append(flag)
            continue
        if isinstance(value, dict):
            value = [f"{what}={name}" for what, name in value.items()]
        values = list(value) if not isinstance(value, (str, bytes)) and hasattr(value, "__iter__") else [value]
        words = [word(item) for item in values]
        if not option["several"]:
            words = [",".join(words)]
        if ",".join(words) == ",".join(option["default"]):
            continue
        if option["delimited"] and name in ("x", "y", "given", "from", "to", "columns"):
            # A comma separates names; one in a name matches as any letter does.
            words = [item.replace(",", "?") if len(words) > 1 else item for item in words]
        flags += [f"{flag}={item}" for item in words]
    return flags


def _said(text, command, options):
    """An error of the command line as one of a function."""
    text = text.replace("`cpc --help` describes all options", f"help(cpc.{command.replace(' ', '.')}) describes all arguments")
    return in_python(re.sub(r" <[A-Z][A-Z|=/]*>", "", text), options)


def _outside():
    """The level of the caller of the package, for warnings."""
    level, frame = 1, sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").startswith("cpc."):
        level, frame = level + 1, frame.f_back
    return level


def call(command, words, given, *, progress=None, tell=None, kind=Result):
    """Runs a command.

    Parameters
    ----------
    command : str
        Its words.
    words : list
        Its inputs in order: names, or pairs of a name for messages and data.
    given : dict
        Its options by name.
    progress : bool or None
        Whether a bar is shown.
    tell : callable or None
        Called with each line of metrics.
    kind : type
        The class of a result that is a dictionary.
    """
    files, args = {}, command.split()
    listed = list(_options(command).values())

    def argument(given):
        if not isinstance(given, tuple):
            return word(given)
        name, data, *csv = given
        if is_path(data):
            return word(data)
        files[f"<{name}>"] = content(data, name, *csv)
        return f"<{name}>"

    positional = [argument(item) for item in words]
    named = {name: argument(value) if isinstance(value, tuple) and len(value) == 3 else value for name, value in given.items()}
    args += _flags(command, named)
    if positional:
        args += ["--", *positional]
    bar, warned = Progress(progress), []

    def heard(kind, value):
        if kind == "warning":
            warned.append(in_python(value, listed))
        elif kind in ("note", "detail"):
            _log.log(logging.INFO if kind == "note" else logging.DEBUG, "%s", value)
        elif kind in ("train", "valid"):
            line = json.loads(value)
            bar("line", line)
            if tell is not None:
                tell(line)
        else:
            bar(kind, value)

    begin()
    try:
        found, text, pictures, problem = _cpc.run(args, files, offline, heard)
    except Error as error:
        error.args = tuple(_said(text, command, listed) for text in error.args)
        raise
    finally:
        bar.close()
    for text_of_warning in warned:
        warnings.warn(text_of_warning, Warning, stacklevel=_outside())
    if found is None:
        return text.rstrip("\n")
    shown = {"text": text, "pictures": pictures, "warnings": warned}
    found = json.loads(found)
    if isinstance(found, list):
        result = Rows([kind(row) if isinstance(row, dict) else row for row in found], **shown)
    else:
        result = kind(found, **shown)
    if problem is not None:
        problem.result = result
        raise problem
    return result
