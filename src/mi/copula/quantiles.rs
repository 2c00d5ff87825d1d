//! Quantiles of the t distribution for all ranks of a sample.
//!
//! An inverse of the incomplete beta function for each rank would take longer than the rest of a fit. With z the normal quantile of the same rank,
//! w = asinh t is a smooth function of z with slope dw/dz = phi(z) / (f(t) sqrt(1 + t^2)). It is interpolated between exact values by cubic polynomials
//! that have both the values and the slopes. The exact values of tails are from the series of the incomplete beta function, because the inverse of
//! `statrs` ends at 1e8.

use crate::error::{Error, Result};
use crate::mi::ranks::share;
use statrs::distribution::{Continuous, ContinuousCDF, Normal, StudentsT};
use statrs::function::beta::ln_beta;

/// The distance of two exact values in z: the error is below 1e-6 of a quantile.
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
        let p = normal.cdf(z);
        let x = tail(degrees, p).unwrap_or_else(|| t.inverse_cdf(p));
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
    let mut half: Vec<f64> = z.into_iter().map(between).collect();
    half[n - 1] = 0.0; // the middle
    Ok((0..2 * n - 1).map(|i| if i < n { half[i] } else { -half[2 * n - 2 - i] }).collect())
}

/// The quantile t < -sqrt(degrees) at the probability `p`; none if it is nearer to 0. With x = degrees / (degrees + t^2), a = degrees / 2 and b = 1/2,
/// 2 p is I_x(a, b) = x^a / B(a, b) sum (1 - b)_n / (n! (a + n)) x^n (Abramowitz and Stegun 26.5.4), solved for log x by Newton's method.
fn tail(degrees: f64, p: f64) -> Option<f64> {
    let a = degrees / 2.0;
    let scale = (2.0 * p).ln() + ln_beta(a, 0.5);
    // Without the rest of the series, x is a little too large.
    let mut log_x = (scale + a.ln()) / a;
    for _ in 0..50 {
        let x = log_x.exp();
        if x > 0.5 {
            return None;
        }
        let (mut term, mut sum, mut slope) = (1.0, 1.0 / a, 0.0);
        for n in 1..60 {
            term *= (f64::from(n) - 0.5) / f64::from(n) * x;
            sum += term / (a + f64::from(n));
            slope += f64::from(n) * term / (a + f64::from(n));
        }
        let step = (a * log_x + sum.ln() - scale) / (a + slope / sum);
        log_x -= step;
        if step.abs() < 1e-14 * log_x.abs() {
            break;
        }
    }
    Some(-(degrees * (-log_x).exp_m1()).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpolated_quantiles_are_exact() {
        // scipy.stats.t.ppf(0.5 / n, degrees)
        for (n, degrees, exact) in [
            (1_000_000, 0.5, -411_396_462_526.535_95),
            (1_000_000, 0.7, -189_017_577.108_496_73),
            (1_000_000, 1.0, -636_619.772_367_057_7),
            (5000, 0.51, -7_454_432.197_497_148),
            (5000, 30.0, -4.233_985_957_272_021),
        ] {
            let found = quantiles(degrees, n).unwrap()[0];
            assert!((found / exact - 1.0).abs() < 1e-6, "{degrees} degrees, {n} rows: {found} for {exact}");
        }
        // Where the inverse of statrs is exact.
        for degrees in [0.5, 0.7, 1.0, 2.0, 3.7, 12.0, 100.0] {
            let t = StudentsT::new(0.0, 1.0, degrees).unwrap();
            for n in [1, 2, 60, 1001] {
                let found = quantiles(degrees, n).unwrap();
                assert_eq!((found.len(), found[n - 1]), (2 * n - 1, 0.0));
                for (i, found) in found.iter().enumerate().step_by(7).filter(|(i, _)| i + 1 != n) {
                    let exact = t.inverse_cdf(share(i as f64 / 2.0, n));
                    let apart = (found - exact).abs() / exact.abs().max(1e-2);
                    assert!(apart < 1e-5, "{degrees} degrees, rank {i} of {n}: {found} for {exact}");
                }
            }
        }
    }
}
