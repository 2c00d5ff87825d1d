//! Breaking ties between equal values, for estimators whose equations require that no two distances are equal.
//!
//! Kraskov et al. (2004, section II.C) add a little noise. It must be small. Noise within the smallest gap of a column can be undone, so the
//! mutual information is the same, and the result is correct for samples rounded to a grid, however coarse. Counting all
//! rows at an equal distance instead is not correct. For 1,000 independent normal pairs rounded to tenths, with k = 3, it gives
//! 0.7 nats, the rule of Gao et al. (2017) 0.9, and noise 0.01.

use crate::mi::samples::Samples;
use crate::seed::stream;
use std::borrow::Cow;

/// The noise, as a fraction of the smallest gap between two values of a column.
const PART: f64 = 1e-3;
/// The smallest noise, as a fraction of the largest value: enough to distinguish many values in a 53-bit number.
const LEAST: f64 = 1e-12;

/// `samples` with noise on every value that occurs more than once in its column, and the number of rows that got noise.
///
/// A constant column does not distinguish rows and is left unchanged. `name` is the name of the random stream.
pub(super) fn spread<'s>(samples: &'s Samples, seed: u64, name: &str) -> (Cow<'s, Samples>, usize) {
    let (n, dim) = (samples.len(), samples.dim());
    let mut values: Option<Vec<f64>> = None;
    let mut touched = vec![false; n];
    for j in 0..dim {
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_unstable_by(|&a, &b| samples.row(a)[j].total_cmp(&samples.row(b)[j]).then(a.cmp(&b)));
        let at = |i: usize| samples.row(order[i])[j];
        let gap = (1..n).map(|i| at(i) - at(i - 1)).filter(|&gap| gap > 0.0).fold(f64::INFINITY, f64::min);
        if gap == f64::INFINITY {
            continue;
        }
        let size = (gap * PART).max(at(0).abs().max(at(n - 1).abs()) * LEAST);
        let mut rng = stream(seed, name, j as u64);
        for i in 0..n {
            if (i > 0 && at(i) == at(i - 1)) || (i + 1 < n && at(i) == at(i + 1)) {
                let unit = rng.next_u64() as f64 / u64::MAX as f64 - 0.5;
                values.get_or_insert_with(|| samples.values().to_vec())[order[i] * dim + j] += size * unit;
                touched[order[i]] = true;
            }
        }
    }
    let spread = values.and_then(|values| Samples::new(values, dim).ok());
    (spread.map_or(Cow::Borrowed(samples), Cow::Owned), touched.into_iter().filter(|t| *t).count())
}

/// The number of rows that have an exact copy among the others.
pub(super) fn copies(samples: &Samples) -> usize {
    let mut order: Vec<usize> = (0..samples.len()).collect();
    let compare = |a: &usize, b: &usize| {
        let pairs = samples.row(*a).iter().zip(samples.row(*b));
        pairs.map(|(a, b)| a.total_cmp(b)).find(|o| o.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
    };
    order.sort_unstable_by(compare);
    order.chunk_by(|a, b| compare(a, b).is_eq()).map(<[usize]>::len).filter(|&size| size > 1).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_values_that_repeat_get_noise_and_it_can_be_rounded_away() {
        let samples = Samples::new(vec![1.0, 7.0, 1.0, 7.0, 3.0, 7.0, 3.5, 7.0, 3.0, 7.0], 2).unwrap();
        let (spread, touched) = spread(&samples, 1, "test");
        assert_eq!(touched, 4);
        assert_eq!(spread.row(3), [3.5, 7.0]);
        let first: Vec<f64> = (0..5).map(|i| spread.row(i)[0]).collect();
        assert!(first[0] != first[1] && first[2] != first[4], "{first:?}");
        let rounded: Vec<f64> = first.iter().map(|v| (v * 2.0).round() / 2.0).collect();
        assert_eq!(rounded, [1.0, 1.0, 3.0, 3.5, 3.0]);
        assert!((0..5).all(|i| spread.row(i)[1] == 7.0), "the constant column stays");
    }

    #[test]
    fn samples_without_repeats_are_not_touched() {
        let samples = Samples::new(vec![1.0, 2.0, 4.0], 1).unwrap();
        let (same, touched) = spread(&samples, 1, "test");
        assert!(matches!(same, Cow::Borrowed(_)) && touched == 0);
    }

    #[test]
    fn values_near_the_limit_of_precision_are_told_apart_too() {
        let samples = Samples::new(vec![1e9, 1e9, 1e9, 1e9 + 1e-6], 1).unwrap();
        let (spread, _) = spread(&samples, 1, "test");
        assert_eq!(copies(&spread), 0, "{spread:?}");
    }

    #[test]
    fn copies_are_rows_equal_in_every_column() {
        let samples = Samples::new(vec![1.0, 2.0, 1.0, 3.0, 1.0, 2.0, 0.0, 0.0, 1.0, 2.0], 2).unwrap();
        assert_eq!(copies(&samples), 3);
    }
}
