//! The `cpc` command: parse, run, exit code.

use clap::Parser;
use cpc::cli::{Cli, report};
use std::process::ExitCode;

fn main() -> ExitCode {
    cpc::memory::keep_large_blocks();
    cpc::audio::hush_decoder_panics();
    let cli = Cli::parse();
    if let Some(threads) = cli.global.threads {
        for pool in ["RAYON_NUM_THREADS", "CANDLE_NUM_THREADS"] {
            // SAFETY: no other thread has been started yet.
            unsafe { std::env::set_var(pool, threads.to_string()) };
        }
    }
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error, &cli.global);
            ExitCode::from(error.exit_code())
        }
    }
}
