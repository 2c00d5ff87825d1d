//! The `cpc` command: parses the command line, calls the library, prints. One file per subcommand. Results go to stdout, everything else to
//! stderr.

mod abx;
mod choices;
mod columns;
mod console;
mod convert;
mod extract;
mod finetune;
mod host;
#[cfg(feature = "hub")]
mod hub;
mod info;
mod interrupt;
mod man;
mod mi;
mod picture;
mod predict;
mod pretrain;
mod probe;
mod terminal;
#[cfg(feature = "text")]
mod text;
mod units;

pub use host::Host;

use crate::error::{Error, Result};
use crate::group::launch::{self, Launched};
use crate::mi::parallel::stoppable;
use crate::observer::Session;
use crate::{device, guard, memory};
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use console::Console;
use std::ffi::OsString;
use std::iter;
use std::process::ExitCode;
use std::sync::Arc;
use terminal::Terminal;

/// When messages are colored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Contrastive predictive coding and mutual information: audio, sensor series, text, images
///
/// `cpc pretrain` trains an encoder on recordings, series, text or images without labels, by distinguishing true futures from false ones (InfoNCE,
/// van den Oord et al. 2018) or by other bounds on mutual information. The result is a model directory, which every other command accepts:
/// `extract` writes its features, `probe` and `abx` measure them, `finetune` makes a classifier of it from few labels, `hub` shares
/// it. `mi` estimates the mutual information between any columns of numbers or labels.
#[derive(Debug, Parser)]
#[command(name = "cpc", version, max_term_width = 110, propagate_version = true)]
#[command(
    after_help = "Exit codes: 0 success, 1 the work failed, 2 error in usage or configuration, 130 interrupted (after a checkpoint)."
)]
struct Cli {
    /// The task
    #[command(subcommand)]
    command: Command,
    /// Options of every command
    #[command(flatten)]
    global: Global,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
struct Global {
    /// Print only results, warnings and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Print more: every line of metrics, also when not on a terminal
    #[arg(short, long, global = true)]
    verbose: bool,
    /// When to color messages
    #[arg(long, global = true, value_enum, default_value = "auto", value_name = "WHEN")]
    color: Color,
    /// Print the result as JSON
    #[arg(long, global = true)]
    json: bool,
    /// Threads for computation [default: one per physical core]
    ///
    /// Results are bit-identical for the same number of threads. On a machine whose cores are busy with other work, 1 is often the fastest.
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Make no network connection: use only what the cache has of the hub (as HF_HUB_OFFLINE=1 does)
    #[arg(long, global = true)]
    offline: bool,
}

/// The subcommands. Each is documented where it is defined: a comment here would replace its long help.
#[derive(Debug, Subcommand)]
enum Command {
    Pretrain(Box<pretrain::Pretrain>),
    Extract(extract::Extract),
    Probe(Box<probe::Probe>),
    Finetune(Box<finetune::Finetune>),
    Predict(predict::Predict),
    Abx(abx::Abx),
    Units(Box<units::Units>),
    Convert(convert::Convert),
    Info(info::Info),
    #[cfg(feature = "hub")]
    Hub(hub::HubCommand),
    #[cfg(feature = "text")]
    Text(text::TextCommand),
    Mi(mi::MiCommand),
    Completions(man::Completions),
    Man(man::Man),
}

impl Cli {
    /// Runs the command line.
    fn run(&self, host: Option<Arc<dyn Host>>) -> Result<()> {
        let threads = self.global.threads.map_or_else(device::threads, usize::from);
        // A pool that exists already (in a test) is kept.
        // The stack is deep enough for jobs that wait for others of their own.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).stack_size(8 << 20).build_global();
        let terminal = Terminal::new(&self.global, host);
        match &self.command {
            Command::Pretrain(pretrain) => pretrain.run(&terminal),
            Command::Extract(extract) => extract.run(&terminal),
            Command::Probe(probe) => probe.run(&terminal),
            Command::Finetune(finetune) => finetune.run(&terminal),
            Command::Predict(predict) => predict.run(&terminal),
            Command::Abx(abx) => abx.run(&terminal),
            Command::Units(units) => units.run(&terminal),
            Command::Convert(convert) => convert.run(&terminal),
            Command::Info(info) => info.run(&terminal),
            #[cfg(feature = "hub")]
            Command::Hub(hub) => hub.run(&terminal),
            #[cfg(feature = "text")]
            Command::Text(text) => text.run(&terminal),
            Command::Mi(mi) => mi.run(&terminal),
            Command::Completions(completions) => completions.run(&terminal),
            Command::Man(man) => man.run(&terminal),
        }
    }
}

/// Connects the library's work to this terminal, where Ctrl-C stops it, or to the program that runs the command.
fn session<'a>(console: &'a Console, device: &str) -> Result<Session<'a>> {
    let (device, offline) = (device::parse(device)?, console.terminal.offline);
    let session = Session { device, offline, ..Session::new(console.observer())? };
    match &console.terminal.host {
        Some(host) => Ok(Session { stop: host.stop(), unwatched: host.unwatched(), ..session }),
        None => interrupt::stop_by_signals(&session).map(|()| session),
    }
}

/// The place of this process among those that were started together, if it is not alone.
fn launched() -> Option<Launched> {
    launch::launched(|name| std::env::var(name).ok())
}

/// Threads for computation, unless the command line says how many: one per physical core, shared between the processes that were started
/// together on this machine, and not more than this process may use.
fn threads() -> usize {
    let cores = device::threads();
    match launched() {
        None => cores,
        Some(launched) => {
            let allowed = std::thread::available_parallelism().map_or(cores, usize::from);
            (cores / launched.local_size).clamp(1, allowed.max(1))
        }
    }
}

/// Runs the command line of this process: its exit code.
pub fn main() -> ExitCode {
    ExitCode::from(main_with(std::env::args_os()))
}

/// Runs a command line as the only work of this process, whose settings it changes: its exit code. The first argument is the name of the program.
pub fn main_with(args: impl IntoIterator<Item = OsString>) -> u8 {
    memory::keep_large_blocks();
    guard::hush();
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(wrong) => {
            let _ = wrong.print();
            return wrong.exit_code().try_into().unwrap_or(2);
        }
    };
    // SAFETY: no other thread has been started yet.
    let set = |name: &str, threads: usize| unsafe { std::env::set_var(name, threads.to_string()) };
    if let Some(threads) = cli.global.threads.map(usize::from) {
        set("RAYON_NUM_THREADS", threads);
    } else if std::env::var_os("RAYON_NUM_THREADS").is_none() {
        // Otherwise candle reads /proc/cpuinfo for the number of threads at every matrix product.
        set("RAYON_NUM_THREADS", threads());
    }
    if std::env::var_os("CANDLE_NUM_THREADS").is_none() {
        // candle's own pool, for its elementwise operations, waits in loops and is bound to cores. The ops that take time run on rayon's pool;
        // for the rest it gains nothing on free cores and doubles a step where a core is shared (docs/performance.md).
        set("CANDLE_NUM_THREADS", 1);
    }
    match cli.run(None) {
        Ok(()) => 0,
        Err(error) => {
            Terminal::new(&cli.global, None).error(&error);
            error.exit_code()
        }
    }
}

/// Runs a command line for a program, without `cpc` as its first word.
///
/// # Errors
/// The arguments cannot be used, or the command fails.
pub fn run(args: impl IntoIterator<Item = OsString>, host: Arc<dyn Host>) -> Result<()> {
    let args = iter::once("cpc".into()).chain(args);
    let cli = Cli::try_parse_from(args).map_err(|wrong| {
        let text = wrong.render().to_string();
        let what = text.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ");
        Error::usage(what.split_whitespace().collect::<Vec<_>>().join(" "), "`cpc --help` describes all options")
    })?;
    stoppable(Some(host.stop()), || cli.run(Some(host)))
}

/// The commands with their options and their help.
pub fn described() -> clap::Command {
    let mut all = Cli::command();
    all.build();
    all
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use crate::toolkit::Toolkit;
    use clap::CommandFactory;

    #[test]
    fn every_command_teaches_in_its_long_help() {
        let mut cli = Cli::command();
        for name in ["pretrain", "extract", "probe", "abx", "convert", "info", "hub", "text", "mi"] {
            let Some(command) = cli.find_subcommand_mut(name) else { continue };
            let help = command.render_long_help().to_string();
            let before = help.split("Usage:").next().unwrap();
            assert!(before.lines().count() > 4 && help.contains("Examples:"), "{name}: {before}");
        }
    }

    #[test]
    fn the_help_names_every_preset() {
        let help = Cli::command().find_subcommand_mut("pretrain").unwrap().render_long_help().to_string();
        for preset in Toolkit::standard().kinds().iter().flat_map(|kind| kind.presets()) {
            assert!(help.contains(preset.name), "{}", preset.name);
        }
    }
}
