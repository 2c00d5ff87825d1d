//! The result of a batch of models without steps to predict.

use crate::error::Result;
use crate::nn::Phase;
use crate::seed::Stream;
use candle_core::Tensor;

/// The result of one batch, for a model that does not predict future steps.
#[derive(Debug, Clone)]
pub struct Descent {
    /// The objective that training minimizes, a scalar. For adversarial models it is the sum of the terms that each network minimizes over
    /// its own parameters, and its value has no meaning.
    pub objective: Tensor,
    /// The metrics to report: scalars without gradients, by name, including `loss`.
    pub figures: Vec<(&'static str, Tensor)>,
    /// The output of the encoder, (B, D), without gradients.
    pub z: Tensor,
}

/// A model trained on labeled images.
pub trait OfImages {
    /// The objective on images (B, H, W, C) with values from 0 to 1 and labels (B). In [`Phase::Eval`] the only randomness is that of `stream`.
    ///
    /// # Errors
    /// The images have a different size, or there are too few of them.
    fn descent(&self, images: &Tensor, labels: &Tensor, phase: Phase, stream: &mut Stream) -> Result<Descent>;
}
