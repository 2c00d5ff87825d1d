//! Rows in the order of time, whose neighbors are alike: how many of them count as one.
//!
//! Two independent series drift together for as long as each remembers its past. The variance of their correlation is
//! (1 + 2 sum_k rho_x(k) rho_y(k)) / n (Bartlett 1946, *On the theoretical specification and sampling properties of autocorrelated
//! time-series*), so that a row counts as less than a sample.

use crate::mi::samples::Samples;

/// Autocorrelations below this have ended.
const ENDED: f64 = 0.05;

/// The number of rows of X and Y that count as one sample, 1 or more: 1 + 2 sum_k rho_x(k) rho_y(k), with autocorrelations averaged over columns.
pub fn rows_for_a_sample(x: &Samples, y: &Samples) -> f64 {
    let (x, y) = (autocorrelations(x), autocorrelations(y));
    1.0 + 2.0 * x.iter().zip(&y).map(|(x, y)| x * y).sum::<f64>()
}

/// The number of rows after which a series has forgotten itself: its autocorrelations, averaged over the columns, have ended.
pub fn memory(series: &Samples) -> usize {
    autocorrelations(series).len()
}

/// Autocorrelations from lag 1 until they end, averaged over the columns.
fn autocorrelations(samples: &Samples) -> Vec<f64> {
    let (n, dim) = (samples.len(), samples.dim());
    let standard = samples.standardized();
    let mut found = Vec::new();
    for lag in 1..(n / 4).max(1).min(n) {
        let products = (0..n - lag).flat_map(|i| standard.row(i).iter().zip(standard.row(i + lag)).map(|(a, b)| a * b));
        let rho = products.sum::<f64>() / (n * dim) as f64;
        if rho < ENDED {
            break;
        }
        found.push(rho);
    }
    // The mean is that of the same rows, which takes away what all of them have in common.
    let lost = (1.0 + 2.0 * found.iter().sum::<f64>()) / n as f64;
    found.iter().map(|rho| (rho + (1.0 - rho) * lost).min(1.0)).collect()
}

/// Rows, columns and lags that are looked at to see whether rows are in the order of time.
const LOOKED_AT: (usize, usize, usize) = (20_000, 20, 8);
/// From this number of rows for a sample on, rows are not independent; independent rows have 1.0.
const ALIKE: f64 = 1.5;

/// Whether rows resemble the rows before them on both sides, as in two series, of which then independent ones seem to share information.
pub fn are_series(x: &Samples, y: &Samples) -> bool {
    let (rows, columns, lags) = LOOKED_AT;
    let first: Vec<usize> = (0..x.len().min(rows)).collect();
    let some = |side: &Samples| -> Vec<f64> {
        let side = side.take(&first).standardized();
        let (n, dim) = (side.len(), side.dim().min(columns));
        let product = |i: usize, lag: usize| (0..dim).map(|j| side.row(i)[j] * side.row(i + lag)[j]).sum::<f64>();
        let rho = |lag| (0..n.saturating_sub(lag)).map(|i| product(i, lag)).sum::<f64>() / (n * dim.max(1)) as f64;
        (1..=lags).map(rho).take_while(|rho| *rho >= ENDED).collect()
    };
    let (x, y) = (some(x), some(y));
    1.0 + 2.0 * x.iter().zip(&y).map(|(x, y)| x * y).sum::<f64>() > ALIKE
}

/// The variance of the mean of values in the order of time, whose neighbors are correlated: Newey and West (1987, *A simple, positive
/// semi-definite, heteroskedasticity and autocorrelation consistent covariance matrix*), with lags up to the end of their autocorrelation.
pub fn variance_of_mean(values: &[f64]) -> f64 {
    let n = values.len();
    let mean = values.iter().sum::<f64>() / n.max(1) as f64;
    let centered: Vec<f64> = values.iter().map(|v| v - mean).collect();
    let covariance = |lag: usize| centered[lag..].iter().zip(&centered).map(|(a, b)| a * b).sum::<f64>() / n as f64;
    let own = covariance(0);
    let mut lags = Vec::new();
    for lag in 1..n / 4 {
        let next = covariance(lag);
        if next < ENDED * own {
            break;
        }
        lags.push(next);
    }
    let reach = 2.0 * lags.len() as f64 + 1.0;
    let sum: f64 = lags.iter().enumerate().map(|(i, c)| 2.0 * (1.0 - (i + 1) as f64 / reach) * c).sum();
    (own + sum) / (n.max(2) - 1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::stream;

    #[test]
    fn series_are_told_from_independent_rows() {
        let of = |rho, index| Samples::new(ar(500, rho, index), 1).unwrap();
        assert!(are_series(&of(0.95, 20), &of(0.95, 21)) && are_series(&of(0.7, 22), &of(0.7, 23)));
        // One series beside independent rows shares nothing by drifting.
        assert!(!are_series(&of(0.95, 24), &of(0.0, 25)));
        assert!((30..70).step_by(2).all(|i| !are_series(&of(0.0, i), &of(0.0, i + 1))));
    }

    fn ar(n: usize, rho: f64, index: u64) -> Vec<f64> {
        let mut rng = stream(5, "series", index);
        let mut value = 0.0;
        (0..n + 300)
            .map(|_| {
                value = rho * value + rng.normal64();
                value
            })
            .skip(300)
            .collect()
    }

    #[test]
    fn rows_of_slow_series_count_for_less() {
        for (rho, expected) in [(0.0, 1.0), (0.8, 1.64 / 0.36), (0.95, 1.9025 / 0.0975)] {
            let of = |i| Samples::new(ar(500, rho, i), 1).unwrap();
            let mean = (0..40).map(|i| rows_for_a_sample(&of(2 * i), &of(2 * i + 1))).sum::<f64>() / 40.0;
            assert!((mean / expected - 1.0).abs() < 0.25, "{rho}: {mean} {expected}");
        }
    }

    #[test]
    fn the_mean_of_a_slow_series_varies_more() {
        // (1 + rho) / (1 - rho) times the variance of independent values.
        let ratio = |rho: f64| {
            let of = |i| {
                let values = ar(1000, rho, i);
                let variance = values.iter().map(|v| v * v).sum::<f64>() / 1000.0;
                variance_of_mean(&values) / (variance / 1000.0)
            };
            (0..20).map(of).sum::<f64>() / 20.0
        };
        assert!(
            (ratio(0.0) - 1.0).abs() < 0.2 && (ratio(0.8) / 9.0 - 1.0).abs() < 0.4,
            "{} {}",
            ratio(0.0),
            ratio(0.8)
        );
    }
}
