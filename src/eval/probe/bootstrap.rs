//! A 95 % confidence interval of an accuracy, by bootstrap over utterances (Efron and Tibshirani, *An Introduction to the Bootstrap*,
//! chapter 13).
//!
//! The frames of one utterance tend to be classified correctly or misclassified together, so utterances are resampled, not frames: an
//! interval over frames would be several times too narrow.

use crate::seed::stream;

/// Number of times the test utterances are resampled.
pub const DRAWS: usize = 2000;

/// The interval between the 2.5th and the 97.5th percentile of the accuracy over samples of utterances drawn with replacement.
///
/// `utterances` holds, for each utterance, the number of correctly classified rows and of all rows. None if fewer than two utterances
/// have rows.
pub fn interval(utterances: &[(u64, u64)], seed: u64) -> Option<[f64; 2]> {
    let n = utterances.iter().filter(|u| u.1 > 0).count();
    if n < 2 {
        return None;
    }
    let mut accuracies: Vec<f64> = (0..DRAWS as u64)
        .map(|draw| {
            let mut rng = stream(seed, "probe/bootstrap", draw);
            let (mut right, mut rows) = (0, 0);
            while rows == 0 {
                for _ in 0..utterances.len() {
                    let drawn = utterances[rng.below(utterances.len() as u32) as usize];
                    right += drawn.0;
                    rows += drawn.1;
                }
            }
            right as f64 / rows as f64
        })
        .collect();
    accuracies.sort_by(f64::total_cmp);
    let percentile = |q: f64| {
        let at = q * (DRAWS - 1) as f64;
        let (low, part) = (at.floor() as usize, at.fract());
        accuracies[low] + part * (accuracies[(low + 1).min(DRAWS - 1)] - accuracies[low])
    };
    Some([percentile(0.025), percentile(0.975)])
}

/// The interval of a figure over samples of `n` units drawn with replacement, `draws` times. `figure` is of the numbers of the units that were
/// drawn, and `None` where it is not defined. None of fewer than two units. `purpose` names the random stream.
pub fn interval_of(
    n: usize,
    draws: u64,
    purpose: &str,
    seed: u64,
    figure: impl Fn(&[usize]) -> Option<f64>,
) -> Option<[f64; 2]> {
    if n < 2 {
        return None;
    }
    let drawn = |draw: u64| {
        let mut rng = stream(seed, purpose, draw);
        figure(&(0..n).map(|_| rng.below(n as u32) as usize).collect::<Vec<_>>())
    };
    let mut values: Vec<f64> = (0..draws).filter_map(drawn).collect();
    values.sort_by(f64::total_cmp);
    let at = |q: f64| values.get((q * values.len().saturating_sub(1) as f64).round() as usize).copied();
    at(0.025).zip(at(0.975)).map(|(low, high)| [low, high])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn independent_utterances_of_one_row_give_the_binomial_interval() {
        // 0.7 +- 1.96 sqrt(0.7 * 0.3 / 400) = 0.655 to 0.745.
        let utterances: Vec<(u64, u64)> = (0..400).map(|i| (u64::from(i % 10 < 7), 1)).collect();
        let [low, high] = interval(&utterances, 3).unwrap();
        assert!((low - 0.655).abs() < 0.006 && (high - 0.745).abs() < 0.006, "{low} {high}");
        assert_eq!(interval(&utterances, 3), interval(&utterances, 3));
    }

    #[test]
    fn rows_that_go_together_widen_it_and_one_utterance_has_none() {
        let rows: Vec<(u64, u64)> = (0..40).map(|i| (if i % 10 < 7 { 50 } else { 0 }, 50)).collect();
        let [low, high] = interval(&rows, 3).unwrap();
        assert!(high - low > 0.25, "{low} {high}");
        assert_eq!(interval(&[(3, 4)], 1), None);
        assert_eq!(interval(&[(3, 4), (0, 0)], 1), None);
    }
}
