"""Arguments of functions that are not options as they stand."""

import os
from collections.abc import Hashable

import numpy as np

from ._call import call, settings
from ._errors import UsageError
from ._results import Estimate
from ._tables import Table, is_frame, is_names, is_path, is_text, names_of


def many(value):
    """One thing or several, as a list."""
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _is_column(value, known):
    """Whether a value is a column of a table, or several."""
    if isinstance(value, list) or (isinstance(value, tuple) and value not in known):
        return len(value) > 0 and all(isinstance(item, str) or _is_column(item, known) for item in value)
    return isinstance(value, Hashable) and value in known


def configured(own, sections):
    """Settings of the argument `settings`, and of keywords that are sections, such as train={"lr": 1e-4}."""
    for name, value in sections.items():
        if not isinstance(value, dict):
            raise TypeError(
                f"unexpected argument {name!r}; a section of the configuration is a dictionary, as in train={{'lr': 1e-4}}"
            )
    return settings(own) + settings(sections)


def sides(data, x, y, given, discrete):
    """X, Y and Z of `cpc mi estimate`: one table and names of its columns, or arrays of their own.

    Returns
    -------
    words : list
        The inputs.
    chosen : dict
        The options that say what of them is X, Y and Z, and which of these are labels.
    """
    names = {"x": x, "y": y, "given": given}
    data, labels = list(data), set(many(discrete))
    if len(data) > 3:
        raise UsageError(f"there are {len(data)} arrays\ngive X, Y and perhaps Z; several columns of one are an array (rows, columns)")
    if len(data) == 1:
        known = names_of(data[0]) if is_frame(data[0]) else {}
        for side, value in names.items():
            if value is not None and not is_names(value) and not _is_column(value, known):
                raise UsageError(f"{side} is an array beside a table\nput its columns into the table, or give x and y as arrays of their own")
        return [Table("data", data[0])], {**names, "discrete": sorted(labels)}
    arrays, kept = dict(zip(names, data)), {}
    for side, value in names.items():
        if value is None:
            continue
        if side not in arrays:
            arrays[side] = value
        elif is_names(value) and (is_path(arrays[side]) or is_frame(arrays[side])):
            kept[side] = value
        else:
            raise UsageError(f"{side} is given twice\ngive it once")
    missing = [side for side in ("x", "y") if side not in arrays]
    if missing:
        raise UsageError(f"{' and '.join(missing)} {'are' if missing[1:] else 'is'} missing\ngive arrays, or a table and the names of its columns")
    for side, letter in (("x", "x"), ("y", "y"), ("given", "z")):
        if side in arrays and is_text(arrays[side]):
            labels.add(letter)
    words = [Table(side, arrays[side]) for side in ("x", "y", "given") if side in arrays]
    return words, {**kept, "discrete": sorted(labels)}


def estimated(words, given, pointwise, progress):
    """An estimate; with `pointwise=True`, with the pointwise information of each row as an array."""
    if pointwise is None or isinstance(pointwise, (str, os.PathLike)) or not pointwise:
        path = os.fspath(pointwise) if pointwise else None
        return call("mi estimate", words, {**given, "pointwise": path}, progress=progress, kind=Estimate)
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "pointwise.npy")
        result = call("mi estimate", words, {**given, "pointwise": path}, progress=progress, kind=Estimate)
        result["pointwise"] = np.load(path).reshape(-1)
    return result
