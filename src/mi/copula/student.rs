//! The t copula, by maximum likelihood (Demarta and McNeil 2005, *The t copula and related copulas*).
//!
//! For given degrees of freedom, the scatter of the t scores is found by the maximum likelihood iteration (Kent and Tyler 1991), with
//! the diagonal held at 1. The likelihood of the copula is the density of the joint t distribution divided by the densities of its columns. Its
//! maximum over the degrees is found by golden-section search over their reciprocal, which is 0 for a normal copula.

use crate::error::Result;
use crate::mi::copula::{Elliptical, Ranked, correlations};
use crate::mi::products::gram;
use nalgebra::{Cholesky, DMatrix, DVector, Dyn};
use statrs::function::gamma::ln_gamma;

/// The range of reciprocal degrees of freedom to search: 100 degrees are nearly normal, and half a degree has tails that ranks hardly
/// show.
const RECIPROCALS: [f64; 2] = [0.01, 2.0];
/// Golden-section steps: the last interval is less than a hundredth of the logarithm wide.
const SECTIONS: usize = 14;
/// Iterations for the scatter during the search for the degrees, and at the end.
const ROUNDS: [usize; 2] = [4, 20];

/// The t copula fitted to the rows `rows`; none if columns depend on each other linearly or there are no more rows than dimensions.
///
/// # Errors
/// The information would be infinite.
pub fn student(ranked: &Ranked, rows: &[usize]) -> Result<Option<Elliptical>> {
    let dim = ranked.normal.ncols();
    if rows.len() <= dim {
        return Ok(None);
    }
    let start = ranked.normal.select_rows(rows);
    let mut scatter = correlations(&gram(&start, &start)?);
    if Cholesky::new(scatter.clone()).is_none_or(|c| c.l().diagonal().min() < 1e-5) {
        return Ok(None);
    }
    let mut fit = |reciprocal: f64, rounds: usize| -> Result<Option<f64>> {
        let scores = ranked.scores(Some(1.0 / reciprocal))?.select_rows(rows);
        Ok(likelihood(&scores, 1.0 / reciprocal, rounds, &mut scatter))
    };
    let golden = (5f64.sqrt() - 1.0) / 2.0;
    // The search is over the logarithm: the likelihood changes as much from 1 to 2 degrees as from 10 to 20.
    let [mut low, mut high] = RECIPROCALS.map(f64::ln);
    let inside = |low: f64, high: f64| [high - golden * (high - low), low + golden * (high - low)];
    let [mut a, mut b] = inside(low, high);
    let (Some(mut at_a), Some(mut at_b)) = (fit(a.exp(), ROUNDS[0])?, fit(b.exp(), ROUNDS[0])?) else {
        return Ok(None);
    };
    for _ in 0..SECTIONS {
        let next = if at_a > at_b {
            (high, b, at_b) = (b, a, at_a);
            a = inside(low, high)[0];
            a
        } else {
            (low, a, at_a) = (a, b, at_b);
            b = inside(low, high)[1];
            b
        };
        let Some(value) = fit(next.exp(), ROUNDS[0])? else { return Ok(None) };
        if next == a { at_a = value } else { at_b = value }
    }
    let best = ((low + high) / 2.0).exp();
    if fit(best, ROUNDS[1])?.is_none() {
        return Ok(None);
    }
    Elliptical::new(&scatter, ranked.p, Some(1.0 / best), rows.len()).map(Some)
}

/// The log-likelihood of scores (n, d) under a t copula with `nu` degrees. Moves `scatter` toward the maximum likelihood. None if the
/// scatter has no inverse.
fn likelihood(scores: &DMatrix<f64>, nu: f64, rounds: usize, scatter: &mut DMatrix<f64>) -> Option<f64> {
    let (n, dim) = (scores.nrows() as f64, scores.ncols() as f64);
    let mut distances = squared(scores, &Cholesky::new(scatter.clone())?);
    for _ in 0..rounds {
        let weights = distances.map(|distance| (nu + dim) / (nu + distance));
        let mut weighted = scores.clone();
        weighted.column_iter_mut().for_each(|mut column| column.component_mul_assign(&weights));
        *scatter = correlations(&gram(scores, &weighted).ok()?);
        distances = squared(scores, &Cholesky::new(scatter.clone())?);
    }
    let inverse = Cholesky::new(scatter.clone())?;
    let log_determinant: f64 = inverse.l().diagonal().iter().map(|v| 2.0 * v.ln()).sum();
    let joint = n * (ln_gamma((nu + dim) / 2.0) - ln_gamma(nu / 2.0) - 0.5 * log_determinant)
        - (nu + dim) / 2.0 * sum_of_logs(distances.as_slice(), |d| 1.0 + d / nu);
    let single = n * dim * (ln_gamma((nu + 1.0) / 2.0) - ln_gamma(nu / 2.0))
        - (nu + 1.0) / 2.0 * sum_of_logs(scores.as_slice(), |w| 1.0 + w * w / nu);
    Some(joint - single)
}

/// The sum of log f(v), as logarithms of products of eight. f is between 1 and 1e38.
fn sum_of_logs(values: &[f64], f: impl Fn(f64) -> f64) -> f64 {
    values.chunks(8).map(|eight| eight.iter().map(|v| f(*v)).product::<f64>().ln()).sum()
}

/// w' S^-1 w of every row (n).
fn squared(scores: &DMatrix<f64>, scatter: &Cholesky<f64, Dyn>) -> DVector<f64> {
    let weighted = scores * scatter.inverse();
    let mut sums = DVector::zeros(scores.nrows());
    for (column, weighted) in scores.column_iter().zip(weighted.column_iter()) {
        sums.cmpy(1.0, &column, &weighted, 1.0);
    }
    sums
}
