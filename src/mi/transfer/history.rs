//! How many of its own past values a series is predicted from.
//!
//! Too short a history makes the source seem to say what older values of the target would have said; too long a one costs precision.

use super::Method;
use super::embedding::{ROWS, past, present};
use crate::error::Result;
use crate::mi::classes::Classes;
use crate::mi::interval::{error_of, of_mean};
use crate::mi::linear::{Covariance, linear};
use crate::mi::neighbors::{Place, shared};
use crate::mi::samples::Samples;
use crate::mi::variable::Variable;
use std::ops::Range;

/// The longest history that is chosen.
pub(super) const LONGEST: usize = 5;

/// The number of past values of Y, 1 to 5; `to` is where neighbors are looked for.
///
/// - Of labels, the order of the Markov chain with the least Bayesian information criterion (Katz 1981, *On some criteria for estimating the order of a
///   Markov chain*).
/// - For correlations, the order of the autoregression with the least one (Schwarz 1978).
/// - For nearest neighbors, the shortest that says as much about the present as any other, up to a standard error, by an estimator that chance does not
///   make larger (Garland et al. 2016, *Leveraging information storage to select forecast-optimal parameters for delay-coordinate reconstructions*).
///
/// # Errors
/// There are too few rows.
pub(super) fn history(y: &Variable, to: &Samples, stretches: &[Range<usize>], method: Method) -> Result<usize> {
    let rows = present(stretches, LONGEST, ROWS)?;
    if let Variable::Labels(codes, _) = y {
        return Ok(order(codes, &rows));
    }
    let now = to.take(&rows);
    let place = Place::new(now.clone());
    let (n, dim) = (rows.len() as f64, to.dim() as f64);
    let (mut scores, mut locals) = (Vec::new(), Vec::new());
    for k in 1..=LONGEST {
        let Some(before) = past(to, &rows, 1..k + 1)? else { continue };
        scores.push(match method {
            Method::Neighbors(neighbors) => {
                let found = shared(&Place::new(before), &place, neighbors)?;
                // A row without neighbors says nothing.
                let mut local = vec![0.0; rows.len()];
                let mut out = found.left_out.iter().copied().peekable();
                let used = (0..rows.len()).filter(|&row| out.next_if_eq(&row).is_none());
                used.zip(found.local).for_each(|(row, value)| local[row] = value);
                locals.push(local);
                locals[k - 1].iter().sum::<f64>() / n
            }
            // A series that its past determines has nothing to gain from a longer one.
            Method::Copula => linear(&now, &before, Covariance::Sample)
                .map_or(f64::NEG_INFINITY, |found| n * (found.mi + found.bias) - 0.5 * dim * dim * k as f64 * n.ln()),
        });
    }
    let best = first_largest(&scores);
    let as_good = |k: usize| match method {
        Method::Copula => k == best,
        Method::Neighbors(_) => {
            let gains: Vec<f64> = locals[best].iter().zip(&locals[k]).map(|(best, other)| best - other).collect();
            scores[best] - scores[k] <= error_of(of_mean(&gains))
        }
    };
    Ok((0..best).find(|&k| as_good(k)).unwrap_or(best) + 1)
}

/// The order of a Markov chain of labels.
fn order(codes: &[u32], rows: &[usize]) -> usize {
    let n = rows.len() as f64;
    let at = |lag: usize| Classes::of_labels(&rows.iter().map(|row| codes[row - lag]).collect::<Vec<_>>());
    let sum = |classes: &Classes| classes.counts().iter().map(|&c| f64::from(c) * f64::from(c).ln()).sum::<f64>();
    let now = at(0);
    let values = now.counts().len() as f64;
    let mut past: Option<Classes> = None;
    let scores: Vec<f64> = (1..=LONGEST)
        .map(|k| {
            let known = past.take().map_or_else(|| at(1), |past| past.with(&at(k)));
            let score = sum(&known.with(&now)) - sum(&known) - 0.5 * values.powi(k as i32) * (values - 1.0) * n.ln();
            past = Some(known);
            score
        })
        .collect();
    first_largest(&scores) + 1
}

fn first_largest(scores: &[f64]) -> usize {
    (1..scores.len()).fold(0, |best, k| if scores[k] > scores[best] { k } else { best })
}
