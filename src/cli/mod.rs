//! The command line: one file a subcommand. Results go to stdout, everything else to stderr.

mod abx;
mod card;
mod columns;
mod convert;
mod extract;
mod hub;
mod info;
mod interrupt;
mod man;
mod mi;
mod model;
mod pretrain;
mod probe;
mod progress;
mod remote;
mod terminal;
mod text;

use crate::error::{Error, Result};
use clap::{Args, Parser, Subcommand, ValueEnum};

pub use terminal::Terminal;

/// When messages are coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Contrastive predictive coding: learn features of audio without labels
///
/// `cpc pretrain` trains an encoder on raw waveform by telling true futures from false ones (InfoNCE, van den Oord et al. 2018).
/// The result is a model directory that every other command takes.
#[derive(Debug, Parser)]
#[command(name = "cpc", version, max_term_width = 110, propagate_version = true)]
#[command(
    after_help = "Exit codes: 0 done, 1 the work failed, 2 usage or configuration, 130 interrupted (after a checkpoint)."
)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
    /// Options of every command
    #[command(flatten)]
    pub global: Global,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Say nothing but results, warnings and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more: every line of metrics, also when not on a terminal
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// When to colour messages
    #[arg(long, global = true, value_enum, default_value = "auto", value_name = "WHEN")]
    pub color: Color,
    /// Print the result as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Threads for computing [default: one for each physical core]
    ///
    /// Results are the same to the last bit for the same number of threads.
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Make no connection: of the hub, take what is in the cache (as HF_HUB_OFFLINE=1)
    #[arg(long, global = true)]
    pub offline: bool,
}

/// The subcommands. What they do is said where they are: a comment here would take the place of their long help.
#[derive(Debug, Subcommand)]
#[allow(missing_docs)]
pub enum Command {
    Pretrain(Box<pretrain::Pretrain>),
    Extract(extract::Extract),
    Probe(Box<probe::Probe>),
    Abx(abx::Abx),
    Convert(convert::Convert),
    Info(info::Info),
    Hub(hub::HubCommand),
    Text(text::TextCommand),
    Mi(mi::MiCommand),
    Completions(man::Completions),
    Man(man::Man),
}

impl Cli {
    /// Does what the command line asks for.
    pub fn run(&self) -> Result<()> {
        let threads = self.global.threads.map_or_else(candle_core::utils::get_num_threads, usize::from);
        // A pool that is there already (in a test) stays.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
        let terminal = Terminal::new(&self.global);
        match &self.command {
            Command::Pretrain(pretrain) => pretrain.run(&terminal),
            Command::Extract(extract) => extract.run(&terminal),
            Command::Probe(probe) => probe.run(&terminal),
            Command::Abx(abx) => abx.run(&terminal),
            Command::Convert(convert) => convert.run(&terminal),
            Command::Info(info) => info.run(&terminal),
            Command::Hub(hub) => hub.run(&terminal),
            Command::Text(text) => text.run(&terminal),
            Command::Mi(mi) => mi.run(&terminal),
            Command::Completions(completions) => completions.run(&terminal),
            Command::Man(man) => man.run(&terminal),
        }
    }
}

/// Prints an error: what and where, and what to do.
pub fn report(error: &Error, global: &Global) {
    Terminal::new(global).error(error);
}
