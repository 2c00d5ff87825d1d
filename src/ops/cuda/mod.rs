//! Forms of the ops for NVIDIA GPUs: kernels of our own (`kernels/*.cu`) and cuBLAS.
//!
//! Each file has the host's half of the kernels of one `.cu` file: it allocates, launches and inserts the result into candle's graph. Everything
//! is f32. Sums are always in the same order, without atomic additions of floats, so that a resumed run ends in the same bytes.
//!
//! `build.rs` makes PTX of the kernels with nvcc; the driver compiles it at the first use. `tests/cuda/` compiles the same files for the CPU.

mod adam;
mod conv2d;
mod cross_entropy;
mod encoder;
mod gpu;
mod linear;
mod negatives;
mod product;
mod recurrent;
mod reduce;
mod scores;

pub(super) use adam::{norm, step_all};
pub(super) use conv2d::patches;
pub(super) use cross_entropy::{cross_entropy, hits};
pub(super) use encoder::{encode, first};
pub(super) use linear::linear;
pub(super) use negatives::draw;
pub(super) use recurrent::{gru, lstm};
pub(super) use reduce::mean_rows;
pub(super) use scores::{Sizes, repeats, sampled_scores};
