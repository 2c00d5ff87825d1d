//! The staircase of Poole et al. 2019 (figure 2): a critic is trained on normal pairs whose information rises by steps, and every bound shows
//! its bias and its variance.
//!
//! Every update sees pairs that were never seen before, and the bound is taken on them before the update, so its values are those of held-out
//! pairs. Bias, variance and mean square error of a step are over its last quarter.

use super::neural::{Learner, Training};
use super::samples::Samples;
use super::tasks::staircase::Pairs;
use crate::error::Result;
use crate::seed::stream;
use candle_core::{DType, Device, Tensor};

/// What is climbed.
#[derive(Debug, Clone, PartialEq)]
pub struct Staircase {
    /// Columns of X and of Y.
    pub dim: usize,
    /// The true information of each step, in nats.
    pub levels: Vec<f64>,
    /// Updates of a step.
    pub updates: u64,
    /// Whether y is put through a rotation and a cube.
    pub cubic: bool,
    /// The seed of pairs.
    pub seed: u64,
}

/// How a bound does on one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    /// The truth in nats.
    pub truth: f64,
    /// The mean of the bound less the truth.
    pub bias: f64,
    /// Its variance.
    pub variance: f64,
    /// The mean square of bound less truth.
    pub mean_square_error: f64,
}

/// How a bound climbs.
#[derive(Debug, Clone, PartialEq)]
pub struct Climb {
    /// The bound at every update, in nats; minus infinity where it says so.
    pub values: Vec<f64>,
    /// Each step.
    pub levels: Vec<Level>,
}

/// Trains a critic up the staircase.
///
/// # Errors
/// None but candle's.
pub fn climb(staircase: &Staircase, training: &Training) -> Result<Climb> {
    let mut learner = Learner::new([staircase.dim; 2], training)?;
    let (mut values, mut levels) = (Vec::new(), Vec::new());
    for (step, &truth) in staircase.levels.iter().enumerate() {
        let pairs = Pairs::of_information(staircase.dim, truth, staircase.cubic, staircase.seed)?;
        let mut rng = stream(staircase.seed, "mi/staircase", step as u64);
        let first = values.len();
        for _ in 0..staircase.updates {
            let (x, y) = pairs.sample(training.batch_size, &mut rng)?;
            let (x, y) = (tensor(&x)?, tensor(&y)?);
            let value = learner.learn(|critic| critic.all_pairs(&x, &y), &y, true)?;
            values.push(value.unwrap_or(f64::NEG_INFINITY));
        }
        let last = &values[first + (values.len() - first) * 3 / 4..];
        let n = last.len() as f64;
        let mean = last.iter().sum::<f64>() / n;
        levels.push(Level {
            truth,
            bias: mean - truth,
            variance: last.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n,
            mean_square_error: last.iter().map(|v| (v - truth).powi(2)).sum::<f64>() / n,
        });
    }
    Ok(Climb { values, levels })
}

fn tensor(samples: &Samples) -> Result<Tensor> {
    Ok(Tensor::from_slice(samples.values(), (samples.len(), samples.dim()), &Device::Cpu)?.to_dtype(DType::F32)?)
}
