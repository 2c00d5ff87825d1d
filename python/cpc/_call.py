"""Runs commands: arguments of Python become their options, their results data."""

import fnmatch
import json
import logging
import numbers
import os
import re
import sys
import warnings

import numpy as np

from . import _cpc
from ._errors import Error, UsageError, Warning
from ._names import in_python, options, python_name
from ._progress import Progress
from ._results import Result, Rows
from ._tables import Table, content, is_frame, is_path, names_of

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


def word(value):
    """A value as a word of the command line."""
    if isinstance(value, (bytes, os.PathLike)):
        return os.fsdecode(value)
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value)).lower()
    if isinstance(value, numbers.Real):
        whole = isinstance(value, numbers.Integral) or (np.isfinite(value) and value == int(value) and abs(value) < 1e15)
        return str(int(value)) if whole else repr(float(value))
    if isinstance(value, str):
        return value
    raise UsageError(f"{type(value).__name__} where a name, a path or a number is expected\ngive one of these")


def setting(value):
    """A value of a configuration, as TOML."""
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(setting(item) for item in value) + "]"
    if isinstance(value, (str, os.PathLike)):
        text = os.fspath(value)
        try:
            text.encode()
        except UnicodeEncodeError:
            raise UsageError(f"{text!r} is not text in UTF-8\nrename the file") from None
        return json.dumps(text, ensure_ascii=False)
    if isinstance(value, numbers.Real):
        return repr(value)
    raise UsageError(f"{type(value).__name__} is no value of a setting\ngive a number, text, a truth value or a list of them")


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


#: Options that name columns of a table.
_COLUMNS = ("x", "y", "given", "from", "to", "columns", "discrete", "target", "time", "group")


def _flags(command, given, columns):
    """The flags of the options that were given. One that has its default is left out: some options exclude others. `columns` are those of the
    table in memory, if there is one."""
    flags = []
    for name, value in given.items():
        option = options(command)[name]
        flag = f"--{option['long']}"
        if option["flag"]:
            flags += [flag] * bool(value)
            continue
        if value is None or value is False or _is_empty(value):
            continue
        if option["optional_value"] and isinstance(value, (bool, np.bool_)):
            flags += [flag] * bool(value)
            continue
        if isinstance(value, dict):
            value = [f"{what}={word(name)}" for what, name in value.items()]
        if name in _COLUMNS and columns is not None:
            value = _named(value, option, columns)
        several = not isinstance(value, (str, bytes)) and hasattr(value, "__iter__")
        words = [word(item) for item in (value if several else [value])]
        if not option["several"]:
            words = [",".join(words)]
        if ",".join(words) == ",".join(option["default"]):
            continue
        flags += [f"{flag}={item}" for item in words]
    return flags


def _is_empty(value):
    try:
        return not isinstance(value, str) and len(value) == 0
    except TypeError:  # numbers
        return False


def _named(value, option, columns):
    """Names of columns of a table in memory, each as the command line takes it. Names may be numbers or tuples there, and have commas."""
    several = not isinstance(value, (str, bytes)) and hasattr(value, "__iter__") and not (isinstance(value, tuple) and value in columns)
    whole = list(value) if several else [value]
    words = []
    for item in whole:
        if item not in columns or not option["delimited"]:
            words.append(columns.get(item, item))
            continue
        # A comma separates names, and blanks around them are left out. In a pattern, ? stands for any letter.
        text = re.sub(r"^\s+|\s+$|,", lambda found: "?" * len(found[0]), columns[item])
        alike = [name for name in columns.values() if fnmatch.fnmatchcase(name, re.sub(r"([\[\]])", "[\\1]", text))]
        if len(alike) > 1:
            raise UsageError(f"{', '.join(alike)} cannot be told apart as names\nrename them without commas, * and ?")
        words.append(text)
    return words


def _outside():
    """The level of the caller of the package, for warnings."""
    level, frame = 1, sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").startswith("cpc."):
        level, frame = level + 1, frame.f_back
    return level


def _said(text, command):
    """An error of the command line as one of a function."""
    function = {"hub list": "hub.cached"}.get(command, command.replace(" ", "."))
    text = text.replace("`cpc --help` describes all options", f"help(cpc.{function}) describes all arguments")
    for option in options(command).values():
        for value_name in option["value_names"] or []:
            if option["position"]:
                text = text.replace(f"<{value_name}>", python_name(option["name"]))
    return re.sub(r" <[A-Z][A-Z|=/]*>", "", text)


def call(command, words, given, *, progress=None, tell=None, kind=Result):
    """Runs a command.

    Parameters
    ----------
    command : str
        Its words.
    words : list
        Its inputs in order: names, or a Table.
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
    frames = [item.data for item in words if isinstance(item, Table) and is_frame(item.data)]
    columns = names_of(frames[0]) if len(frames) == 1 else None

    def argument(given):
        if not isinstance(given, Table):
            return word(given)
        if is_path(given.data):
            return word(given.data)
        files[f"<{given.name}>"] = content(given)
        return f"<{given.name}>"

    positional = [argument(item) for item in words]
    named = {name: argument(value) if isinstance(value, Table) else value for name, value in given.items()}
    args += _flags(command, named, columns)
    if positional:
        args += ["--", *positional]
    bar, warned = Progress(progress), []

    def heard(kind, value):
        if kind == "warning":
            warned.append(in_python(value))
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
        error.args = tuple(_said(text, command) for text in error.args)
        raise
    finally:
        bar.close()
    shown = {"text": text, "pictures": pictures, "warnings": warned}
    found = None if found is None else json.loads(found)
    for row in found if isinstance(found, list) else [found]:
        if isinstance(row, dict) and isinstance(row.get("warnings"), list):
            row["warnings"] = [in_python(text) for text in row["warnings"]]
    if found is None:
        result = text.rstrip("\n")
    elif isinstance(found, list):
        result = Rows([kind(row) if isinstance(row, dict) else row for row in found], **shown)
    else:
        result = kind(found, **shown)
    if problem is not None:
        problem.result = result
        raise problem
    for text in warned:
        try:
            warnings.warn(text, Warning, stacklevel=_outside())
        except Warning as raised:
            raised.result = result
            raise
    return result
