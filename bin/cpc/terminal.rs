//! What the global options say, first of all where words go: results to stdout, everything else to stderr, colored where that is wanted.

use crate::{Color, Global};
use cpc::error::{Error, Result};
use cpc::kinds::Described;
use serde::Serialize;
use std::io::{IsTerminal, Write};

/// The two output streams and how much to say, and what else every command heeds.
#[derive(Debug, Clone)]
pub(crate) struct Terminal {
    /// Whether the result is wanted as JSON.
    pub json: bool,
    /// Whether only results, warnings and errors are wanted.
    pub quiet: bool,
    /// Whether more is wanted.
    pub verbose: bool,
    /// Whether stderr is a terminal.
    pub interactive: bool,
    /// Whether no connection may be made.
    pub offline: bool,
    colored: bool,
}

impl Terminal {
    /// As the options say.
    pub fn new(global: &Global) -> Self {
        let interactive = std::io::stderr().is_terminal();
        let colored = match global.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => interactive && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
        };
        let Global { json, quiet, verbose, offline, .. } = *global;
        Terminal { json, quiet, verbose, interactive, offline, colored }
    }

    /// A result, to stdout. A reader that has gone away is no error.
    ///
    /// # Errors
    /// Stdout cannot be written to, for example because a disk is full.
    pub fn result(&self, text: &str) -> Result<()> {
        let mut out = std::io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(Error::io("standard output", "write")(e)),
            _ => Ok(()),
        }
    }

    /// A result: its JSON if that is wanted, else its text.
    pub fn result_or_json(&self, value: &impl Serialize, text: &str) -> Result<()> {
        if !self.json {
            return self.result(text);
        }
        let json = serde_json::to_string_pretty(value)
            .map_err(|e| Error::failed(format!("JSON: {e}"), "report this as a fault of cpc"))?;
        self.result(&format!("{json}\n"))
    }

    /// A result that the library has described.
    ///
    /// # Errors
    /// As [`Terminal::result`].
    pub fn described(&self, described: &Described) -> Result<()> {
        if self.json { self.result(&format!("{}\n", described.json)) } else { self.result(&described.text) }
    }

    /// A line of what is going on.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            self.line(text);
        }
    }

    /// Something that the user should know.
    pub fn warning(&self, text: &str) {
        self.line(&format!("{} {text}", self.paint("33;1", "warning:")));
    }

    /// An error: what and where, and what to do.
    pub fn error(&self, error: &Error) {
        self.line(&format!("{} {error}", self.paint("31;1", "error:")));
        self.line(&format!("{}  {}", self.paint("36;1", "help:"), error.remedy()));
    }

    /// `text` in a color, by its SGR code.
    pub fn paint(&self, code: &str, text: &str) -> String {
        if self.colored { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }

    fn line(&self, text: &str) {
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }
}
