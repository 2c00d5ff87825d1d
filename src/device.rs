//! Where tensors live: `auto`, `cpu`, `cuda`, `cuda:1` or `metal`.

use crate::error::{Error, Result};
use candle_core::Device;

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
        ("auto", "0") if cfg!(feature = "cuda") => Ok(Device::cuda_if_available(0)?),
        ("auto", "0") if cfg!(feature = "metal") => Ok(Device::new_metal(0).unwrap_or(Device::Cpu)),
        ("auto", "0") => Ok(Device::Cpu),
        ("cuda", _) if !cfg!(feature = "cuda") => Err(not_built("cuda")),
        ("metal", _) if !cfg!(feature = "metal") => Err(not_built("metal")),
        ("cuda", index) if index.parse::<usize>().is_ok() => {
            Device::new_cuda(index.parse().unwrap_or(0)).map_err(|e| cannot_use(name, &e))
        }
        ("metal", "0") => Device::new_metal(0).map_err(|e| cannot_use(name, &e)),
        _ => Err(Error::usage(
            format!("--device {name}: there is no such device"),
            "choose auto, cpu, cuda, cuda:1 (the second GPU) or metal",
        )),
    }
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
