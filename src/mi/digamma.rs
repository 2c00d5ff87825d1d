//! The digamma function psi(x) = d/dx ln Gamma(x), which appears in nearest-neighbor and Wishart expectations.

/// psi(x) for x > 0, to about 1e-14 relative; NaN elsewhere.
///
/// Recurrence psi(x) = psi(x + 1) - 1/x up to 10, then the asymptotic series (Abramowitz and Stegun 6.3.5 and 6.3.18).
pub fn digamma(x: f64) -> f64 {
    if x.is_nan() || x <= 0.0 {
        return f64::NAN;
    }
    let (mut x, mut shift) = (x, 0.0);
    while x < 10.0 {
        shift += 1.0 / x;
        x += 1.0;
    }
    // Bernoulli numbers B_2n / 2n, from n = 1.
    const TERMS: [f64; 7] =
        [1.0 / 12.0, -1.0 / 120.0, 1.0 / 252.0, -1.0 / 240.0, 1.0 / 132.0, -691.0 / 32760.0, 1.0 / 12.0];
    let square = 1.0 / (x * x);
    let series = TERMS.iter().rev().fold(0.0, |sum, term| (sum + term) * square);
    x.ln() - 0.5 / x - series - shift
}

#[cfg(test)]
mod tests {
    use super::digamma;

    #[test]
    fn known_values_come_out() {
        // psi(1) = -gamma, psi(1/2) = -gamma - 2 ln 2, psi(10) = H_9 - gamma.
        let gamma = 0.577_215_664_901_532_9;
        let harmonic: f64 = (1..10).map(|i| 1.0 / f64::from(i)).sum();
        for (x, expected) in [(1.0, -gamma), (0.5, -gamma - 2.0 * 2f64.ln()), (10.0, harmonic - gamma)] {
            assert!((digamma(x) - expected).abs() < 1e-14 * 4.0, "{x}: {} {expected}", digamma(x));
        }
        assert!(digamma(0.0).is_nan() && digamma(-1.5).is_nan());
    }

    #[test]
    fn the_recurrence_holds_across_the_change_to_the_series() {
        for i in 1..400 {
            let x = f64::from(i) * 0.07;
            assert!((digamma(x + 1.0) - digamma(x) - 1.0 / x).abs() < 2e-13 / x.min(1.0), "{x}");
        }
    }
}
