//! The position of a stream of batches.

use serde::{Deserialize, Serialize};

/// A position in the endless stream of batches: that of the next batch.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The epoch, from 0.
    pub epoch: u64,
    /// The batch in the epoch, from 0.
    pub batch: u64,
}
