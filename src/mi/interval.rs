//! 95 % intervals of estimates: how much they would vary with other samples of the same size. Bias is not included.
//!
//! Which one? [`of_mean`] is for a mean over the values of independent rows, such as those of a critic that was trained on other
//! rows. [`by_halves`] is for every estimator that uses all rows together. In such an estimator the local values of neighboring rows are
//! correlated, and their standard error is up to 30 % too small (200 draws of normal variables, KSG with k = 3, 300 and 1,000 rows,
//! correlations from 0 to 0.95). With halves it is off by -9 to +16 %.

use crate::error::{Error, Result};
use crate::mi::permutation::shuffled;
use crate::mi::series::variance_of_mean;
use crate::seed::stream;
use rayon::prelude::*;

/// The 97.5th percentile of the normal distribution.
pub(super) const NORMAL: f64 = 1.959_963_984_540_054;
/// The number of random splits of the rows into two halves.
const DEALS: usize = 20;
/// The 97.5th percentile of the t distribution with that many degrees of freedom: the variance is known no better than from as many values.
const STUDENT: f64 = 2.085_963_447_265_837;
/// The largest half: of more rows a part is drawn, and the variance is scaled.
const HALF: usize = 10_000;

/// The mean of `local` values plus and minus 1.96 standard errors of it; None for fewer than two values.
pub fn of_mean(local: &[f64]) -> Option<[f64; 2]> {
    let n = local.len() as f64;
    let mean = local.iter().sum::<f64>() / n;
    let variance = local.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (local.len() > 1).then(|| around(mean, variance / n))
}

/// What estimates from halves of the rows show.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Halves {
    /// A 95 % interval of the estimate from all rows.
    pub ci95: [f64; 2],
    /// That estimate.
    value: f64,
    /// The mean of the estimates from halves.
    mean: f64,
    /// The number of rows of a half.
    rows: usize,
}

impl Halves {
    /// A warning if the estimate from all rows is larger than those from halves by more than a standard error: it would rise further with more rows,
    /// and its interval does not hold the truth.
    pub fn warning(&self) -> Option<String> {
        let rise = self.value - self.mean;
        (rise > error_of(Some(self.ci95))).then(|| {
            format!(
                "the value rises with the number of rows ({:.3} nats from {} of them), so it is probably too low, by {rise:.2} nats or more",
                self.mean, self.rows
            )
        })
    }
}

/// `value`, an estimate from `n` rows, plus and minus 2.09 standard deviations of it, which are from twenty values.
///
/// The rows are split at random into two halves, twenty times. The estimates from the two halves of a split are independent. Half of
/// their variance is the variance of an estimate from all rows, to the extent that variance falls as 1/n (Holmes and
/// Nemenman 2019, *Estimation of mutual information for real-valued data with error bars and controlled bias*; they split into more
/// parts, which are too small for nearest neighbors). For independent variables the variance of a linear estimate falls as 1/n^2, and the
/// interval is somewhat too wide or too narrow: see [`permutation_null`](super::permutation::permutation_null). `estimate` gets the
/// indices of the rows of X and of Y to use.
///
/// # Errors
/// Errors of `estimate`, or there are fewer than 4 rows.
pub fn by_halves(n: usize, value: f64, seed: u64, estimate: impl Fn(&[usize]) -> Result<f64> + Sync) -> Result<Halves> {
    if n < 4 {
        return Err(Error::failed(format!("{n} rows are too few for an interval"), "give more rows"));
    }
    let half = (n / 2).min(HALF);
    let one = |deal: usize| {
        let order = shuffled(n, &mut stream(seed, "mi/interval", deal as u64));
        let (first, second) = order[..2 * half].split_at(half);
        Ok([estimate(first)?, estimate(second)?])
    };
    let pairs: Vec<[f64; 2]> = (0..DEALS).into_par_iter().map(one).collect::<Result<_>>()?;
    // The variance of two values a and b is (a - b)^2 / 2.
    let variance =
        pairs.iter().map(|[a, b]| (a - b).powi(2) / 2.0).sum::<f64>() / DEALS as f64 * half as f64 / n as f64;
    let mean = pairs.iter().flatten().sum::<f64>() / (2 * DEALS) as f64;
    Ok(Halves { ci95: around(value, variance * (STUDENT / NORMAL).powi(2)), value, mean, rows: half })
}

/// The interval of the mean of values of rows: [`of_series`] if the rows are `in_time`, in the order of time, else [`of_mean`].
pub fn of_rows(local: &[f64], in_time: bool) -> Option<[f64; 2]> {
    if in_time { of_series(local) } else { of_mean(local) }
}

/// The mean of values of rows in the order of time, plus and minus 1.96 standard errors of it, which grow with what neighboring rows have in
/// common; None for fewer than two values.
pub fn of_series(local: &[f64]) -> Option<[f64; 2]> {
    let mean = local.iter().sum::<f64>() / local.len() as f64;
    (local.len() > 1).then(|| around(mean, variance_of_mean(local)))
}

/// An interval around `value` that is at least as wide as plus and minus 1.96 times `deviation`.
pub fn at_least(interval: Option<[f64; 2]>, value: f64, deviation: f64) -> [f64; 2] {
    let half = interval.map_or(0.0, |[low, high]| (high - low) / 2.0).max(NORMAL * deviation);
    [value - half, value + half]
}

/// The standard error that an interval shows; infinite for none.
pub fn error_of(interval: Option<[f64; 2]>) -> f64 {
    interval.map_or(f64::INFINITY, |[low, high]| (high - low) / 2.0 / NORMAL)
}

fn around(value: f64, variance: f64) -> [f64; 2] {
    let half = NORMAL * variance.sqrt();
    [value - half, value + half]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mi::linear::{Covariance, linear};
    use crate::mi::neighbors::{Ksg, ksg};
    use crate::mi::samples::Samples;

    const RHO: f64 = 0.6;

    fn normal(n: usize, index: u64) -> (Samples, Samples) {
        let mut rng = stream(7, "interval", index);
        let pair = |_| {
            let (a, b) = (f64::from(rng.normal()), f64::from(rng.normal()));
            (a, RHO * a + (1.0 - RHO * RHO).sqrt() * b)
        };
        let (x, y): (Vec<f64>, Vec<f64>) = (0..n).map(pair).unzip();
        (Samples::new(x, 1).unwrap(), Samples::new(y, 1).unwrap())
    }

    #[test]
    fn the_interval_of_a_mean_is_that_of_the_normal_distribution() {
        // Mean 2, variance 5/3 of five values.
        let [low, high] = of_mean(&[0.5, 1.5, 2.0, 2.5, 3.5]).unwrap();
        let half = 1.959_963_984_540_054 * (1.25f64 / 5.0).sqrt();
        assert!((low - 2.0 + half).abs() < 1e-14 && (high - 2.0 - half).abs() < 1e-14, "{low} {high}");
        assert_eq!(of_mean(&[1.0]), None);
    }

    #[test]
    fn halves_give_the_spread_that_other_samples_show() {
        // The asymptotic variance of the estimate for normal variables is rho^2 / n.
        let widths = (0..30).map(|i| {
            let (x, y) = normal(200, i);
            let estimate = |rows: &[usize]| Ok(linear(&x.take(rows), &y.take(rows), Covariance::Sample)?.mi);
            let [low, high] = by_halves(200, 0.0, i, estimate).unwrap().ci95;
            assert!((low + high).abs() < 1e-15);
            (high - low) / (2.0 * STUDENT)
        });
        let (mean, expected) = (widths.sum::<f64>() / 30.0, RHO / 200f64.sqrt());
        assert!((mean / expected - 1.0).abs() < 0.12, "{mean} {expected}");
    }

    #[test]
    fn nine_of_ten_intervals_of_neighbors_hold_the_truth() {
        let truth = -0.5 * (1.0 - RHO * RHO).ln();
        let held = (0..60).filter(|&i| {
            let (x, y) = normal(200, 100 + i);
            let estimate = |x: &Samples, y: &Samples| Ok(ksg(x, y, 3, Ksg::First, 0)?.mi);
            let value = estimate(&x, &y).unwrap();
            let [low, high] = by_halves(200, value, i, |rows| estimate(&x.take(rows), &y.take(rows))).unwrap().ci95;
            low <= truth && truth <= high
        });
        let held = held.count();
        assert!(held >= 49, "{held} of 60");
    }

    #[test]
    fn it_repeats_with_its_seed_for_any_number_of_threads_and_passes_faults_on() {
        let (x, y) = normal(50, 0);
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let estimate = |rows: &[usize]| Ok(ksg(&x.take(rows), &y.take(rows), 3, Ksg::First, 0)?.mi);
            pool.install(|| by_halves(50, 1.0, 3, estimate).unwrap())
        };
        assert_eq!(run(1), run(3));
        // In ten columns neighbors are far apart, and nearer if there are more.
        let of = |n, dim| {
            let (x, y) = crate::mi::fixtures::normal(n, dim, 0.8, 8);
            let value = |rows: &[usize]| Ok(ksg(&x.take(rows), &y.take(rows), 3, Ksg::First, 0)?.mi);
            by_halves(n, value(&(0..n).collect::<Vec<_>>()).unwrap(), 0, value).unwrap()
        };
        assert!(of(800, 5).warning().is_some_and(|w| w.contains("from 400 of them")));
        assert!(of(800, 1).warning().is_none());
        assert!(by_halves(3, 1.0, 0, |_| Ok(0.0)).is_err());
        assert!(by_halves(9, 1.0, 0, |_| Err(Error::usage("a", "b"))).is_err());
    }
}
