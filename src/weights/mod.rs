//! Sources and destinations of weights: model directories, PyTorch checkpoints, and the Hugging Face hub.

pub mod cpc_audio;
pub mod hub;
mod image_model;
mod model_dir;
mod pretrained;
mod tensors;
mod text_model;
pub mod torch;

pub use cpc_audio::Moments;
pub use image_model::{BottleneckModelConfig, DimModel, DimModelConfig, write_model};
pub use model_dir::{ModelConfig, ModelDir, Origin};
pub use pretrained::Pretrained;
pub use tensors::{ordered, read_tensors, to_safetensors, write_tensors};
pub use text_model::{TextModel, TextModelConfig};
