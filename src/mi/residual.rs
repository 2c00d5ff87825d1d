//! Variables that nearly determine each other, such as a signal and its copy with a little noise.
//!
//! Neighbors see no more than log n nats, and ranks do not see noise that is smaller than the distances between rows. What is left of Y after
//! Y is predicted from X shows the noise itself: I(X; Y) = h(Y) - h(Y given X) >= h(Y) - h(Y - f(X)) for any f, with equality if the rest does not
//! depend on X. f is linear, or for two single columns the straight line between the two neighbors of a row in X; the entropies are those of
//! nearest neighbors (Kozachenko and Leonenko 1987).

use crate::error::Result;
use crate::mi::digamma::digamma;
use crate::mi::neighbors::tree::Tree;
use crate::mi::samples::Samples;
use nalgebra::{Cholesky, DMatrix};

/// Neighbors of the entropies.
const NEIGHBORS: usize = 3;
/// The largest number of columns of Y whose entropies are those of neighbors; of more columns, those of normal variables.
const FEW: usize = 4;
/// A rest below this fraction of Y comes from the rounding of numbers.
const ROUNDING: f64 = 1e-13;

/// What is left of a variable after it is predicted.
#[derive(Debug, Clone, PartialEq)]
pub enum Residual {
    /// The information in nats, and its standard error.
    Known(f64, f64),
    /// Nothing is left.
    Nothing,
}

/// The information between X (n, p) and Y (n, q) from what is left of the one after it is predicted from the other, whichever says more. None if
/// there are too few rows.
///
/// # Errors
/// None.
pub fn residual(x: &Samples, y: &Samples) -> Result<Option<Residual>> {
    let (n, dim) = (x.len(), x.dim() + y.dim());
    if n < 2 * dim + 10 {
        return Ok(None);
    }
    let (x, y) = (matrix(x), matrix(y));
    let mut best: Option<Residual> = None;
    for (from, to) in [(&x, &y), (&y, &x)] {
        let mut rests = Vec::new();
        rests.extend(linear(from, to));
        if from.ncols() == 1 && to.ncols() == 1 {
            rests.push(between_neighbors(from, to));
        }
        for rest in rests {
            if rest.amax() <= ROUNDING * to.amax() {
                return Ok(Some(Residual::Nothing));
            }
            let (Some(before), Some(after)) = (entropy(to)?, entropy(&rest)?) else { continue };
            let differences = before.1.iter().zip(&after.1).map(|(a, b)| a - b);
            let values: Vec<f64> = differences.collect();
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64;
            let mi = before.0 - after.0;
            if !matches!(best, Some(Residual::Known(other, _)) if other >= mi) {
                best = Some(Residual::Known(mi, (variance / values.len() as f64).sqrt()));
            }
        }
    }
    Ok(best)
}

/// Standardized rows.
fn matrix(samples: &Samples) -> DMatrix<f64> {
    DMatrix::from_row_slice(samples.len(), samples.dim(), samples.standardized().values())
}

/// What a linear map of `from` leaves of `to`, by QR, which keeps the digits that products of columns lose. Scaled by the parameters that were
/// fitted.
fn linear(from: &DMatrix<f64>, to: &DMatrix<f64>) -> Option<DMatrix<f64>> {
    let (n, p) = from.shape();
    let qr = from.clone().qr();
    let q = qr.q();
    let diagonal = qr.r().diagonal();
    let largest = diagonal.amax();
    // A column that others determine adds nothing.
    let mut q = q;
    for (j, value) in diagonal.iter().enumerate() {
        if value.abs() < 1e-9 * largest {
            q.column_mut(j).fill(0.0);
        }
    }
    let once = to - &q * q.tr_mul(to);
    let rest = &once - &q * q.tr_mul(&once);
    let scale = (n as f64 / (n - p) as f64).sqrt();
    rest.iter().all(|v| v.is_finite()).then_some(rest * scale)
}

/// What the line between the two neighbors of a row in X leaves of Y, scaled to the variance of a row's own rest.
fn between_neighbors(from: &DMatrix<f64>, to: &DMatrix<f64>) -> DMatrix<f64> {
    let n = from.nrows();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| from[a].total_cmp(&from[b]));
    let mut rest = DMatrix::zeros(n, 1);
    for (place, &row) in order.iter().enumerate() {
        // The first and the last row are predicted from the two rows next to them.
        let [a, b] = match place {
            0 => [order[1], order[2]],
            _ if place == n - 1 => [order[n - 2], order[n - 3]],
            _ => [order[place - 1], order[place + 1]],
        };
        let width = from[b] - from[a];
        let w = if width == 0.0 { 0.5 } else { (from[row] - from[a]) / width };
        rest[row] = (to[row] - (1.0 - w) * to[a] - w * to[b]) / (1.0 + w * w + (1.0 - w) * (1.0 - w)).sqrt();
    }
    rest
}

/// The entropy in nats and its terms for each row; none if a direction has no variance.
fn entropy(rows: &DMatrix<f64>) -> Result<Option<(f64, Vec<f64>)>> {
    let (n, dim) = rows.shape();
    // Columns are scaled first, so that a small one is not lost beside a large one.
    let scales: Vec<f64> = rows.column_iter().map(|c| (c.norm_squared() / n as f64).sqrt()).collect();
    if scales.contains(&0.0) {
        return Ok(None);
    }
    let scaled = DMatrix::from_fn(n, dim, |i, j| rows[(i, j)] / scales[j]);
    let Some(cholesky) = Cholesky::new(scaled.tr_mul(&scaled) / n as f64) else { return Ok(None) };
    let factor = cholesky.l();
    let volume = scales.iter().chain(factor.diagonal().iter()).map(|v| v.ln()).sum::<f64>();
    let Some(white) = factor.solve_lower_triangular(&scaled.transpose()) else { return Ok(None) };
    if dim > FEW {
        let constant = dim as f64 / 2.0 * std::f64::consts::TAU.ln() + volume;
        let local: Vec<f64> = white.column_iter().map(|row| constant + row.norm_squared() / 2.0).collect();
        return Ok(Some((local.iter().sum::<f64>() / n as f64, local)));
    }
    let samples = Samples::new(white.as_slice().to_vec(), dim)?;
    let tree = Tree::new(&samples);
    let mut near = Vec::new();
    let constant = digamma(n as f64) - digamma(NEIGHBORS as f64) + volume;
    let local: Vec<f64> = (0..n)
        .map(|row| {
            tree.nearest(samples.row(row), NEIGHBORS, Some(row), &mut near);
            let radius = near.last().map_or(0.0, |farthest| farthest.distance);
            constant + dim as f64 * (2.0 * radius).max(f64::MIN_POSITIVE).ln()
        })
        .collect();
    Ok(Some((local.iter().sum::<f64>() / n as f64, local)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mi::fixtures;

    fn known(x: &Samples, y: &Samples) -> f64 {
        match residual(x, y).unwrap() {
            Some(Residual::Known(mi, error)) => {
                assert!(error < 0.1, "{error}");
                mi
            }
            other => panic!("{other:?}"),
        }
    }

    /// `x` with noise of size `noise`, mapped by `f` before.
    fn noisy(x: &Samples, f: impl Fn(f64) -> f64, noise: f64) -> Samples {
        let e = fixtures::normal(x.len(), x.dim(), 0.0, 60).0;
        Samples::new(x.values().iter().zip(e.values()).map(|(x, e)| f(*x) + noise * e).collect(), x.dim()).unwrap()
    }

    #[test]
    fn a_copy_with_little_noise_is_finite_and_an_exact_one_is_not() {
        let (x, _) = fixtures::normal(2000, 1, 0.0, 61);
        for noise in [1e-2f64, 1e-4, 1e-6, 1e-8] {
            let truth = 0.5 * (1.0 + 1.0 / (noise * noise)).ln();
            let mi = known(&x, &noisy(&x, |x| x, noise));
            assert!((mi - truth).abs() < 0.1, "{noise}: {mi} {truth}");
            let mi = known(&noisy(&x, |x| 5.0 - 3.0 * x, 3.0 * noise), &x);
            assert!((mi - truth).abs() < 0.1, "{noise}: {mi} {truth}");
        }
        assert_eq!(residual(&x, &x).unwrap(), Some(Residual::Nothing));
        let (x, _) = fixtures::normal(2000, 2, 0.0, 62);
        let mi = known(&x, &noisy(&x, |x| x, 1e-6));
        assert!((mi - (1.0 + 1e12f64).ln()).abs() < 0.2, "{mi}");
    }

    #[test]
    fn a_curve_with_little_noise_is_followed() {
        // h(exp X) = h(X) + E X = log sqrt(2 pi e); the noise has log sqrt(2 pi e) + log noise.
        let (x, _) = fixtures::normal(4000, 1, 0.0, 63);
        let mi = known(&x, &noisy(&x, f64::exp, 1e-4));
        assert!((mi + 1e-4f64.ln()).abs() < 0.5, "{mi}");
    }
}
