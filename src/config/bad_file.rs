//! What to do about a file that cannot be read.

use super::from_word;
use serde::{Deserialize, Serialize};

/// What to do about a file that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnBadFile {
    /// Report all of them and stop. Files whose headers already show the fault are reported before the work starts.
    Fail,
    /// Skip them, and report how many and which.
    Skip,
}

from_word!(OnBadFile);
