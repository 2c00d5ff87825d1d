//! Applies the global options, above all where output goes: results to stdout, everything else to stderr, colored on request.

use crate::command::host::Host;
use crate::command::{Color, Global};
use crate::durable;
use crate::error::{Error, Result};
use crate::kinds::Described;
use crate::mi::input::Source;
use crate::mi::parallel::go_on;
use serde::Serialize;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;

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
    /// The program that has everything in place of the streams.
    pub host: Option<Arc<dyn Host>>,
}

impl Terminal {
    /// The terminal that the options describe.
    pub fn new(global: &Global, host: Option<Arc<dyn Host>>) -> Self {
        let interactive = host.is_none() && std::io::stderr().is_terminal();
        let colored = match global.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => interactive && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
        };
        let Global { json, quiet, verbose, .. } = *global;
        let offline = global.offline || host.as_ref().is_some_and(|host| host.offline());
        Terminal { json, quiet, verbose, interactive, offline, colored, silent: false, host }
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
        if let Some(host) = &self.host {
            host.result(None, text);
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
        if !self.json && self.host.is_none() {
            return self.result(text);
        }
        let json = serde_json::to_string_pretty(value)
            .map_err(|e| Error::failed(format!("JSON: {e}"), "report this as a bug in cpc"))?;
        self.described(&Described { json, text: text.into() })
    }

    /// Writes a result that the library has described.
    ///
    /// # Errors
    /// As [`Terminal::result`].
    pub fn described(&self, described: &Described) -> Result<()> {
        match &self.host {
            Some(host) => host.result(Some(&described.json), &described.text),
            None if self.json => self.result(&format!("{}\n", described.json))?,
            None => self.result(&described.text)?,
        }
        Ok(())
    }

    /// Draws a picture: into a file if one is named, and for a program that runs the command.
    ///
    /// # Errors
    /// The picture cannot be drawn or written.
    pub fn picture(&self, path: Option<&Path>, svg: impl FnOnce() -> Result<String>) -> Result<()> {
        if path.is_none() && self.host.is_none() {
            return Ok(());
        }
        go_on()?; // work that a program has stopped writes nothing more
        let svg = svg()?;
        if let Some(path) = path {
            durable::write(path, svg.as_bytes())?;
        }
        if let Some(host) = &self.host {
            host.picture(&svg);
        }
        Ok(())
    }

    /// What a name on the command line stands for: a file, unless the program that runs the command holds it in memory.
    pub fn source(&self, path: &Path) -> Source {
        self.host.as_ref().and_then(|host| host.source(path)).unwrap_or_else(|| path.into())
    }

    /// Writes a line about the progress of the work.
    pub fn note(&self, text: &str) {
        match &self.host {
            Some(host) => host.note(text),
            None if self.quiet => (),
            None => self.line(text),
        }
    }

    /// Writes a warning: something the user should know.
    pub fn warning(&self, text: &str) {
        match &self.host {
            Some(host) => host.warning(text),
            None => self.line(&format!("{} {text}", self.paint("33;1", "warning:"))),
        }
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
