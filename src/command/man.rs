//! `cpc completions` and `cpc man`: generated from the same descriptions as `--help`.

use crate::command::{Cli, Terminal};
use crate::error::{Error, Result};
use clap::{Args, CommandFactory};

/// Options of `cpc completions`.
#[derive(Debug, Args)]
#[command(
    about = "Print a script that completes cpc's commands and flags in your shell",
    after_help = "Example: cpc completions bash > ~/.local/share/bash-completion/completions/cpc"
)]
pub(crate) struct Completions {
    /// The shell
    shell: clap_complete::Shell,
}

/// Options of `cpc man`.
#[derive(Debug, Args)]
#[command(about = "Print the manual page, in roff (read it with `cpc man | man -l -`)")]
pub(crate) struct Man {
    /// The subcommand to describe [default: cpc itself]
    command: Option<String>,
}

impl Completions {
    pub(crate) fn run(&self, terminal: &Terminal) -> Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "cpc", &mut script);
        terminal.result(&String::from_utf8_lossy(&script))
    }
}

impl Man {
    pub(crate) fn run(&self, terminal: &Terminal) -> Result<()> {
        let mut root = Cli::command();
        root.build();
        let command = match &self.command {
            None => root,
            Some(name) => root.find_subcommand(name).cloned().ok_or_else(|| {
                Error::usage(format!("man {name}: there is no such command"), "`cpc --help` lists the commands")
            })?,
        };
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page).map_err(Error::io("standard output", "write"))?;
        terminal.result(&String::from_utf8_lossy(&page))
    }
}
