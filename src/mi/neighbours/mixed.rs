//! Mutual information of variables that are discrete in places and continuous in others: Gao, Kannan, Oh and Viswanath
//! (2017), *Estimating mutual information for discrete-continuous mixtures*, NeurIPS.
//!
//! I = < psi(k') + log N - psi(n_x) - psi(n_y) >. At a row whose k-th neighbour is a copy of it, k', n_x and n_y count the rows at
//! distance 0; elsewhere k' = k, and n_x and n_y count the rows strictly closer than the k-th neighbour; the row itself
//! is counted. Algorithm 1 of the paper has log(n_x + 1) over rows at most as far, the authors' code psi(n_x) as here;
//! we follow the code, which is the estimator of its tables.

use super::estimate::Estimate;
use super::spaces::{Spaces, psi};
use super::tree::Ball;
use crate::error::Result;
use crate::mi::samples::Samples;

/// Mutual information between X (n, p) and Y (n, q) from the `k` nearest neighbours, in nats; either may be discrete (as
/// numbers whose distances mean something or nothing), continuous, or a mixture of both.
///
/// It needs atoms with more than k rows. Where values repeat but copies of a row are rarer than that, as on a fine grid, it is far
/// too high (0.9 nats for 1,000 independent normal pairs rounded to tenths); there [`ksg()`](super::ksg()) is the right one.
///
/// # Errors
/// If X and Y differ in length, or `k` is not in 1..n.
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
    // Copies and ties are what this estimator is for: neither is reported.
    Ok(Estimate::of(local))
}
