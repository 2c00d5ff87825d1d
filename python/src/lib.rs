//! `cpc._cpc`: what the package `cpc` of Python takes from the library. The layer of Python above it has the functions that people call.

mod errors;
mod host;
mod model;
mod options;
mod work;

use pyo3::prelude::*;

#[pymodule]
mod _cpc {
    #[pymodule_export]
    use super::host::run;
    #[pymodule_export]
    use super::model::{Model, Stream, open};
    #[pymodule_export]
    use super::options::commands;
    #[pymodule_export]
    use super::{cores, main, threads, version};
}

/// Runs the command line of this process, and returns its exit code.
#[pyfunction]
fn main(py: Python<'_>, args: Vec<std::ffi::OsString>) -> u8 {
    py.detach(|| cpc::command::main_with(args))
}

/// The number of physical cores, or what RAYON_NUM_THREADS says.
#[pyfunction]
fn cores() -> usize {
    cpc::device::threads()
}

/// The number of threads that compute; `None` before something was computed.
#[pyfunction]
fn threads(py: Python<'_>) -> PyResult<Option<usize>> {
    if !work::has_computed() {
        return Ok(None);
    }
    work::refuse_forks(py)?;
    Ok(Some(rayon::current_num_threads()))
}

/// The version of the package.
#[pyfunction]
fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}
