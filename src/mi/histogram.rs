//! Mutual information of two single columns, from a histogram with equally filled bins.
//!
//! Binning loses information, so the value is too low where dependence is sharp. Few samples per cell make it too high, which the
//! Miller-Madow correction repairs in part. It serves for comparison, and for columns that are already discrete.
//! [`ksg()`](super::neighbors::ksg()) has less of both errors.

use crate::error::{Error, Result};
use crate::mi::discrete::{Column, Counts, Estimator, Variable};
use crate::mi::samples::Samples;

/// The number of bins of each column for `n` rows, chosen so that a cell of independent columns holds five rows (Cochran's rule for tables).
pub fn bins(n: usize) -> usize {
    (((n / 5) as f64).sqrt() as usize).max(2)
}

/// Mutual information of X (n, 1) and Y (n, 1) from `bins` bins of each, in nats, with the Miller-Madow correction.
///
/// Rows with equal values share a bin, so a column with few distinct values has fewer bins.
///
/// # Errors
/// X or Y has several columns, they differ in length, or there are fewer than 2 bins.
pub fn histogram(x: &Samples, y: &Samples, bins: usize) -> Result<f64> {
    x.check_pairs(y)?;
    if x.dim() != 1 || y.dim() != 1 {
        let what = format!("a histogram of {} + {} columns would be nearly empty", x.dim(), y.dim());
        return Err(Error::usage(what, "give one column of X and one of Y, or choose another estimator"));
    }
    if bins < 2 {
        return Err(Error::usage(format!("a histogram needs 2 bins or more, not {bins}"), "use 2 or more"));
    }
    Counts::of_columns(&[column("X", x, bins), column("Y", y, bins)])?.mutual_information(
        &[0],
        &[1],
        Estimator::MillerMadow,
    )
}

/// The bin of each row: its rank, or the rank of the first row with the same value, divided into `bins` equal parts.
fn column(name: &str, samples: &Samples, bins: usize) -> Column {
    let (values, n) = (samples.values(), samples.len());
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_unstable_by(|&a, &b| values[a].total_cmp(&values[b]));
    let (mut codes, mut first) = (vec![0; n], 0);
    for (rank, &row) in order.iter().enumerate() {
        if values[row] != values[order[first]] {
            first = rank;
        }
        codes[row] = (first as u128 * bins as u128 / n as u128) as u32;
    }
    Column { variable: Variable::numbered(name, bins), codes }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::stream;

    fn normal(n: usize, rho: f64) -> (Samples, Samples) {
        let mut rng = stream(2, "histogram", 0);
        let pair = |_| {
            let (a, b) = (f64::from(rng.normal()), f64::from(rng.normal()));
            (a, rho * a + (1.0 - rho * rho).sqrt() * b)
        };
        let (x, y): (Vec<f64>, Vec<f64>) = (0..n).map(pair).unzip();
        (Samples::new(x, 1).unwrap(), Samples::new(y, 1).unwrap())
    }

    #[test]
    fn bins_are_equally_filled_and_equal_values_share_one() {
        let samples = Samples::new(vec![5.0, 1.0, 1.0, 1.0, 9.0, 7.0, 8.0, 6.0], 1).unwrap();
        assert_eq!(column("X", &samples, 4).codes, [1, 0, 0, 0, 3, 2, 3, 2]);
    }

    #[test]
    fn normal_columns_come_within_what_bins_can_tell() {
        for rho in [0.0f64, 0.6] {
            let (x, y) = normal(5000, rho);
            let mi = histogram(&x, &y, bins(5000)).unwrap();
            assert!((mi + 0.5 * (1.0 - rho * rho).ln()).abs() < 0.05, "{rho}: {mi}");
        }
    }

    #[test]
    fn it_does_not_change_where_values_are_stretched() {
        let (x, y) = normal(500, 0.8);
        let stretched = Samples::new(x.values().iter().map(|v| v.exp()).collect(), 1).unwrap();
        assert_eq!(histogram(&x, &y, 10).unwrap(), histogram(&stretched, &y, 10).unwrap());
    }

    #[test]
    fn several_columns_and_one_bin_are_refused() {
        let (x, y) = normal(10, 0.0);
        let e = histogram(&x.beside(&y).unwrap(), &y, 3).unwrap_err();
        assert_eq!(e.to_string(), "a histogram of 2 + 1 columns would be nearly empty");
        assert_eq!(histogram(&x, &y, 1).unwrap_err().exit_code(), 2);
    }
}
