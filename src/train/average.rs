//! The metrics of batches, read from the device, and their means.

use crate::error::Result;
use crate::group::{Message, Reading};
use crate::observer::Figures;
use crate::train::task::Measured;

/// The metrics of a batch, as in [`Measured`], on the host.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub values: Vec<f32>,
    steps: usize,
    reached: usize,
    negatives: usize,
}

impl Seen {
    /// The metrics of a batch; `values` are those of [`Measured::values`].
    pub(super) fn new(measured: &Measured, values: Vec<f32>) -> Seen {
        Seen { values, steps: measured.steps, reached: measured.reached, negatives: measured.negatives }
    }

    /// Appends them to a message for another process.
    pub(super) fn tell(&self, message: &mut Message) {
        for number in [self.steps, self.reached, self.negatives] {
            message.number(number as u64);
        }
        message.values(&self.values);
    }

    /// Reads the metrics of another process.
    pub(super) fn hear(reading: &mut Reading) -> Result<Seen> {
        let mut number = || reading.number().map(|n| n as usize);
        let (steps, reached, negatives) = (number()?, number()?, number()?);
        Ok(Seen { steps, reached, negatives, values: reading.values()? })
    }
}

/// A running mean, weighted by batch. A step k counts in the batches that have it.
#[derive(Debug, Default)]
pub(super) struct Average {
    sums: Vec<f64>,
    weights: Vec<f64>,
    negatives: f64,
    weight: f64,
    steps: usize,
}

impl Average {
    /// Adds a batch's metrics.
    pub(super) fn add(&mut self, seen: &Seen, weight: f64) {
        self.sums.resize(seen.values.len(), 0.0);
        self.weights.resize(seen.values.len(), 0.0);
        let (steps, reached) = (seen.steps, seen.reached);
        for (i, value) in seen.values.iter().enumerate() {
            if i >= 2 * steps || i % steps < reached {
                self.sums[i] += f64::from(*value) * weight;
                self.weights[i] += weight;
            }
        }
        self.negatives += seen.negatives as f64 * weight;
        self.weight += weight;
        self.steps = steps;
    }

    /// The means; without the steps that no batch had. `names` are those of [`Measured::names`].
    pub(super) fn figures(&self, names: &[&'static str]) -> Figures {
        let known = self.sums.iter().zip(&self.weights).filter(|(_, weight)| **weight > 0.0);
        let means: Vec<f64> = known.map(|(sum, weight)| sum / weight).collect();
        let reached = self.weights.iter().take(self.steps).filter(|weight| **weight > 0.0).count();
        Figures::of(&means, reached, names, self.negatives / self.weight.max(f64::MIN_POSITIVE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(steps: usize, reached: usize, negatives: usize, values: &[f32]) -> Seen {
        Seen { values: values.to_vec(), steps, reached, negatives }
    }

    #[test]
    fn a_step_is_averaged_over_the_batches_that_have_it() {
        let mut mean = Average::default();
        mean.add(&seen(3, 2, 9, &[1.0, 2.0, 0.0, 0.5, 0.25, 0.0]), 1.0);
        mean.add(&seen(3, 1, 19, &[4.0, 0.0, 0.0, 0.125, 0.0, 0.0]), 3.0);
        let figures = mean.figures(&[]);
        assert_eq!((figures.loss_per_step, figures.accuracy_per_step), (vec![3.25, 2.0], vec![0.21875, 0.25]));
        assert_eq!((figures.loss, figures.chance), (2.625, 1.0 / 17.5));
    }

    #[test]
    fn metrics_without_steps_are_averaged_by_name() {
        let mut mean = Average::default();
        mean.add(&seen(0, 0, 0, &[1.0, 5.0]), 1.0);
        mean.add(&seen(0, 0, 0, &[3.0, 6.0]), 1.0);
        let figures = mean.figures(&["loss", "prior"]);
        assert_eq!((figures.loss, figures.named["prior"]), (2.0, 5.5));
    }

    #[test]
    fn another_process_reads_what_was_told() {
        let mut message = Message::new();
        let told = seen(3, 2, 9, &[1.0, f32::NAN]);
        told.tell(&mut message);
        let bytes = message.take();
        let heard = Seen::hear(&mut Reading::new(&bytes)).unwrap();
        assert_eq!((heard.steps, heard.reached, heard.negatives), (3, 2, 9));
        assert!(heard.values[0] == 1.0 && heard.values[1].is_nan());
    }
}
