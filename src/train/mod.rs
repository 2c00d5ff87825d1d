//! Training: the loop, the schedule, the run directory.
//!
//! A [`Trainer`] trains any [`Task`]. What a run writes is in [`metrics`], [`checkpoint`] and [`run_dir`]; [`History`] reads it back.

mod average;
pub mod checkpoint;
mod clock;
mod health;
mod history;
#[cfg(feature = "images")]
mod images;
pub mod metrics;
pub mod run_dir;
mod schedule;
mod task;
mod trainer;

pub use health::{complaint, spread_and_rank};
pub use history::History;
#[cfg(feature = "images")]
pub use images::{ImageMaterial, ImageTask};
pub use schedule::learning_rate;
pub use task::{Batch, Measured, Outcome, Task};
pub use trainer::{AnyTask, Finished, Lap, Start, Trainer};
