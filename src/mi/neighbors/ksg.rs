//! The estimators of Kraskov, Stoegbauer and Grassberger (2004), *Estimating mutual information*, Phys. Rev. E 69, 066138.
//!
//! First (eq. 8): I = psi(k) + psi(N) - < psi(n_x + 1) + psi(n_y + 1) >, where n_x is the number of rows that are strictly closer in X
//! than the k-th neighbor in (X, Y). Second (eq. 9): I = psi(k) - 1/k + psi(N) - < psi(n_x) + psi(n_y) >, where n_x is the number of rows
//! that are at most as far in X as the farthest, in X, of the k neighbors. Rows are never their own neighbors.

use crate::error::Result;
use crate::mi::neighbors::estimate::Estimate;
use crate::mi::neighbors::spaces::{Spaces, psi};
use crate::mi::neighbors::ties::{copies, spread};
use crate::mi::neighbors::tree::Ball;
use crate::mi::samples::Samples;

/// Which of the two estimators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ksg {
    /// Equation 8: a square around each row. Less variance. This is usually meant by KSG, and scikit-learn computes it.
    #[default]
    First,
    /// Equation 9: a rectangle around each row. Less bias if dependence is strong in few dimensions.
    Second,
}

/// Mutual information between X (n, p) and Y (n, q), both continuous, from the `k` nearest neighbors, in nats.
///
/// The equations require that no two distances are equal. So values that occur more than once in a column get noise of a
/// thousandth of its smallest gap, drawn with `seed` (Kraskov 2004, section II.C). X and Y may then be discrete too. If no value
/// repeats, the result does not depend on the seed.
///
/// # Errors
/// X and Y differ in length, or `k` is not in 1..n.
pub fn ksg(x: &Samples, y: &Samples, k: usize, which: Ksg, seed: u64) -> Result<Estimate> {
    let duplicates = copies(&x.beside(y)?);
    let ((x, tied_x), (y, tied_y)) = (spread(x, seed, "ksg/x"), spread(y, seed, "ksg/y"));
    let spaces = Spaces::new(&x, &y, k)?;
    let n = x.len();
    let local = spaces.map(k, |row| {
        let radius = row.radius();
        if radius == 0.0 {
            // X and Y are both constant, or noise could not separate copies: the rule of Gao et al. (2017).
            let [x, y, both] = row.copies();
            return psi(both) + psi(n) - psi(x) - psi(y);
        }
        match which {
            Ksg::First => psi(k) + psi(n) - psi(row.count_x(radius, Ball::Open)) - psi(row.count_y(radius, Ball::Open)),
            Ksg::Second => {
                let [x, y] = row.extents();
                let (n_x, n_y) = (row.count_x(x, Ball::Closed) - 1, row.count_y(y, Ball::Closed) - 1);
                psi(k) - 1.0 / k as f64 + psi(n) - psi(n_x) - psi(n_y)
            }
        }
    });
    Ok(Estimate { duplicates, tied: tied_x.max(tied_y), ..Estimate::of(local) })
}
