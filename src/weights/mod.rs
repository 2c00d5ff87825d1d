//! Where weights are kept: model directories, `.safetensors` files, and checkpoints of PyTorch.

pub mod model_dir;
mod tensors;
pub mod torch;

pub use model_dir::{Origin, read_config, write_model};
pub use tensors::{
    check_finite, ordered, read_matrix, read_tensors, sha256_of, to_safetensors, write_matrix, write_tensors,
};
