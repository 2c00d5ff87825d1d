//! The staircase of Poole et al. 2019 (figure 2): a critic is trained on normal pairs whose information rises in steps, which shows the bias
//! and the variance of every bound.
//!
//! Every update uses fresh pairs. The bound is evaluated on them before the update, so its values are values on held-out pairs. The bias,
//! variance and mean squared error of a step are computed over its last quarter.

use crate::error::Result;
use crate::mi::neural::{Learner, Training};
use crate::mi::samples::Samples;
use crate::mi::tasks::staircase::Pairs;
use crate::seed::stream;
use candle_core::{DType, Device, Tensor};

/// The settings of a staircase.
#[derive(Debug, Clone, PartialEq)]
pub struct Staircase {
    /// Columns of X and of Y.
    pub dim: usize,
    /// The true information of each step, in nats.
    pub levels: Vec<f64>,
    /// The number of updates per step.
    pub updates: u64,
    /// Whether y is rotated and cubed.
    pub cubic: bool,
    /// The seed of the pairs.
    pub seed: u64,
}

/// The errors of a bound on one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    /// The true information in nats.
    pub truth: f64,
    /// The mean of the bound minus the truth.
    pub bias: f64,
    /// The variance of the bound.
    pub variance: f64,
    /// The mean square of the bound minus the truth.
    pub mean_square_error: f64,
}

/// The values of a bound on the staircase.
#[derive(Debug, Clone, PartialEq)]
pub struct Climb {
    /// The bound at every update, in nats; it may be minus infinity.
    pub values: Vec<f64>,
    /// The errors on each step.
    pub levels: Vec<Level>,
}

/// Trains a critic up the staircase.
///
/// # Errors
/// Only errors of candle.
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
