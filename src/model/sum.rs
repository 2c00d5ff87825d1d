//! Objectives that are sums of parts.

use crate::error::Result;
use candle_core::Tensor;

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
    pub fn report(&mut self, name: &'static str, value: f64, like: &Tensor) -> Result<()> {
        self.figures.push((name, Tensor::full(value as f32, (), like.device())?));
        Ok(())
    }

    pub fn objective(&self) -> Result<Tensor> {
        Ok(Tensor::stack(&self.parts, 0)?.sum_all()?)
    }
}
