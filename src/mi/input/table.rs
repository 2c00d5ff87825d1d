//! The interface of every kind of file: names, and the columns of some of them.

use crate::error::Result;
use crate::mi::input::column::Column;

/// An open file of which only the names have been read.
pub(super) trait Table {
    /// The file's name in messages.
    fn file(&self) -> &str;

    /// What the names stand for.
    fn what(&self) -> &'static str {
        "column"
    }

    /// The names that can be requested.
    fn names(&self) -> &[String];

    /// A warning about input that is not an error.
    fn warning(&self) -> Option<String> {
        None
    }

    /// Reads the requested columns.
    ///
    /// # Errors
    /// The file is damaged, or holds something other than numbers or labels.
    fn read(self: Box<Self>, wanted: &[Wanted]) -> Result<FoundColumn>;
}

/// A requested name.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    /// Its index among the names.
    pub at: usize,
    /// Whether labels are requested, not numbers.
    pub labels: bool,
}

/// The columns that were read.
pub(super) struct FoundColumn {
    /// The columns of each requested name: a name may stand for several.
    pub columns: Vec<Vec<Column>>,
    /// The line of each row, if the file has lines.
    pub lines: Option<Vec<u64>>,
}
