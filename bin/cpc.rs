//! The `cpc` command: parse, run, exit code.

use clap::Parser;
use cpc::cli::{Cli, Command, report};
use std::process::ExitCode;

fn main() -> ExitCode {
    cpc::memory::keep_large_blocks();
    cpc::audio::hush_decoder_panics();
    let cli = Cli::parse();
    // SAFETY: no other thread has been started yet.
    let set = |name: &str, threads: usize| unsafe { std::env::set_var(name, threads.to_string()) };
    if let Some(threads) = cli.global.threads.map(usize::from) {
        set("RAYON_NUM_THREADS", threads);
        set("CANDLE_NUM_THREADS", threads);
    } else if std::env::var_os("RAYON_NUM_THREADS").is_none() {
        // Otherwise candle reads /proc/cpuinfo for the number at every matrix product.
        set("RAYON_NUM_THREADS", candle_core::utils::get_num_threads());
    }
    if matches!(cli.command, Command::Mi(_)) {
        // Many small critics train side by side, and would wait for each other at candle's one pool.
        set("CANDLE_NUM_THREADS", 1);
    }
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error, &cli.global);
            ExitCode::from(error.exit_code())
        }
    }
}
