//! Objectives that are sums of parts, of models without steps to predict.

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

/// The weighted terms of an objective, and the metrics to report.
#[derive(Default)]
pub(crate) struct Sum {
    parts: Vec<Tensor>,
    pub figures: Vec<(&'static str, Tensor)>,
}

impl Sum {
    pub fn add(&mut self, weight: f64, name: &'static str, part: &Tensor) -> Result<()> {
        self.figures.push((name, part.detach()));
        self.parts.push((part * weight)?);
        Ok(())
    }

    /// Adds a metric that is not part of the objective, on the device of `like`.
    pub fn tell(&mut self, name: &'static str, value: f64, like: &Tensor) -> Result<()> {
        self.figures.push((name, Tensor::full(value as f32, (), like.device())?));
        Ok(())
    }

    pub fn objective(&self) -> Result<Tensor> {
        Ok(Tensor::stack(&self.parts, 0)?.sum_all()?)
    }
}
