//! Deep InfoMax (Hjelm et al. 2019), and its features of images.

mod card;
mod config;
mod extract;
mod files;
mod kind;
mod model;
mod probe;
mod trained;

pub use card::ImageCard;
pub use config::{DimConfig, DimEstimator, DimObjectiveConfig};
pub use extract::{ImageExtractor, ImageLayer};
pub use files::{DimModel, DimModelConfig};
pub use kind::DIM;
pub use model::Dim;
