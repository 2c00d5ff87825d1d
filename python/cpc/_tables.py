"""Arrays and tables of Python, as what commands read from files."""

import csv
import datetime
import io
import os
import zipfile
from typing import Any, NamedTuple

import numpy as np

from ._errors import UsageError


class Table(NamedTuple):
    """Data that a command reads.

    Attributes
    ----------
    name : str
        What messages call them.
    data : str, path, DataFrame, dict of arrays or array
        A file, or columns in memory.
    joint : bool
        Whether they are a joint table, of probabilities or counts.
    """

    name: str
    data: Any
    joint: bool = False


def is_path(data):
    """Whether data are the name of a file."""
    return isinstance(data, (str, bytes, os.PathLike))


def is_names(value):
    """Whether a value is the name of a column, or several."""
    return isinstance(value, str) or (
        isinstance(value, (list, tuple)) and len(value) > 0 and all(isinstance(name, str) for name in value)
    )


def is_text(data):
    """Whether data are labels: one column of text."""
    if is_path(data):
        return False
    if is_frame(data):
        columns = list(_columns(data).values())
        return len(columns) == 1 and columns[0].dtype.kind in "US"
    return array_of(data, "data").dtype.kind in "US"


def is_frame(data):
    """Whether data have columns with names."""
    if isinstance(data, dict):
        return True
    if isinstance(data, np.ndarray):
        return data.dtype.names is not None
    return hasattr(data, "columns") and hasattr(data, "__getitem__")


def names_of(data):
    """The names of the columns of a table, and what they are called as text."""
    if isinstance(data, np.ndarray):
        names = data.dtype.names
    elif isinstance(data, dict):
        names = list(data)
    else:
        names = list(data.columns)
    texts = [str(name) for name in names]
    again = next((text for i, text in enumerate(texts) if text in texts[:i]), None)
    if again is not None:
        raise UsageError(f"two columns of the table have the name {again}\nrename one of them")
    return dict(zip(names, texts))


def _columns(data):
    """The columns of a table: arrays by name."""
    if hasattr(data, "collect") and not hasattr(data, "to_numpy"):
        data = data.collect()  # a LazyFrame of polars
    return {text: array_of(data[name], text) for name, text in names_of(data).items()}


def array_of(data, name):
    """Data as an array of numbers or of text; what is missing is NaN, or empty text. Times are text."""
    if hasattr(data, "tz_convert") and getattr(data, "tz", None) is not None:
        data = data.tz_convert(None)  # to UTC
    if "datetime64" in str(getattr(data, "dtype", "")) and not isinstance(data, np.ma.MaskedArray):
        # Of a series of pandas: times in UTC, where they have a zone.
        return _times(np.asarray(getattr(data, "values", data)), name)
    if hasattr(data, "detach"):
        data = data.detach().cpu()
    elif not hasattr(data, "__array__") and hasattr(data, "__dlpack__"):
        try:
            data = np.from_dlpack(data)
        except (BufferError, RuntimeError, TypeError) as error:
            raise UsageError(f"{name} cannot be read ({error})\ncopy it to the CPU first") from None
    masked = np.ma.getmaskarray(data) if isinstance(data, np.ma.MaskedArray) else None
    try:
        array = np.asarray(data)
    except ValueError as error:
        raise UsageError(f"{name} is no array ({error})\ngive rows of equal length") from None
    if array.dtype.kind == "O":
        array = _plain(array, name)
    if array.dtype.kind == "T":
        array = array.astype(str)
    if array.dtype.kind == "M":
        array = _times(array, name)
    if array.dtype.kind == "c":
        raise UsageError(f"{name} has complex numbers\ngive their real and imaginary parts, as two columns")
    if array.dtype.kind == "m":
        raise UsageError(f"{name} has durations\ndivide them by a unit, as in x / numpy.timedelta64(1, 's')")
    if array.dtype.kind not in "biufUS":
        raise UsageError(f"{name} holds neither numbers nor text, but {array.dtype}\nconvert it to an array of numbers")
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8", "replace")
    if masked is not None and masked.any():
        array = np.where(masked, "" if array.dtype.kind == "U" else np.nan, array)
    return array


def _times(array, name):
    """Times as text that sorts."""
    array = np.asarray(array, dtype="datetime64[us]")
    return np.where(np.isnat(array), "", np.datetime_as_string(array, unit="us"))


def _missing(value):
    if isinstance(value, (str, bytes)):
        return False
    if value is None or str(value) in ("<NA>", "NaT"):
        return True
    return isinstance(value, (float, np.floating)) and value != value


def _without_zone(value):
    """A time in UTC, if it has a zone."""
    if getattr(value, "tzinfo", None) is None:
        return value
    return value.astimezone(datetime.timezone.utc).replace(tzinfo=None)


def _plain(array, name):
    """An array of objects as numbers, as times, or as text where one of them is text."""
    flat = array.reshape(-1)
    missing = np.array([_missing(value) for value in flat], dtype=bool)
    there = flat[~missing]
    if any(isinstance(value, (str, bytes)) for value in there):
        text = [value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in flat]
        return np.where(missing, "", np.array(text, dtype=str)).reshape(array.shape)
    if len(there) and all(isinstance(value, (datetime.date, np.datetime64)) for value in there):
        times = [np.datetime64("NaT") if gone else np.datetime64(_without_zone(value), "us") for value, gone in zip(flat, missing)]
        return np.array(times, dtype="datetime64[us]").reshape(array.shape)
    try:
        numbers = np.array([np.nan if gone else float(value) for value, gone in zip(flat, missing)])
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"{name} holds neither numbers nor text\nconvert it to an array of numbers") from None
    return numbers.reshape(array.shape)


def content(table):
    """What stands for a file: its name in messages, its kind and its bytes."""
    name, data, joint = table
    if joint:
        return name, "csv", _joint(name, data)
    file = io.BytesIO()
    if is_frame(data):
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for column, array in _columns(data).items():
                with archive.open(f"{column}.npy", "w", force_zip64=True) as entry:
                    np.lib.format.write_array(entry, array, allow_pickle=False)
        return name, "npz", file.getvalue()
    array = array_of(data, name)
    if array.ndim == 0:
        raise UsageError(f"{name} is one value\ngive a row for each sample")
    np.save(file, array, allow_pickle=False)
    return name, "npy", file.getvalue()


def _joint(name, data):
    """A joint table as CSV, with the names of its rows and columns, so that none is taken for a number of it."""
    if is_frame(data):
        columns = _columns(data)
        values = np.column_stack(list(columns.values()))
        rows = [str(row) for row in getattr(data, "index", range(1, len(values) + 1))]
        corner = [str(getattr(getattr(data, side, None), "name", None) or letter) for side, letter in (("index", "X"), ("columns", "Y"))]
        heads = list(columns)
    else:
        values = array_of(data, name)
        if values.ndim != 2:
            raise UsageError(f"{name} has the shape {values.shape}\ngive a row for each value of X, and a column for each of Y")
        corner, heads, rows = "XY", range(1, values.shape[1] + 1), range(1, len(values) + 1)
    values = values.astype(np.int64) if values.dtype.kind == "b" else values
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["\\".join(side.replace("\\", "/") for side in corner), *heads])
    writer.writerows([row, *map(repr, cells)] for row, cells in zip(rows, values.tolist()))
    return text.getvalue().encode()
