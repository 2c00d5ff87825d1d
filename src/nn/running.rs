//! Batch norm's running statistics.

use crate::error::Result;
use crate::nn::taken::contribute;
use candle_core::{DType, Tensor, Var};
use candle_nn::{Init, VarBuilder};

/// PyTorch's default momentum of batch norm's running statistics.
const MOMENTUM: f64 = 0.1;

/// The running statistics of one batch norm layer: `running_mean`, `running_var` and `num_batches_tracked`.
#[derive(Debug, Clone)]
pub(super) struct Running {
    pub mean: Tensor,
    pub variance: Tensor,
    batches: Tensor,
}

impl Running {
    /// Statistics for `channels` channels.
    pub fn new(channels: usize, vb: &VarBuilder) -> Result<Self> {
        Ok(Running {
            mean: vb.get_with_hints(channels, "running_mean", Init::Const(0.0))?,
            variance: vb.get_with_hints(channels, "running_var", Init::Const(1.0))?,
            batches: vb.get_with_hints_dtype((), "num_batches_tracked", Init::Const(0.0), DType::I64)?,
        })
    }

    /// Updates them with the statistics of a batch: its mean and unbiased variance (C).
    pub fn step(&self, mean: &Tensor, variance: &Tensor) -> Result<()> {
        let running = self.clone();
        contribute(vec![mean.clone(), variance.clone()], move |values| match values {
            [mean, variance] => running.apply(mean, variance),
            _ => Ok(()),
        })
    }

    fn apply(&self, mean: &Tensor, variance: &Tensor) -> Result<()> {
        let mix = |old: &Tensor, new: &Tensor| -> Result<()> {
            // A variable's tensor shares its storage, so setting it updates every holder.
            let mixed = ((old.detach() * (1.0 - MOMENTUM))? + (new.detach() * MOMENTUM)?)?;
            Ok(Var::from_tensor(old)?.set(&mixed)?)
        };
        mix(&self.mean, mean)?;
        mix(&self.variance, variance)?;
        let one = Tensor::ones((), DType::I64, self.batches.device())?;
        Ok(Var::from_tensor(&self.batches)?.set(&(self.batches.detach() + one)?)?)
    }
}
