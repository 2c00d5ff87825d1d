//! Where a stream of batches stands.

use serde::{Deserialize, Serialize};

/// A place in the endless stream of batches: the next batch to be given.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The epoch, from 0.
    pub epoch: u64,
    /// The batch in the epoch, from 0.
    pub batch: u64,
}
