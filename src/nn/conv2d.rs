//! Convolutions of images, with their parameters.

use crate::error::Result;
use crate::nn::Phase;
use crate::nn::batch_norm::BatchNorm;
use crate::nn::store::uniform_by_fan_in;
use crate::ops::conv2d::{Window, conv2d};
use candle_core::Tensor;
use candle_nn::VarBuilder;

/// A layer with `weight` (O, C, k, k) and `bias` (O), under PyTorch's names and with PyTorch's initialization, optionally followed by batch
/// norm.
#[derive(Debug, Clone)]
pub struct Conv2d {
    weight: Tensor,
    bias: Tensor,
    norm: Option<BatchNorm>,
    window: Window,
}

impl Conv2d {
    /// A layer from `channels` to `outputs` channels.
    ///
    /// # Errors
    /// If the parameters have other shapes.
    pub fn new(channels: usize, outputs: usize, window: Window, vb: &VarBuilder) -> Result<Self> {
        let kernel = window.kernel;
        let start = uniform_by_fan_in(channels * kernel * kernel);
        Ok(Conv2d {
            weight: vb.get_with_hints((outputs, channels, kernel, kernel), "weight", start)?,
            bias: vb.get_with_hints(outputs, "bias", start)?,
            norm: None,
            window,
        })
    }

    /// The same layer with batch norm on its outputs.
    ///
    /// # Errors
    /// If the parameters have other shapes.
    pub fn normed(self, vb: &VarBuilder) -> Result<Self> {
        let norm = BatchNorm::new(self.bias.dim(0)?, vb)?;
        Ok(Conv2d { norm: Some(norm), ..self })
    }

    /// Returns (B, H', W', O) for images (B, H, W, C).
    ///
    /// # Errors
    /// If the window does not fit into the images.
    pub fn forward(&self, images: &Tensor, phase: Phase) -> Result<Tensor> {
        let y = conv2d(images, &self.weight, &self.bias, self.window, false)?;
        let Some(norm) = &self.norm else { return Ok(y) };
        Ok(norm.forward(&y.flatten_to(2)?, phase)?.reshape(y.shape())?)
    }

    /// The same, followed by ReLU.
    ///
    /// # Errors
    /// If the window does not fit into the images.
    pub fn forward_relu(&self, images: &Tensor, phase: Phase) -> Result<Tensor> {
        match self.norm {
            None => conv2d(images, &self.weight, &self.bias, self.window, true),
            Some(_) => Ok(self.forward(images, phase)?.relu()?),
        }
    }
}
