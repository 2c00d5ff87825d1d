"""Arrays and tables of Python, as what commands read from files."""

import csv
import io
import os
import zipfile

import numpy as np

from ._errors import UsageError


def is_path(data):
    """Whether data are the name of a file."""
    return isinstance(data, (str, os.PathLike))


def is_names(value):
    """Whether a value is the name of a column, or several."""
    return isinstance(value, str) or (
        isinstance(value, (list, tuple)) and len(value) > 0 and all(isinstance(name, str) for name in value)
    )


def is_text(data):
    """Whether data are labels: one column of text."""
    return not is_path(data) and not is_frame(data) and array_of(data, "data").dtype.kind in "US"


def is_frame(data):
    """Whether data have columns with names."""
    if isinstance(data, dict):
        return True
    if isinstance(data, np.ndarray):
        return data.dtype.names is not None
    return hasattr(data, "columns") and hasattr(data, "__getitem__")


def columns_of(data):
    """The columns of a table by name: one-dimensional arrays."""
    if isinstance(data, np.ndarray):
        names = data.dtype.names
    elif isinstance(data, dict):
        names = list(data)
    else:
        names = list(data.columns)
    columns = {str(name): array_of(data[name], str(name)) for name in names}
    if len(columns) < len(names):
        raise UsageError("two columns of the table have the same name\nrename one of them")
    return columns


def array_of(data, name):
    """Data as an array of numbers or of text."""
    if hasattr(data, "dtype") and "datetime64" in str(data.dtype):
        # Without its zone, which text would repeat in each row.
        times = np.asarray(getattr(data, "values", data), dtype="datetime64[ns]")
        return np.where(np.isnat(times), "", np.datetime_as_string(times, unit="us"))
    if hasattr(data, "detach"):
        data = data.detach().cpu()
    elif not hasattr(data, "__array__") and hasattr(data, "__dlpack__"):
        data = np.from_dlpack(data)
    array = np.asarray(data)
    if array.dtype.kind == "O":
        array = _plain(array, name)
    if array.dtype.kind == "c":
        raise UsageError(f"{name}: complex numbers are no column\ngive their real and imaginary parts as two columns")
    return array


def _plain(array, name):
    """An array of objects as numbers, or as text where one of them is text; what is missing is NaN or empty."""
    flat = array.reshape(-1)
    missing = np.array([value is None or value != value or str(value) == "<NA>" for value in flat], dtype=bool)
    if any(isinstance(value, str) for value in flat[~missing]):
        text = np.array(["" if gone else str(value) for value, gone in zip(flat, missing)], dtype=str)
        return text.reshape(array.shape)
    try:
        numbers = np.array([np.nan if gone else float(value) for value, gone in zip(flat, missing)])
    except (TypeError, ValueError):
        raise UsageError(f"{name} holds neither numbers nor text\nconvert it to an array of numbers") from None
    return numbers.reshape(array.shape)


def content(data, name, kind=None):
    """What stands for a file: its name in messages, its kind and its bytes. `kind` is csv where nothing else is read."""
    if is_frame(data):
        columns = columns_of(data)
        if kind == "csv" or any(column.dtype.kind in "US" for column in columns.values()):
            return name, "csv", _csv(list(columns), zip(*(column.tolist() for column in columns.values())))
        return name, "npz", _npz(columns)
    array = array_of(data, name)
    if kind == "csv":
        rows = array.reshape(len(array), -1).tolist()
        return name, "csv", _csv(None, rows)
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return name, "npy", file.getvalue()


def _npz(columns):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, column in columns.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, np.asanyarray(column), allow_pickle=False)
    return file.getvalue()


def _csv(names, rows):
    text = io.StringIO()
    writer = csv.writer(text)
    if names is not None:
        writer.writerow(names)
    writer.writerows([repr(cell) if isinstance(cell, float) else cell for cell in row] for row in rows)
    return text.getvalue().encode()
