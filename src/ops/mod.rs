//! The performance-critical differentiable operations, forward and backward.
//!
//! Each has two or three forms. The *composed* form is built from candle operations whose gradients are correct; it runs on any device and in any
//! float type, and it is the reference. The *fused* form is for f32 on the CPU: its arithmetic is a few large matrix products and short loops over
//! memory that is in cache. *Kernels* (`cuda`) are for f32 on NVIDIA GPUs. [`Form`] chooses between them; `CPC_OPS=composed` in the environment
//! forces the composed forms everywhere. Tests compare the forms with each other and with finite differences.
//!
//! Some of candle 0.11's own operations are not used here because they train incorrectly: `conv1d` (its weight gradient is wrong for batch
//! sizes above one), `candle_nn::LayerNorm` and `softmax_last_dim` (they break the graph), `unfold`.

pub mod activations;
pub mod adam;
pub mod all_pairs;
pub mod contrast;
pub mod conv;
pub mod conv2d;
pub mod conv_shape;
pub mod cross_entropy;
pub mod ctc;
#[cfg(feature = "cuda")]
pub mod cuda;
pub mod encoder;
pub mod encoder_stream;
pub mod filterbank;
pub mod function;
pub mod gru;
pub mod hits;
pub mod impulse;
pub mod layer_norm;
pub mod linear;
pub mod long_conv;
pub mod lstm;
pub mod matrix;
pub mod negatives;
pub mod norm;
pub mod own_first;
pub mod pair_sums;
pub mod recurrent;
pub mod recurrent_stream;
pub mod rows;
pub mod scores;
pub mod simd;
pub mod state_space;
mod taps;
pub mod tokens;
pub mod windows;

#[cfg(test)]
pub(crate) mod check;

pub use function::Form;
