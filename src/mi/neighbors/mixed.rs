//! Mutual information of variables that are discrete in places and continuous in others: Gao, Kannan, Oh and Viswanath
//! (2017), *Estimating mutual information for discrete-continuous mixtures*, NeurIPS.
//!
//! I = < psi(k') + log N - psi(n_x) - psi(n_y) >. At a row whose k-th neighbor is a copy of it, k', n_x and n_y count the rows at
//! distance 0. Elsewhere k' = k, and n_x and n_y count the rows strictly closer than the k-th neighbor. The row itself
//! is counted. Algorithm 1 of the paper has log(n_x + 1) over rows that are at most as far; the authors' code has psi(n_x), as here.
//! We follow the code, which is the estimator of the paper's tables.

use crate::error::Result;
use crate::mi::neighbors::estimate::Estimate;
use crate::mi::neighbors::spaces::{Spaces, psi};
use crate::mi::neighbors::tree::Ball;
use crate::mi::samples::Samples;

/// Mutual information between X (n, p) and Y (n, q) from the `k` nearest neighbors, in nats. Either may be discrete (as
/// numbers whose distances are meaningful or not), continuous, or a mixture of both.
///
/// It needs atoms with more than k rows. If values repeat but a row has fewer copies than that, as on a fine grid, the estimate is far
/// too high (0.9 nats for 1,000 independent normal pairs rounded to tenths). Use [`ksg()`](super::ksg()) then.
///
/// # Errors
/// X and Y differ in length, or `k` is not in 1..n.
pub fn mixed(x: &Samples, y: &Samples, k: usize) -> Result<Estimate> {
    let spaces = Spaces::new(x, y, k)?;
    let n = (x.len() as f64).ln();
    let local = spaces.map(k, |row| {
        let radius = row.radius();
        if radius == 0.0 {
            let [x, y, both] = row.copies();
            return psi(both) + n - psi(x) - psi(y);
        }
        psi(k) + n - psi(row.count_x(radius, Ball::Open)) - psi(row.count_y(radius, Ball::Open))
    });
    // This estimator is for data with copies and ties, so neither is reported.
    Ok(Estimate::of(local))
}
