"""Arguments of functions that are not options as they stand."""

import os

import numpy as np

from ._call import call, settings
from ._errors import UsageError
from ._results import Estimate
from ._tables import is_names, is_path, is_text


def many(value):
    """One thing or several, as a list."""
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


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
    data = list(data)
    arrays = {side: value for side, value in names.items() if value is not None and not is_names(value)}
    if len(data) >= 2 and "given" not in arrays and names["given"] is not None and not is_path(names["given"]):
        arrays["given"] = names["given"]  # labels
    if not data and len(arrays) < 2:
        raise UsageError("there are no data\ngive x and y as arrays, or a table and the names of its columns")
    if len(data) == 1 and arrays and not is_path(data[0]):
        raise UsageError(
            f"{' and '.join(arrays)} {'is' if len(arrays) == 1 else 'are'} an array beside a table\n"
            "put its columns into the table, or give x and y as arrays of their own"
        )
    for side, array in zip(("x", "y", "given"), data if len(data) > 1 else ()):
        if side in arrays:
            raise UsageError(f"{side} is given twice\ngive it once")
        arrays[side] = array
    labels = set(many(discrete))
    if not arrays:
        return [("data", data[0])], {**names, "discrete": sorted(labels)}
    if len(data) == 1:
        raise UsageError("there is one table, and an array\ngive x and y as arrays, or put all into the table")
    if not {"x", "y"} <= set(arrays):
        raise UsageError("x or y is missing\ngive both as arrays")
    for side, letter in (("x", "x"), ("y", "y"), ("given", "z")):
        if side in arrays and is_text(arrays[side]):
            labels.add(letter)
    kept = {side: None if side in arrays else value for side, value in names.items()}
    words = [(side, arrays[side]) for side in ("x", "y", "given") if side in arrays]
    return words, {**kept, "discrete": sorted(labels)}


def estimated(words, given, pointwise, progress):
    """An estimate; with `pointwise=True`, with the pointwise information of each row as an array."""
    if pointwise is not True:
        path = os.fspath(pointwise) if pointwise else None
        return call("mi estimate", words, {**given, "pointwise": path}, progress=progress, kind=Estimate)
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "pointwise.npy")
        result = call("mi estimate", words, {**given, "pointwise": path}, progress=progress, kind=Estimate)
        result["pointwise"] = np.load(path).reshape(-1)
    return result
