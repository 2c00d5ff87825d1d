//! A model with a head on its frames.

use super::body::{Below, Body};
use super::examples::Examples;
use super::files::ClassifierModelConfig;
use crate::error::Result;
use crate::nn::{Classifier, EmbeddingRows, FrameClassifier, Phase};
use candle_core::{Device, Tensor};
use candle_nn::VarBuilder;
use std::sync::Arc;

/// The network of a classifier.
#[derive(Clone)]
pub(super) struct ClassifierNetwork {
    below: Arc<dyn Below>,
    head: Head,
}

#[derive(Clone)]
enum Head {
    /// One class, or several, for a recording.
    Whole(Classifier),
    /// A symbol or a blank for each few frames.
    Stretches(FrameClassifier),
}

/// The scores of a batch.
pub(super) struct Scored {
    /// Of the classes, (B, K); of the symbols and the blank in each output, (B, T, K + 1).
    pub(super) scores: Tensor,
    /// The outputs of each row that are of the recording; 1 for classes.
    pub(super) outputs: Vec<usize>,
    /// The rows of tables that the batch looked up.
    pub(super) rows: Vec<EmbeddingRows>,
}

impl ClassifierNetwork {
    /// A network whose body has parameters from `below`, and whose head has parameters from `above`.
    pub(super) fn new(
        body: &Body,
        model: &ClassifierModelConfig,
        below: &VarBuilder,
        above: &VarBuilder,
    ) -> Result<Self> {
        let (dim, classes, above) = (body.dim(&model.layer)?, model.classes.len(), above.pp("classifier"));
        let head = match model.ctc {
            None => Head::Whole(Classifier::new(&model.head, dim, classes, &above)?),
            Some(ctc) => Head::Stretches(FrameClassifier::new(&model.head, ctc.stride, dim, classes + 1, &above)?),
        };
        Ok(ClassifierNetwork { below: body.network(&model.layer, below)?, head })
    }

    /// The scores of windows.
    pub(super) fn scores(&self, examples: &Examples, phase: Phase, device: &Device) -> Result<Scored> {
        let framed = self.below.frames(examples, phase, device)?;
        let (rows, time, _) = framed.frames.dims3()?;
        let there = |&n: &usize| (0..time).map(move |t| if t < n { 1.0f32 } else { 0.0 });
        let there: Vec<f32> = framed.lengths.iter().flat_map(there).collect();
        let there = Tensor::from_vec(there, (rows, time), device)?;
        let (scores, outputs) = match &self.head {
            Head::Whole(head) => (head.forward(&framed.frames, &there)?, vec![1; rows]),
            Head::Stretches(head) => {
                let outputs = framed.lengths.iter().map(|&n| head.outputs(n)).collect();
                (head.forward(&framed.frames, &there)?, outputs)
            }
        };
        Ok(Scored { scores, outputs, rows: framed.rows })
    }
}
