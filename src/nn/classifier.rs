//! A classifier on the frames of a recording.

use crate::error::{Problem, Result};
use crate::nn::{Linear, Mlp};
use candle_core::{D, Tensor};
use candle_nn::VarBuilder;
use serde::{Deserialize, Serialize};

/// How frames become scores of classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClassifierKind {
    /// A linear layer on the mean of the frames.
    Linear,
    /// A hidden layer with ReLU on the mean of the frames, then a linear layer.
    Hidden,
    /// A linear layer on a weighted mean of the frames, whose weights are learned (Ilse et al. 2018).
    Attention,
}

/// The sizes of a classifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassifierSize {
    /// How frames become scores.
    pub kind: ClassifierKind,
    /// Units of the hidden layer, or of the layer that computes the weights.
    pub hidden_dim: usize,
}

impl ClassifierSize {
    /// Adds every value out of range to `faults`; `section` is where they stand.
    pub fn validate(&self, section: &str, faults: &mut Vec<Problem>) {
        if !(1..=65_536).contains(&self.hidden_dim) {
            let what = format!("{} is not between 1 and 65536", self.hidden_dim);
            faults.push(Problem::new(format!("{section}.hidden_dim"), what));
        }
    }
}

/// The classifier.
#[derive(Debug, Clone)]
pub struct Classifier {
    /// A layer with tanh and a score for each frame, if the mean is weighted.
    weights: Option<(Linear, Linear)>,
    scores: Mlp,
}

impl Classifier {
    /// A classifier of frames of dimension `dim`; `vb` is at the prefix `classifier`.
    ///
    /// # Errors
    /// The parameters have other shapes.
    pub fn new(size: &ClassifierSize, dim: usize, classes: usize, vb: &VarBuilder) -> Result<Self> {
        let hidden = size.hidden_dim;
        let weights = match size.kind {
            ClassifierKind::Attention => {
                let inner = Linear::new(dim, hidden, dim, &vb.pp("attention.0"))?;
                Some((inner, Linear::new(hidden, 1, hidden, &vb.pp("attention.1"))?))
            }
            _ => None,
        };
        let widths = match size.kind {
            ClassifierKind::Hidden => vec![dim, hidden, classes],
            _ => vec![dim, classes],
        };
        Ok(Classifier { weights, scores: Mlp::new(&widths, &vb.pp("scores"))? })
    }

    /// The scores of the classes (B, K) of `frames` (B, T, D). `there` (B, T) is 1 for frames of the recording, and 0 for those after its end.
    ///
    /// # Errors
    /// The shapes do not match.
    pub fn forward(&self, frames: &Tensor, there: &Tensor) -> Result<Tensor> {
        let (batch, time, dim) = frames.dims3()?;
        let weights = match &self.weights {
            None => there.broadcast_div(&there.sum_keepdim(1)?)?,
            Some((inner, score)) => {
                let rows = frames.reshape((batch * time, dim))?;
                let scores = score.forward(&inner.forward(&rows)?.tanh()?)?.reshape((batch, time))?;
                // Frames after the end get no weight.
                let scores = (scores + ((there - 1.0)? * 1e9)?)?;
                candle_nn::ops::softmax(&scores, D::Minus1)?
            }
        };
        let pooled = weights.unsqueeze(1)?.matmul(&frames.contiguous()?)?.squeeze(1)?;
        self.scores.forward(&pooled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::ParamStore;
    use crate::ops::check::random;
    use candle_core::{DType, Device};

    #[test]
    fn frames_after_the_end_count_for_nothing_and_every_parameter_is_trained() {
        for kind in [ClassifierKind::Linear, ClassifierKind::Hidden, ClassifierKind::Attention] {
            let store = ParamStore::new(3, &Device::Cpu);
            let size = ClassifierSize { kind, hidden_dim: 5 };
            let classifier = Classifier::new(&size, 4, 3, &store.builder()).unwrap();
            let frames = random(&[2, 6, 4], 1).to_dtype(DType::F32).unwrap();
            let there = Tensor::new(&[[1f32, 1.0, 1.0, 1.0, 0.0, 0.0], [1.0; 6]], &Device::Cpu).unwrap();
            let scores = classifier.forward(&frames, &there).unwrap();
            let part = frames.narrow(0, 0, 1).unwrap().narrow(1, 0, 4).unwrap();
            let alone = classifier.forward(&part, &Tensor::ones((1, 4), DType::F32, &Device::Cpu).unwrap()).unwrap();
            let far = (scores.narrow(0, 0, 1).unwrap() - alone).unwrap().abs().unwrap().max_all().unwrap();
            assert!(far.to_scalar::<f32>().unwrap() < 1e-6, "{kind:?}");
            let grads = scores.sqr().unwrap().sum_all().unwrap().backward().unwrap();
            for (name, var) in store.trainable() {
                // A constant that is added to all scores of frames changes no weight.
                let moves = grads.get(&var).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
                assert!(moves > 0.0 || name == "attention.1.bias", "{kind:?} {name}");
            }
        }
    }
}
