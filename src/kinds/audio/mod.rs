//! CPC on raw waveform (van den Oord et al. 2018, section 3.1), and its features of recordings.

mod card;
mod columns;
mod config;
pub mod cpc_audio;
mod files;
mod info;
mod kind;
mod listen;
mod prepare;
mod pretrained;
mod remarks;
mod spectral;
mod trained;

pub use card::{AudioCard, Training, Validation};
pub use config::AudioConfig;
pub use files::{AudioModelConfig, AudioModelDir};
pub use kind::AUDIO;
pub use pretrained::AudioModel;
pub use spectral::spectral;
