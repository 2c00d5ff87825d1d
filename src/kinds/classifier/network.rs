//! A model with a head on its frames.

use super::body::{Below, Body};
use super::examples::Examples;
use crate::error::Result;
use crate::nn::{Classifier, ClassifierSize, EmbeddingRows, Phase};
use candle_core::{Device, Tensor};
use candle_nn::VarBuilder;
use std::sync::Arc;

/// The network of a classifier.
#[derive(Clone)]
pub(super) struct ClassifierNetwork {
    below: Arc<dyn Below>,
    head: Classifier,
}

impl ClassifierNetwork {
    /// A network whose body has parameters from `below`, and whose head has parameters from `above`.
    pub(super) fn new(
        body: &Body,
        layer: &str,
        size: &ClassifierSize,
        classes: usize,
        below: &VarBuilder,
        above: &VarBuilder,
    ) -> Result<Self> {
        let head = Classifier::new(size, body.dim(layer)?, classes, &above.pp("classifier"))?;
        Ok(ClassifierNetwork { below: body.network(layer, below)?, head })
    }

    /// The scores of the classes (B, K), and the rows of tables that the batch looked up.
    pub(super) fn scores(
        &self,
        examples: &Examples,
        phase: Phase,
        device: &Device,
    ) -> Result<(Tensor, Vec<EmbeddingRows>)> {
        let framed = self.below.frames(examples, phase, device)?;
        let (rows, time, _) = framed.frames.dims3()?;
        let there = |&n: &usize| (0..time).map(move |t| if t < n { 1.0f32 } else { 0.0 });
        let there: Vec<f32> = framed.lengths.iter().flat_map(there).collect();
        let scores = self.head.forward(&framed.frames, &Tensor::from_vec(there, (rows, time), device)?)?;
        Ok((scores, framed.rows))
    }
}
