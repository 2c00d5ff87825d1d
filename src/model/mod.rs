//! What is trained: modules and an objective put together.

use crate::error::Result;
use crate::nn::Phase;
use crate::seed::Stream;
use candle_core::Tensor;

mod audio;
mod bottleneck;
mod contrast;
mod dim;
mod estimator;
mod gan;
#[cfg(test)]
mod slope;
mod text;

pub use audio::CpcAudio;
pub use bottleneck::Bottleneck;
pub use contrast::Latents;
pub use dim::Dim;
pub use gan::MineGan;
pub use text::CpcText;

/// What a model that has no steps to predict makes of a batch.
#[derive(Debug, Clone)]
pub struct Descent {
    /// What training descends, a scalar. Of adversaries it is the sum of what each descends by its own parameters, and its value means
    /// nothing.
    pub objective: Tensor,
    /// What is told of it: scalars without gradients by name, `loss` among them.
    pub figures: Vec<(&'static str, Tensor)>,
    /// What the encoder made, (B, D), without gradients.
    pub z: Tensor,
}

/// A model of labelled images.
pub trait OfImages {
    /// The objective on images (B, H, W, C) with numbers from 0 to 1 and labels (B); in [`Phase::Eval`] without chance but that of `stream`.
    ///
    /// # Errors
    /// The images have another size, or are too few.
    fn descent(&self, images: &Tensor, labels: &Tensor, phase: Phase, stream: &mut Stream) -> Result<Descent>;
}
