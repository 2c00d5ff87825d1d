//! Quantiles of the t distribution for all ranks of a sample.
//!
//! An inverse of the incomplete beta function for each rank would take longer than the rest of a fit. With z the normal quantile of the same rank,
//! w = asinh t is a smooth function of z with slope dw/dz = phi(z) / (f(t) sqrt(1 + t^2)). It is interpolated between exact values by cubic polynomials
//! that have both the values and the slopes.

use crate::error::{Error, Result};
use crate::mi::ranks::share;
use statrs::distribution::{Continuous, ContinuousCDF, Normal, StudentsT};

/// The distance of two exact values in z: the error is below 1e-7 of a quantile.
const APART: f64 = 1.0 / 24.0;

/// The quantiles of the ranks 0, 1/2, 1 ... n - 1 among `n` rows under a t distribution with `degrees` degrees of freedom.
///
/// # Errors
/// `degrees` is not positive.
pub(super) fn quantiles(degrees: f64, n: usize) -> Result<Vec<f64>> {
    let t = StudentsT::new(0.0, 1.0, degrees).map_err(|e| {
        Error::failed(format!("a t distribution of {degrees} degrees: {e}"), "report this as a bug in cpc")
    })?;
    let normal = Normal::standard();
    // Only half of the ranks need a quantile; the other half has the same values with the opposite sign.
    let z: Vec<f64> = (0..n).map(|i| normal.inverse_cdf(share(i as f64 / 2.0, n))).collect();
    let lowest = z.first().map_or(-APART, |z| z.min(-APART)); // a single rank is 0
    let pieces = (-lowest / APART).ceil();
    let apart = -lowest / pieces;
    let exact = |piece: usize| {
        let z = lowest + apart * piece as f64;
        let x = t.inverse_cdf(normal.cdf(z));
        [x.asinh(), apart * normal.pdf(z) / (t.pdf(x) * x.hypot(1.0))]
    };
    let knots: Vec<[f64; 2]> = (0..=pieces as usize).map(exact).collect();
    let between = |z: f64| {
        let at = (z - lowest) / apart;
        let piece = (at as usize).min(knots.len() - 2);
        let (u, [a, da], [b, db]) = (at - piece as f64, knots[piece], knots[piece + 1]);
        let more = b - a;
        (a + u * (da + u * (3.0 * more - 2.0 * da - db + u * (da + db - 2.0 * more)))).sinh()
    };
    let half: Vec<f64> = z.into_iter().map(between).collect();
    Ok((0..2 * n - 1).map(|i| if i < n { half[i] } else { -half[2 * n - 2 - i] }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpolated_quantiles_are_exact_to_seven_digits() {
        for degrees in [0.5, 0.7, 1.0, 2.0, 3.7, 12.0, 100.0] {
            let t = StudentsT::new(0.0, 1.0, degrees).unwrap();
            for n in [1, 2, 60, 5000] {
                let found = quantiles(degrees, n).unwrap();
                assert_eq!(found.len(), 2 * n - 1);
                for (i, found) in found.iter().enumerate().step_by(7) {
                    let exact = t.inverse_cdf(share(i as f64 / 2.0, n));
                    let apart = (found - exact).abs() / exact.abs().max(1e-3);
                    assert!(apart < 1e-6, "{degrees} degrees, rank {i} of {n}: {found} for {exact}");
                }
            }
        }
    }
}
