//! The position of a stream of batches, and which of its batches a process takes.

use crate::group::Share;
use serde::{Deserialize, Serialize};

/// A position in the endless stream of batches: that of the next batch.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The epoch, from 0.
    pub epoch: u64,
    /// The batch in the epoch, from 0.
    pub batch: u64,
}

/// The batches that a process takes: from a position of the stream on, those in its share, counted from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Course {
    /// The position that counts as number 0.
    pub at: Position,
    /// Which batches from there on.
    pub share: Share,
}

/// All batches.
impl From<Position> for Course {
    fn from(at: Position) -> Self {
        Course { at, share: Share::ALL }
    }
}
