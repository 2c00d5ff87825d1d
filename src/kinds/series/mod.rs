//! CPC on series of several channels, such as ECG, EEG, motion and machines, and its features of recordings.

mod card;
mod config;
mod files;
mod info;
mod kind;
mod prepare;
mod statistics;
mod trained;

pub use config::SeriesConfig;
pub use files::{SeriesModel, SeriesModelConfig};
pub use kind::SERIES;
