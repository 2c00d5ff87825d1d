//! Configuration: the sections that several kinds of models share, and the layers that values come from.
//!
//! Each value comes from the first of these that sets it: a flag, `--set key=value`, `--config FILE`, `--preset NAME`, the default. The
//! sections particular to a kind of model are in its folder in [`crate::kinds`].

mod bad_file;
mod image;
pub mod layers;
mod model;
mod sentences;
mod size;
mod train;
mod word;

pub use bad_file::OnBadFile;
pub use image::{Architecture, ImageDataConfig, ImageEncoderConfig, LocalCriticKind};
pub use layers::{Layers, Preset, Sections};
pub(crate) use model::check_dim;
pub use model::{ConvEncoderConfig, EncoderKind, HeadsConfig, HeadsKind, NormKind, ScoreKind};
pub use sentences::SentenceEncoderConfig;
pub use size::ImageSize;
pub use train::{NegativesFrom, ObjectiveConfig, OptimizerKind, PrecisionKind, Schedule, TrainConfig};
pub use word::choice;
pub(crate) use word::from_word;
