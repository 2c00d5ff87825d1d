//! Training: the loop, the optimizer, the run directory.
//!
//! A [`Trainer`] trains any [`Task`]; [`AudioTask`] is CPC on audio. The output of a run is defined in [`metrics`], [`checkpoint`] and
//! [`run_dir`].

mod audio;
pub mod checkpoint;
mod gan;
mod health;
mod image;
mod init;
pub mod metrics;
mod optimizer;
pub mod run_dir;
mod schedule;
mod task;
mod text;
mod trainer;

pub use audio::{AudioBatch, AudioTask};
pub use gan::{GanTask, Imitated};
pub use health::{complaint, spread_and_rank};
pub use image::{ImageMaterial, ImageTask};
pub use init::begin;
pub use optimizer::{Gradients, Optimizer};
pub use schedule::learning_rate;
pub use task::{Batch, Measured, Outcome, Task};
pub use text::TextTask;
pub use trainer::{Finished, Observer, Start, Trainer};
