//! Means of the metrics of several batches.

use crate::observer::Figures;
use crate::train::task::Measured;

/// A running mean, weighted by batch. A step k counts in the batches that have it.
#[derive(Debug, Default)]
pub(super) struct Average {
    sums: Vec<f64>,
    weights: Vec<f64>,
    negatives: f64,
    weight: f64,
    steps: usize,
    names: Vec<&'static str>,
}

impl Average {
    /// Adds a batch's metrics; `values` are those of [`Measured::values`], read from the device.
    pub(super) fn add(&mut self, measured: &Measured, values: &[f32], weight: f64) {
        self.sums.resize(values.len(), 0.0);
        self.weights.resize(values.len(), 0.0);
        let (steps, reached) = (measured.steps, measured.reached);
        for (i, value) in values.iter().enumerate() {
            if i >= 2 * steps || i % steps < reached {
                self.sums[i] += f64::from(*value) * weight;
                self.weights[i] += weight;
            }
        }
        self.negatives += measured.negatives as f64 * weight;
        self.weight += weight;
        (self.steps, self.names) = (steps, measured.names.clone());
    }

    /// The means; without the steps that no batch had.
    pub(super) fn figures(&self) -> Figures {
        let known = self.sums.iter().zip(&self.weights).filter(|(_, weight)| **weight > 0.0);
        let means: Vec<f64> = known.map(|(sum, weight)| sum / weight).collect();
        let reached = self.weights.iter().take(self.steps).filter(|weight| **weight > 0.0).count();
        Figures::of(&means, reached, &self.names, self.negatives / self.weight.max(f64::MIN_POSITIVE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Tensor};

    fn measured(steps: usize, reached: usize, negatives: usize, names: Vec<&'static str>) -> Measured {
        Measured {
            values: Tensor::zeros(1, candle_core::DType::F32, &Device::Cpu).unwrap(),
            steps,
            reached,
            names,
            negatives,
        }
    }

    #[test]
    fn a_step_is_averaged_over_the_batches_that_have_it() {
        let mut mean = Average::default();
        mean.add(&measured(3, 2, 9, vec![]), &[1.0, 2.0, 0.0, 0.5, 0.25, 0.0], 1.0);
        mean.add(&measured(3, 1, 19, vec![]), &[4.0, 0.0, 0.0, 0.125, 0.0, 0.0], 3.0);
        let figures = mean.figures();
        assert_eq!((figures.loss_per_step, figures.accuracy_per_step), (vec![3.25, 2.0], vec![0.21875, 0.25]));
        assert_eq!((figures.loss, figures.chance), (2.625, 1.0 / 17.5));
    }

    #[test]
    fn metrics_without_steps_are_averaged_by_name() {
        let mut mean = Average::default();
        mean.add(&measured(0, 0, 0, vec!["loss", "prior"]), &[1.0, 5.0], 1.0);
        mean.add(&measured(0, 0, 0, vec!["loss", "prior"]), &[3.0, 6.0], 1.0);
        let figures = mean.figures();
        assert_eq!((figures.loss, figures.named["prior"]), (2.0, 5.5));
    }
}
