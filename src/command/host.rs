//! A program that runs commands in its own process, in place of a terminal.

use crate::mi::input::Source;
use crate::observer::Observer;
use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Receives what commands would print, and has what they would read from files. Notes, warnings and progress come to it as to any [`Observer`].
pub trait Host: Observer + Debug + Send {
    /// What the program holds in memory under the name of a file of columns.
    fn source(&self, _path: &Path) -> Option<Source> {
        None
    }

    /// The result: as JSON, if the command has it as data, and as text.
    fn result(&self, json: Option<&str>, text: &str);

    /// A picture of the result (SVG).
    fn picture(&self, _svg: &str) {}

    /// Stops the work at the next suitable moment when it is set.
    fn stop(&self) -> Arc<AtomicBool>;

    /// Whether no work looks at `stop` now; at first none does.
    fn unwatched(&self) -> Arc<AtomicBool>;

    /// Whether network connections are forbidden.
    fn offline(&self) -> bool {
        false
    }
}
