//! Where tensors live: `auto`, `cpu`, `cuda`, `cuda:1` or `metal`.

#[cfg(feature = "cuda")]
mod cuda;

use crate::error::{Error, Result};
use candle_core::Device;
use parking_lot::Mutex;

/// The device named by a `--device` value. `auto` is the first GPU that this build can use, else the CPU.
///
/// # Errors
/// A device that was not built in is a usage error; its remedy says how to build with it.
pub fn parse(name: &str) -> Result<Device> {
    let not_built = |feature: &str| {
        Error::usage(
            format!("--device {name}: this cpc was built without {feature}"),
            format!("build it with `cargo install --path . --features {feature}`, or use --device cpu"),
        )
    };
    match name.split_once(':').unwrap_or((name, "0")) {
        ("cpu", "0") => Ok(Device::Cpu),
        ("auto", "0") => first(),
        ("cuda", _) if !cfg!(feature = "cuda") => Err(not_built("cuda")),
        ("metal", _) if !cfg!(feature = "metal") => Err(not_built("metal")),
        #[cfg(feature = "cuda")]
        ("cuda", index) if index.parse::<usize>().is_ok() => cuda::open(name, index.parse().unwrap_or(0)),
        ("metal", "0") => Device::new_metal(0).map_err(|e| cannot_use(name, &e)),
        _ => Err(Error::usage(
            format!("--device {name}: there is no such device"),
            "choose auto, cpu, cuda, cuda:1 (the second GPU) or metal",
        )),
    }
}

/// The device of the `n`-th of several processes of a machine: as [`parse`], but where that is a GPU without a number, the GPU `n`, counted
/// again from the first where there are fewer.
///
/// # Errors
/// As [`parse`].
pub fn parse_nth(name: &str, n: usize) -> Result<Device> {
    #[cfg(feature = "cuda")]
    if let ("auto" | "cuda", Ok(gpus @ 1..)) = (name, cuda::count()) {
        return cuda::open(name, n % gpus);
    }
    let _ = n;
    parse(name)
}

/// The first GPU that this build can use, or the CPU where there is none.
fn first() -> Result<Device> {
    #[cfg(feature = "cuda")]
    if cuda::count().map_or(true, |n| n > 0) {
        return cuda::open("auto", 0);
    }
    Ok(if cfg!(feature = "metal") { Device::new_metal(0).unwrap_or(Device::Cpu) } else { Device::Cpu })
}

/// What is computed in on an NVIDIA GPU. On other devices it is always f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// All 24 bits of each factor.
    F32,
    /// Products with 11 bits of each factor, on tensor cores; sums are in f32.
    Tf32,
    /// As `Tf32`; between the layers of the encoder, activations and their gradients are bf16, with 8 bits.
    Bf16,
}

static PRECISION: Mutex<Precision> = Mutex::new(Precision::F32);

/// The threads that compute on the CPU: one per physical core, or as many as the environment variable RAYON_NUM_THREADS says.
pub fn threads() -> usize {
    candle_core::utils::get_num_threads()
}

/// Chooses the precision from here on.
pub fn set_precision(precision: Precision) {
    #[cfg(feature = "cuda")]
    candle_core::cuda_backend::set_gemm_reduced_precision_f32(precision != Precision::F32);
    *PRECISION.lock() = precision;
}

/// The precision that was chosen; f32 before.
pub fn precision() -> Precision {
    *PRECISION.lock()
}

fn cannot_use(name: &str, e: &candle_core::Error) -> Error {
    Error::failed(format!("--device {name}: {e}"), "check the driver, or use --device cpu")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_is_always_there_and_nonsense_is_a_usage_error() {
        assert!(parse("cpu").unwrap().is_cpu());
        assert!(parse("auto").is_ok());
        for name in ["gpu", "cpu:1", "cuda:x", ""] {
            assert_eq!(parse(name).unwrap_err().exit_code(), 2, "{name}");
        }
    }
}
