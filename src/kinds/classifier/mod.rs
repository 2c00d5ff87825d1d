//! A classifier of recordings on top of a model that was trained without labels: head and model are trained together (fine-tuning).

mod body;
mod card;
mod config;
mod examples;
mod files;
mod kind;
mod measure;
mod network;
mod prepare;
mod targets;
mod task;
mod trained;
mod transcribe;

pub use config::{ClassifierConfig, TuneConfig};
pub use files::{ClassifierModel, ClassifierModelConfig, Ctc};
pub use kind::CLASSIFIER;
pub use measure::{Figure, Measured, Shown};
