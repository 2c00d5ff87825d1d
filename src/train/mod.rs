//! Training: the loop, the optimizer, the run directory.

mod optimizer;
mod schedule;
pub use optimizer::{Gradients, Optimizer};
pub use schedule::learning_rate;
