//! Whether an estimator is consistent with itself: the tests of Song and Ermon 2020 (*Understanding the limitations of variational mutual
//! information estimators*, section 6.2), on normal variables whose information is known.
//!
//! Y_t holds the first t columns of X with noise. Mutual information must
//!
//! 1. be zero if Y is unrelated, and grow with t (independence);
//! 2. be the same for Y_t and for Y_t together with a part of itself (data processing: a function of Y adds nothing);
//! 3. be twice as large for two independent copies of the problem together (additivity).
//!
//! Lower bounds with low variance fail the third test, those with high variance the first.

use crate::error::Result;
use crate::mi::estimate::{Estimator, Settings, estimate};
use crate::mi::samples::Samples;
use crate::mi::variable::Variable;
use crate::seed::{Stream, stream};

/// Columns of X.
const COLUMNS: usize = 10;
/// The correlation of a column of X with its noisy copy in Y: half a nat each.
const RHO: f64 = 0.795_060_097_9;

/// The results of one estimator.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// The estimate for unrelated Y, in nats.
    pub unrelated: f64,
    /// For t = 2, 4, ... 10 the estimate divided by that for t = 10: t / 10 is correct.
    pub shares: Vec<f64>,
    /// The estimate for t = 10 divided by the truth.
    pub whole: f64,
    /// I(X; Y_6, Y_3) / I(X; Y_6): 1 is correct.
    pub processing: f64,
    /// I(two copies) / I(one): 2 is correct.
    pub additivity: f64,
}

/// The true information between X and all its noisy columns, in nats.
pub fn truth() -> f64 {
    -0.5 * (1.0 - RHO * RHO).ln() * COLUMNS as f64
}

/// Checks an estimator on `n` rows.
///
/// # Errors
/// Those of the estimator.
pub fn check(estimator: Estimator, n: usize, settings: &Settings) -> Result<Check> {
    let mut rng = stream(settings.seed, "mi/selfcheck", 0);
    let (x, y) = pairs(n, &mut rng)?;
    let (other_x, other_y) = pairs(n, &mut rng)?;
    let value = |x: &Samples, y: &Samples| {
        Ok(estimate(&Variable::Numbers(x.clone()), &Variable::Numbers(y.clone()), estimator, settings)?.nats)
    };
    let unrelated = value(&x, &other_y)?;
    let parts = (1..=5).map(|half| value(&x, &first(&y, 2 * half)?)).collect::<Result<Vec<f64>>>()?;
    let six = first(&y, 6)?;
    let all = parts[4];
    Ok(Check {
        unrelated,
        whole: all / truth(),
        processing: value(&x, &six.beside(&first(&y, 3)?)?)? / parts[2],
        additivity: value(&x.beside(&other_x)?, &y.beside(&other_y)?)? / all,
        shares: parts.into_iter().map(|part| part / all).collect(),
    })
}

fn pairs(n: usize, rng: &mut Stream) -> Result<(Samples, Samples)> {
    let pair = |_| {
        let x = f64::from(rng.normal());
        (x, RHO * x + (1.0 - RHO * RHO).sqrt() * f64::from(rng.normal()))
    };
    let (x, y): (Vec<f64>, Vec<f64>) = (0..n * COLUMNS).map(pair).unzip();
    Ok((Samples::new(x, COLUMNS)?, Samples::new(y, COLUMNS)?))
}

/// The first `t` columns.
fn first(samples: &Samples, t: usize) -> Result<Samples> {
    Samples::new((0..samples.len()).flat_map(|i| samples.row(i)[..t].iter().copied()).collect(), t)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimator_that_fits_normal_variables_agrees_with_itself() {
        assert!((truth() - 5.0).abs() < 1e-8);
        let found = check(Estimator::Cca, 4000, &Settings::default()).unwrap();
        assert!(found.unrelated.abs() < 0.03, "{found:?}");
        assert!((found.whole - 1.0).abs() < 0.03 && (found.processing - 1.0).abs() < 0.01, "{found:?}");
        assert!((found.additivity - 2.0).abs() < 0.04, "{found:?}");
        let right = found.shares.iter().enumerate().all(|(i, share)| (share - 0.2 * (i + 1) as f64).abs() < 0.03);
        assert!(right, "{found:?}");
    }
}
