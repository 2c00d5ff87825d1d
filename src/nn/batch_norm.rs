//! Batch norm of rows (Ioffe and Szegedy 2015), with running statistics for inference.

use crate::error::Result;
use crate::nn::Phase;
use crate::nn::running::Running;
use crate::ops::norm::EPS;
use candle_core::Tensor;
use candle_nn::{Init, VarBuilder};

/// A batch norm layer: `weight` and `bias` (C) along with the running statistics, under PyTorch's names.
#[derive(Debug, Clone)]
pub struct BatchNorm {
    gain: Tensor,
    shift: Tensor,
    running: Running,
}

impl BatchNorm {
    /// A layer for `channels` channels.
    ///
    /// # Errors
    /// If the parameters have other shapes.
    pub fn new(channels: usize, vb: &VarBuilder) -> Result<Self> {
        Ok(BatchNorm {
            gain: vb.get_with_hints(channels, "weight", Init::Const(1.0))?,
            shift: vb.get_with_hints(channels, "bias", Init::Const(0.0))?,
            running: Running::new(channels, vb)?,
        })
    }

    /// Returns (N, C) for `x` (N, C). In training the statistics of these rows are used, and the running statistics are updated.
    ///
    /// # Errors
    /// If the number of columns does not match.
    pub fn forward(&self, x: &Tensor, phase: Phase) -> Result<Tensor> {
        let (mean, variance) = match phase {
            Phase::Eval => (self.running.mean.detach(), self.running.variance.detach()),
            Phase::Train => {
                let n = x.dim(0)? as f64;
                let mean = x.mean(0)?;
                let variance = x.broadcast_sub(&mean)?.sqr()?.mean(0)?;
                self.running.step(&mean, &(&variance * (n / (n - 1.0).max(1.0)))?)?;
                (mean, variance)
            }
        };
        let scale = (&self.gain / (variance + EPS)?.sqrt()?)?;
        let shift = (&self.shift - (mean * &scale)?)?;
        Ok(x.broadcast_mul(&scale)?.broadcast_add(&shift)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::ParamStore;
    use crate::ops::check::{close, finite_differences, random};
    use candle_core::{DType, Device};
    use std::collections::HashMap;

    #[test]
    fn the_gradient_is_the_slope_through_the_statistics_too() {
        let inputs = [random(&[6, 3], 1), random(&[3], 2), random(&[3], 3)];
        finite_differences(
            |t| {
                let named = HashMap::from([
                    ("weight".to_string(), t[1].clone()),
                    ("bias".to_string(), t[2].clone()),
                    ("running_mean".to_string(), random(&[3], 4)),
                    ("running_var".to_string(), random(&[3], 5)),
                    ("num_batches_tracked".to_string(), Tensor::zeros((), DType::I64, &Device::Cpu)?),
                ]);
                let vb = VarBuilder::from_tensors(named, DType::F64, &Device::Cpu);
                BatchNorm::new(3, &vb)?.forward(&t[0], Phase::Train)
            },
            &inputs,
        );
    }

    #[test]
    fn the_running_statistics_come_to_be_those_of_the_rows() {
        let store = ParamStore::new(1, &Device::Cpu);
        let norm = BatchNorm::new(2, &store.builder()).unwrap();
        let x = ((random(&[4000, 2], 1) * 3.0).unwrap() + 5.0).unwrap().to_dtype(DType::F32).unwrap();
        (0..99).for_each(|_| drop(norm.forward(&x, Phase::Train).unwrap()));
        let trained = norm.forward(&x, Phase::Train).unwrap();
        close(&norm.forward(&x, Phase::Eval).unwrap(), &trained, 1e-3);
        assert_eq!(store.tensors()["num_batches_tracked"].to_scalar::<i64>().unwrap(), 100);
    }
}
