//! Where weights are kept: model directories.

mod model_dir;
mod tensors;

pub use model_dir::{ModelConfig, ModelDir};
pub use tensors::{read_tensors, write_tensors};
