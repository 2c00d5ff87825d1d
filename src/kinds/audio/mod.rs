//! CPC on raw waveform (van den Oord et al. 2018, section 3.1), and its features of recordings.

mod card;
mod columns;
mod config;
pub mod cpc_audio;
mod extract;
mod files;
mod info;
mod init;
mod kind;
mod layer;
mod listen;
mod model;
mod prepare;
mod pretrained;
mod remarks;
mod spectral;
mod stream;
mod task;
mod trained;

pub use card::{AudioCard, Training, Validation};
pub use config::AudioConfig;
pub use extract::{extract, extract_samples, made};
pub use files::{AudioModelConfig, AudioModelDir};
pub use init::begin;
pub use kind::AUDIO;
pub use layer::AudioLayer;
pub use model::CpcAudio;
pub use pretrained::AudioModel;
pub use spectral::spectral;
pub use stream::{AudioExtractor, FeatureStream, timing};
pub use task::{AudioBatch, AudioTask};
