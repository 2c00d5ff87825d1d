//! How many of its own past values a series is predicted from.
//!
//! Too short a history makes the source seem to say what older values of the target would have said; too long a one costs precision.

use super::Method;
use super::embedding::{past, present};
use crate::error::Result;
use crate::mi::linear::{Covariance, linear};
use crate::mi::neighbors::{Place, shared};
use crate::mi::samples::Samples;
use std::ops::Range;

/// The longest history that is chosen.
pub(super) const LONGEST: usize = 5;

/// The number of past values of `to`, 1 to 5. For correlations it is that of the autoregression with the least Bayesian information criterion
/// (Schwarz 1978); for nearest neighbors, that in which the past says most about the present by an estimator that chance does not make larger
/// (Garland et al. 2016, *Leveraging information storage to select forecast-optimal parameters for delay-coordinate reconstructions*).
///
/// # Errors
/// There are too few rows.
pub(super) fn history(to: &Samples, stretches: &[Range<usize>], method: Method) -> Result<usize> {
    let rows = present(stretches, LONGEST, super::ROWS)?;
    let now = to.take(&rows);
    let place = Place::new(now.clone());
    let (n, dim) = (rows.len() as f64, to.dim() as f64);
    let (mut best, mut most) = (1, f64::NEG_INFINITY);
    for k in 1..=LONGEST {
        let Some(before) = past(to, &rows, 1..k + 1)? else { continue };
        let score = match method {
            Method::Neighbors(neighbors) => shared(&Place::new(before), &place, neighbors)?.mi,
            // A series that its past determines has nothing to gain from a longer one.
            Method::Copula => linear(&now, &before, Covariance::Sample)
                .map_or(f64::NEG_INFINITY, |found| n * (found.mi + found.bias) - 0.5 * dim * dim * k as f64 * n.ln()),
        };
        if score > most {
            (best, most) = (k, score);
        }
    }
    Ok(best)
}
