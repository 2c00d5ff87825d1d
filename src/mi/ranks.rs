//! Ranks in place of values, which do not change when a column is stretched.
//!
//! Mutual information does not change under strictly increasing maps of single columns, but almost every estimator does. Columns whose values
//! are replaced by the normal scores of their ranks are standard normal, whatever their original distribution. Heavy tails, odd units and
//! logarithms no longer matter; only the copula remains.

use crate::error::Result;
use crate::mi::samples::Samples;
use statrs::distribution::{ContinuousCDF, Normal};

/// The rank of each value within its column, from 0. Equal values share the mean of their ranks, so ranks are multiples of 1/2.
pub fn ranks(samples: &Samples) -> Result<Samples> {
    let (n, dim) = (samples.len(), samples.dim());
    let mut values = vec![0.0; n * dim];
    for j in 0..dim {
        let at = |row: usize| samples.row(row)[j];
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_unstable_by(|&a, &b| at(a).total_cmp(&at(b)));
        let mut first = 0;
        while first < n {
            // 0 and -0 are equal, although they differ in the total order.
            let last = (first..n).take_while(|&i| at(order[i]) == at(order[first])).last().unwrap_or(first);
            for &row in &order[first..=last] {
                values[row * dim + j] = (first + last) as f64 / 2.0;
            }
            first = last + 1;
        }
    }
    Samples::new(values, dim)
}

/// The fraction of a distribution below a rank among `n` rows: (rank + 1/2) / n.
pub fn share(rank: f64, n: usize) -> f64 {
    (rank + 0.5) / n as f64
}

/// Each column's values replaced by the standard normal quantiles of their ranks; a constant column becomes 0.
///
/// # Errors
/// None, because samples are finite numbers.
pub fn normal_scores(samples: &Samples) -> Result<Samples> {
    let normal = Normal::standard();
    let n = samples.len();
    let table: Vec<f64> = (0..2 * n).map(|i| normal.inverse_cdf(share(i as f64 / 2.0, n))).collect();
    by_rank(&ranks(samples)?, &table)
}

/// Each rank replaced by the entry of `table` at twice the rank.
pub(super) fn by_rank(ranks: &Samples, table: &[f64]) -> Result<Samples> {
    let values = ranks.values().iter().map(|rank| table.get((2.0 * rank) as usize).copied().unwrap_or_default());
    Samples::new(values.collect(), ranks.dim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_share_a_rank_and_stretching_changes_nothing() {
        let s = Samples::new(vec![3.0, -0.0, 1.0, 0.0, 9.0, 3.0], 1).unwrap();
        assert_eq!(ranks(&s).unwrap().values(), [3.5, 0.5, 2.0, 0.5, 5.0, 3.5]);
        let stretched = Samples::new(s.values().iter().map(|v| v.exp()).collect(), 1).unwrap();
        assert_eq!(normal_scores(&s).unwrap(), normal_scores(&stretched).unwrap());
    }

    #[test]
    fn scores_are_standard_normal_by_column_and_a_constant_is_0() {
        let s = Samples::new((0..1000).flat_map(|i| [f64::from((i * 617) % 1000).powi(3), 5.0]).collect(), 2).unwrap();
        let scores = normal_scores(&s).unwrap();
        let square = scores.values().iter().step_by(2).map(|v| v * v).sum::<f64>() / 1000.0;
        assert!((square - 1.0).abs() < 0.01, "{square}");
        assert!(scores.values().iter().skip(1).step_by(2).all(|&v| v.abs() < 1e-9));
        // scipy.stats.norm.ppf(0.0005)
        let least = scores.values().iter().copied().fold(0.0, f64::min);
        assert!((least + 3.290_526_731_491_9).abs() < 1e-9, "{least}");
    }
}
