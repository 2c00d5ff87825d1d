//! Applies the global options, above all where output goes: results to stdout, everything else to stderr, colored on request.

use crate::{Color, Global};
use cpc::error::{Error, Result};
use cpc::kinds::Described;
use serde::Serialize;
use std::io::{IsTerminal, Write};

/// The two output streams, how much to print, and the other settings that every command follows.
#[derive(Debug, Clone)]
pub(crate) struct Terminal {
    /// Whether the result is printed as JSON.
    pub json: bool,
    /// Whether only results, warnings and errors are printed.
    pub quiet: bool,
    /// Whether more is printed.
    pub verbose: bool,
    /// Whether stderr is a terminal.
    pub interactive: bool,
    /// Whether network connections are forbidden.
    pub offline: bool,
    colored: bool,
    /// Whether nothing is printed at all.
    silent: bool,
}

impl Terminal {
    /// The terminal that the options describe.
    pub fn new(global: &Global) -> Self {
        let interactive = std::io::stderr().is_terminal();
        let colored = match global.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => interactive && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
        };
        let Global { json, quiet, verbose, offline, .. } = *global;
        Terminal { json, quiet, verbose, interactive, offline, colored, silent: false }
    }

    /// The same terminal for a process that prints nothing, because another reports for it.
    pub fn silent(&self) -> Self {
        Terminal { silent: true, quiet: true, verbose: false, interactive: false, ..self.clone() }
    }

    /// Writes a result to stdout. It is not an error if the reader has closed the stream.
    ///
    /// # Errors
    /// Stdout cannot be written to, for example because a disk is full.
    pub fn result(&self, text: &str) -> Result<()> {
        if self.silent {
            return Ok(());
        }
        let mut out = std::io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(Error::io("standard output", "write")(e)),
            _ => Ok(()),
        }
    }

    /// Writes a result: as JSON if that was requested, otherwise as text.
    pub fn result_or_json(&self, value: &impl Serialize, text: &str) -> Result<()> {
        if !self.json {
            return self.result(text);
        }
        let json = serde_json::to_string_pretty(value)
            .map_err(|e| Error::failed(format!("JSON: {e}"), "report this as a bug in cpc"))?;
        self.result(&format!("{json}\n"))
    }

    /// Writes a result that the library has described.
    ///
    /// # Errors
    /// As [`Terminal::result`].
    pub fn described(&self, described: &Described) -> Result<()> {
        if self.json { self.result(&format!("{}\n", described.json)) } else { self.result(&described.text) }
    }

    /// Writes a line about the progress of the work.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            self.line(text);
        }
    }

    /// Writes a warning: something the user should know.
    pub fn warning(&self, text: &str) {
        self.line(&format!("{} {text}", self.paint("33;1", "warning:")));
    }

    /// Writes an error: what failed and where, and what to do about it.
    pub fn error(&self, error: &Error) {
        self.line(&format!("{} {error}", self.paint("31;1", "error:")));
        self.line(&format!("{}  {}", self.paint("36;1", "help:"), error.remedy()));
    }

    /// `text` in the color of an SGR code.
    pub fn paint(&self, code: &str, text: &str) -> String {
        if self.colored { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }

    fn line(&self, text: &str) {
        if self.silent {
            return;
        }
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }
}
