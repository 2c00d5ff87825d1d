//! Errors of the library as exceptions of Python, with the same two lines.

use cpc::error::Error;
use pyo3::exceptions::{PyKeyboardInterrupt, PyOSError};
use pyo3::prelude::*;
use pyo3::types::PyType;

/// The exception for an error. Those of files are the kinds of `OSError`; the others are `cpc.Error`, and `cpc.UsageError`, which is a
/// `ValueError` too.
pub fn exception(py: Python<'_>, error: &Error) -> PyErr {
    let text = format!("{error}\n{}", error.remedy());
    let made = match error {
        Error::Interrupted { .. } => return PyKeyboardInterrupt::new_err(text),
        Error::Usage { .. } | Error::Config(_) => of_package(py, "UsageError", &text),
        Error::Io { source, .. } => of_files(py, source, &text),
        _ => of_package(py, "Error", &text),
    };
    made.unwrap_or_else(|error| error)
}

fn of_package(py: Python<'_>, name: &str, text: &str) -> PyResult<PyErr> {
    Ok(PyErr::from_value(py.import("cpc._errors")?.getattr("made")?.call1((name, text))?))
}

/// The kind of `OSError` for a refusal of the system.
fn of_files(py: Python<'_>, source: &std::io::Error, text: &str) -> PyResult<PyErr> {
    let kind = PyErr::from(std::io::Error::from(source.kind())).get_type(py);
    let class = if kind.is_subclass_of::<PyOSError>()? { kind } else { PyType::new::<PyOSError>(py) };
    let value = class.call1((text,))?;
    if let Some(number) = source.raw_os_error() {
        value.setattr("errno", number)?;
    }
    Ok(PyErr::from_value(value))
}
