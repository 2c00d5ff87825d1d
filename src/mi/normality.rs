//! Whether rows are normal together, not only column by column.
//!
//! Columns that are nonlinear functions of fewer hidden ones, as those of embeddings, can each be made normal by their ranks. Together they are not, and
//! a normal distribution that is fitted to them takes for new information what repeats the same.

use crate::error::Result;
use crate::mi::products::gram;
use crate::mi::samples::Samples;
use nalgebra::{Cholesky, DMatrix};

/// From this number of standard errors on, rows are not normal together.
const ERRORS: f64 = 4.0;

/// Whether the columns can be normal together, by Mardia's kurtosis (1970, *Measures of multivariate skewness and kurtosis with applications*): the mean
/// over rows of the squared Mahalanobis distance to the center, squared, is d(d + 2) with standard error sqrt(8 d(d + 2) / n).
///
/// `alike` rows count as one. Columns that are determined by others are not normal together, nor are too few rows to tell.
///
/// # Errors
/// None, because samples are finite numbers.
pub fn are_normal(samples: &Samples, alike: f64) -> Result<bool> {
    let (n, dim) = (samples.len(), samples.dim());
    let rows = DMatrix::from_row_slice(n, dim, samples.standardized().values());
    let Some(factor) = Cholesky::new(gram(&rows, &rows)? / n as f64) else { return Ok(false) };
    let Some(white) = factor.l().solve_lower_triangular(&rows.transpose()) else { return Ok(false) };
    let kurtosis = white.column_iter().map(|row| row.norm_squared().powi(2)).sum::<f64>() / n as f64;
    let (n, d) = (n as f64, dim as f64);
    let expected = d * (d + 2.0);
    let excess = kurtosis - expected * (n - 1.0) / (n + 1.0);
    Ok(n > 2.0 * d && excess.abs() < ERRORS * (8.0 * expected * alike / n).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mi::fixtures;
    use crate::mi::ranks::normal_scores;

    #[test]
    fn normal_rows_pass_and_functions_of_fewer_columns_do_not() {
        let passed = (0..40).filter(|&i| {
            let (x, y) = fixtures::normal(400, 5, 0.5, 400 + i);
            are_normal(&x.beside(&y).unwrap(), 1.0).unwrap()
        });
        assert!(passed.count() >= 39);
        // Ten columns of two hidden ones, each normal by its ranks.
        let (hidden, noise) = fixtures::normal(400, 10, 0.0, 450);
        let value = |i: usize, j: usize| {
            let angle = j as f64;
            let inside = hidden.row(i)[0] * angle.cos() + hidden.row(i)[1] * angle.sin();
            (2.0 * inside).tanh() + 0.1 * noise.row(i)[j]
        };
        let bent = Samples::new((0..4000).map(|at| value(at / 10, at % 10)).collect(), 10).unwrap();
        assert!(!are_normal(&normal_scores(&bent).unwrap(), 1.0).unwrap());
        // Tails that are shared.
        let (x, y) = fixtures::student(1000, 2, 460);
        assert!(!are_normal(&normal_scores(&x.beside(&y).unwrap()).unwrap(), 1.0).unwrap());
    }
}
