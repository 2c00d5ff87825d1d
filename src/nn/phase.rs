//! Training or use.

/// Whether batch norm uses the statistics of this batch (and updates the running ones) or the running statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Training.
    Train,
    /// Validation and inference.
    Eval,
}
