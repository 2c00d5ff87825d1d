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
    use super::{cores, main, set_threads, threads, version};
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

/// The number of threads that compute.
#[pyfunction]
fn threads() -> usize {
    rayon::current_num_threads()
}

/// Sets the number of threads that compute, before the first of them has started. Whether that was still possible.
#[pyfunction]
fn set_threads(threads: usize) -> bool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().is_ok()
}

/// The version of the package.
#[pyfunction]
fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}
