//! A classifier of each stretch of frames, without a mean over the recording: the head of models that are trained with CTC.

use crate::error::Result;
use crate::nn::{ClassifierKind, ClassifierSize, Mlp};
use candle_core::Tensor;
use candle_nn::VarBuilder;

/// The classifier: a convolution over time whose kernel is twice its stride, as CPC_audio's phone criterion, followed by a hidden layer or not.
#[derive(Debug, Clone)]
pub struct FrameClassifier {
    /// Frames from one output to the next.
    stride: usize,
    scores: Mlp,
}

impl FrameClassifier {
    /// A classifier of frames of dimension `dim`; `vb` is at the prefix `classifier`.
    ///
    /// # Errors
    /// The parameters have other shapes.
    pub fn new(size: &ClassifierSize, stride: usize, dim: usize, classes: usize, vb: &VarBuilder) -> Result<Self> {
        let dim = 2 * stride * dim;
        let widths = match size.kind {
            ClassifierKind::Hidden => vec![dim, size.hidden_dim, classes],
            ClassifierKind::Linear | ClassifierKind::Attention => vec![dim, classes],
        };
        Ok(FrameClassifier { stride, scores: Mlp::new(&widths, &vb.pp("scores"))? })
    }

    /// The number of outputs for some frames.
    pub fn outputs(&self, frames: usize) -> usize {
        FrameClassifier::outputs_of(frames, self.stride)
    }

    /// The number of outputs for some frames with a stride.
    pub fn outputs_of(frames: usize, stride: usize) -> usize {
        frames.div_ceil(stride)
    }

    /// The scores of the classes (B, [`outputs`](Self::outputs) of T, K) of `frames` (B, T, D). Each sees its own frames and as many after
    /// them. `there` (B, T) is 1 for frames of the recording, and 0 for those after its end, which count as zeros.
    ///
    /// # Errors
    /// The shapes do not match.
    pub fn forward(&self, frames: &Tensor, there: &Tensor) -> Result<Tensor> {
        let (batch, time, dim) = frames.dims3()?;
        let outputs = self.outputs(time);
        let frames = frames.broadcast_mul(&there.unsqueeze(2)?)?;
        let frames = frames.pad_with_zeros(1, 0, (outputs + 1) * self.stride - time)?;
        let stretches = frames.reshape((batch, outputs + 1, self.stride * dim))?;
        let seen = Tensor::cat(&[stretches.narrow(1, 0, outputs)?, stretches.narrow(1, 1, outputs)?], 2)?;
        let scores = self.scores.forward(&seen.reshape((batch * outputs, 2 * self.stride * dim))?)?;
        Ok(scores.reshape((batch, outputs, ()))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::ParamStore;
    use crate::ops::check::{close, random};
    use candle_core::{DType, Device};

    #[test]
    fn outputs_see_their_frames_and_those_after_and_none_after_the_end() {
        let store = ParamStore::new(3, &Device::Cpu);
        let size = ClassifierSize { kind: ClassifierKind::Linear, hidden_dim: 5 };
        let head = FrameClassifier::new(&size, 2, 3, 4, &store.builder()).unwrap();
        let frames = random(&[1, 7, 3], 1).to_dtype(DType::F32).unwrap();
        let ones = |n| Tensor::ones((1, n), DType::F32, &Device::Cpu).unwrap();
        let all = head.forward(&frames, &ones(7)).unwrap();
        assert_eq!((all.dims(), head.outputs(8), head.outputs(0)), (&[1, 4, 4][..], 4, 0));
        // The second output by hand: a layer on frames 2 to 5.
        let weight = store.tensors()["scores.0.weight"].clone();
        let bias = store.tensors()["scores.0.bias"].clone();
        let seen = frames.narrow(1, 2, 4).unwrap().reshape((1, 12)).unwrap();
        let by_hand = seen.matmul(&weight.t().unwrap()).unwrap().broadcast_add(&bias).unwrap();
        close(&all.narrow(1, 1, 1).unwrap().squeeze(1).unwrap(), &by_hand, 1e-6);
        // The recording alone, and in a longer row.
        let alone = head.forward(&frames.narrow(1, 0, 5).unwrap(), &ones(5)).unwrap();
        let there = Tensor::new(&[[1f32, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0]], &Device::Cpu).unwrap();
        close(&head.forward(&frames, &there).unwrap().narrow(1, 0, 3).unwrap(), &alone, 1e-6);
    }
}
