//! A trunk with a head on its frames.

use super::body::Body;
use super::examples::Examples;
use crate::error::Result;
use crate::nn::{Classifier, ClassifierSize, Phase};
use crate::signal::{Layer, Sizes, Trunk};
use candle_core::{Device, Tensor};
use candle_nn::VarBuilder;

/// The network of a classifier.
#[derive(Debug, Clone)]
pub(super) struct ClassifierNetwork {
    trunk: Trunk,
    head: Classifier,
    layer: Layer,
    sizes: Sizes,
}

impl ClassifierNetwork {
    /// A network whose trunk has parameters from `body`, and whose head has parameters from `head`.
    pub(super) fn new(
        model: &Body,
        layer: &Layer,
        size: &ClassifierSize,
        classes: usize,
        body: &VarBuilder,
        head: &VarBuilder,
    ) -> Result<Self> {
        let sizes = model.sizes();
        let head = Classifier::new(size, model.dim(layer)?, classes, &head.pp("classifier"))?;
        Ok(ClassifierNetwork { trunk: Trunk::new(&sizes, body)?, head, layer: layer.clone(), sizes })
    }

    /// The scores of the classes (B, K).
    pub(super) fn scores(&self, examples: &Examples, phase: Phase, device: &Device) -> Result<Tensor> {
        let (rows, width) = (examples.lengths.len(), self.sizes.channels);
        let window = examples.samples.len() / (rows * width);
        let samples = Tensor::from_slice(&examples.samples, (rows, window, width), device)?;
        let latents = self.trunk.forward(&samples, phase)?;
        let frames = self.frames(&self.layer, &latents.z, &latents.c)?;
        let time = frames.dim(1)?;
        let there: Vec<f32> = examples
            .lengths
            .iter()
            .flat_map(|&n| {
                let there = self.sizes.encoder.frames(n).clamp(1, time);
                (0..time).map(move |t| if t < there { 1.0 } else { 0.0 })
            })
            .collect();
        self.head.forward(&frames, &Tensor::from_vec(there, (rows, time), device)?)
    }

    fn frames(&self, layer: &Layer, z: &Tensor, c: &Tensor) -> Result<Tensor> {
        match layer {
            Layer::Z => Ok(z.clone()),
            Layer::Concatenated(layers) => {
                let each = layers.iter().map(|layer| self.frames(layer, z, c)).collect::<Result<Vec<_>>>()?;
                Ok(Tensor::cat(&each, 2)?)
            }
            Layer::C | Layer::Context(_) => Ok(c.clone()),
        }
    }
}
