//! What counts as a sentence.

use crate::config::from_word;
use serde::{Deserialize, Serialize};

/// What counts as a sentence.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Split {
    /// One sentence per line, or per row of a table; a blank one ends a document.
    #[default]
    Lines,
    /// Sentences in prose, by the rules of Unicode (UAX #29): lines are joined, and a blank line ends a document in `.txt`, or a
    /// paragraph in `.jsonl` and parquet, where each line or row is a document.
    Sentences,
}

from_word!(Split);
