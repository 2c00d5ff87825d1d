//! Makes PTX of the kernels in `src/ops/cuda/kernels` for the feature `cuda`, with nvcc, which candle needs too.
//!
//! `CUDA_COMPUTE_CAP` chooses the oldest GPU that the program will run on, as for candle: 80 (the default) for Ampere and later.

#![allow(clippy::print_stdout, clippy::print_stderr)] // this is how a build script speaks

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

const KERNELS: &str = "src/ops/cuda/kernels";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_CUDA").is_none() {
        return;
    }
    println!("cargo::rerun-if-changed={KERNELS}");
    for name in ["CUDA_COMPUTE_CAP", "NVCC", "CUDA_HOME", "CUDA_PATH", "PATH"] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    if let Err(what) = kernels() {
        eprintln!("{what}");
        std::process::exit(1);
    }
}

fn kernels() -> Result<(), String> {
    let out = PathBuf::from(env::var("OUT_DIR").map_err(|e| e.to_string())?);
    let capability = env::var("CUDA_COMPUTE_CAP").unwrap_or_else(|_| "80".into());
    let files = fs::read_dir(KERNELS).map_err(|e| format!("{KERNELS}: {e}"))?;
    for file in files.map_while(Result::ok).map(|entry| entry.path()) {
        if file.extension().is_some_and(|e| e == "cu") {
            compile(&file, &out, &capability)?;
        }
    }
    Ok(())
}

fn compile(file: &Path, out: &Path, capability: &str) -> Result<(), String> {
    let nvcc = nvcc();
    let found = Command::new(&nvcc)
        .args([
            "--ptx",
            "-O3",
            "-std=c++17",
            &format!("-arch=compute_{}", capability.replace('.', "")),
            "--output-directory",
        ])
        .arg(out)
        .arg(file)
        .output()
        .map_err(|e| {
            format!("{}: {e}; the feature cuda needs the CUDA toolkit: set CUDA_HOME to where it is", nvcc.display())
        })?;
    match found.status.success() {
        true => Ok(()),
        false => Err(format!("{}\n{}", file.display(), String::from_utf8_lossy(&found.stderr))),
    }
}

fn nvcc() -> PathBuf {
    let in_home = |name: &str| env::var_os(name).map(|home| Path::new(&home).join("bin/nvcc"));
    let named = env::var_os("NVCC").map(PathBuf::from);
    named
        .or_else(|| ["CUDA_HOME", "CUDA_PATH"].into_iter().filter_map(in_home).find(|path| path.exists()))
        .unwrap_or_else(|| "nvcc".into())
}
