//! Which rows are for training, which for stopping the training, and which for evaluation.
//!
//! Each of K folds evaluates a critic that was trained on all other folds except one, and stopped by that one. So every row is evaluated
//! once, by a critic that has not seen it, and no row is evaluated by a critic that it helped to choose. With one fold, a fifth of the rows is
//! evaluated.

use crate::error::{Error, Result};
use crate::mi::neural::fit::{CurvePoint, Fitted, fit};
use crate::mi::neural::scores::{HeldOutRows, valued};
use crate::mi::neural::training::Training;
use crate::mi::parallel::in_parallel;
use crate::mi::permutation::shuffled;
use crate::objective::Bound;
use crate::seed::stream;

/// How rows are assigned to folds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protocol {
    /// The number of folds of cross-fitting, 3 or more; 1 is a single split into three, one and one fifths.
    pub folds: usize,
    /// Whether folds are runs of consecutive rows, for series whose neighboring rows are correlated.
    pub blocked: bool,
    /// The seed of the assignment.
    pub seed: u64,
}

impl Protocol {
    /// The rows of each fold.
    ///
    /// # Errors
    /// There are fewer than four rows per fold, or two folds.
    pub fn folds(&self, n: usize) -> Result<Vec<Vec<u32>>> {
        let folds = if self.folds == 1 { 5 } else { self.folds };
        if folds < 3 {
            return Err(Error::usage("2 folds leave no rows to stop the training by", "use 1, or 3 or more"));
        }
        if n < 4 * folds {
            let what = format!("{n} rows are too few to train a critic with {folds} folds");
            return Err(Error::failed(what, "give more rows, or choose ksg or copula"));
        }
        let order = match self.blocked {
            true => (0..n).collect(),
            false => shuffled(n, &mut stream(self.seed, "mi/folds", 0)),
        };
        Ok((0..folds).map(|k| order[n * k / folds..n * (k + 1) / folds].iter().map(|&i| i as u32).collect()).collect())
    }

    /// The rows for training, for stopping and for evaluation, for each fold that is evaluated.
    ///
    /// # Errors
    /// The errors of [`Protocol::folds`].
    pub fn parts(&self, n: usize) -> Result<Vec<[Vec<u32>; 3]>> {
        let folds = self.folds(n)?;
        let k = folds.len();
        let part = |test: usize| {
            let valid = (test + 1) % k;
            let train = (0..k).filter(|&f| f != test && f != valid).flat_map(|f| folds[f].iter().copied()).collect();
            [train, folds[valid].clone(), folds[test].clone()]
        };
        Ok((0..if self.folds == 1 { 1 } else { k }).map(part).collect())
    }
}

/// The result of cross-fitting.
#[derive(Debug, Clone)]
pub struct Crossed {
    /// The bound on held-out rows, used for neither training nor stopping, in nats: the mean over rows.
    pub value: f64,
    /// The index of each evaluated row and its contribution; the mean of the contributions is the value.
    pub parts: Vec<(u32, f64)>,
    /// The index of each evaluated row and its pointwise mutual information: T(x, y) - log mean e^T(x', y) over x' of its block.
    pub pointwise: Vec<(u32, f64)>,
    /// The bound on training rows, at the point where training was stopped: the mean over folds.
    pub train: f64,
    /// The bound on the rows that stopped the training.
    pub valid: f64,
    /// The number of folds that were still improving at the last step.
    pub rising: usize,
    /// The number of pairs that a joint pair was compared with in the evaluation.
    pub others: usize,
    /// The training of each fold.
    pub curves: Vec<Vec<CurvePoint>>,
}

/// Trains a critic for each fold of the rows `0..n`. `data` prepares the critic's input, given the training rows.
///
/// # Errors
/// The errors of [`Protocol::parts`], [`fit`] and `data`.
pub fn cross_fit(
    n: usize,
    protocol: Protocol,
    training: &Training,
    data: impl Fn(&[u32]) -> Result<HeldOutRows> + Sync,
) -> Result<Crossed> {
    let parts = protocol.parts(n)?;
    let job = |k: usize| {
        let [train, valid, test] = &parts[k];
        let rows = data(train)?;
        // Folds start from different weights, so that they do not all share an unlucky start.
        let fitted =
            fit(&rows, train, valid, &Training { seed: training.seed.wrapping_add(k as u64), ..training.clone() })?;
        let (scores, baseline) = fitted.scores(&rows, test, valued(training.critic))?;
        let contributions = training.bound.contributions(&scores, baseline.as_ref())?;
        let pointwise = Bound::InfoNce.contributions(&scores, None)?;
        Ok((fitted, contributions, pointwise, scores.dim(1)? - 1))
    };
    let found = in_parallel(parts.len(), job, |_| {})?;
    let mean = |f: &dyn Fn(&Fitted) -> f64| found.iter().map(|f1| f(&f1.0)).sum::<f64>() / found.len() as f64;
    let (mut all, mut pointwise) = (Vec::new(), Vec::new());
    for ([_, _, test], (_, values, points, _)) in parts.iter().zip(&found) {
        all.extend(test.iter().copied().zip(values.iter().copied()));
        pointwise.extend(test.iter().copied().zip(points.iter().copied()));
    }
    all.sort_unstable_by_key(|part| part.0);
    pointwise.sort_unstable_by_key(|part| part.0);
    Ok(Crossed {
        value: all.iter().map(|part| part.1).sum::<f64>() / all.len() as f64,
        parts: all,
        pointwise,
        train: mean(&|f| f.best().train),
        valid: mean(&|f| f.best().valid),
        rising: found.iter().filter(|f| f.0.rising(training)).count(),
        others: found.iter().map(|f| f.3).min().unwrap_or(0),
        curves: found.into_iter().map(|f| f.0.curve).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mi::fixtures;
    use crate::nn::CriticKind;
    use crate::objective::Bound;

    fn run(bound: Bound, critic: CriticKind, rho: f64, threads: usize) -> Crossed {
        let (x, y) = fixtures::normal(600, 1, rho, 5);
        let training = Training { steps: 250, ..Training::new(bound, critic, 3) };
        let protocol = Protocol { folds: 3, blocked: false, seed: 1 };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| cross_fit(600, protocol, &training, |_| HeldOutRows::new(&x, &y, None)).unwrap())
    }

    #[test]
    fn every_row_is_valued_once_by_what_has_not_seen_it() {
        for blocked in [false, true] {
            let protocol = Protocol { folds: 5, blocked, seed: 2 };
            let parts = protocol.parts(103).unwrap();
            let mut valued: Vec<u32> = parts.iter().flat_map(|p| p[2].iter().copied()).collect();
            valued.sort_unstable();
            assert_eq!(valued, (0..103).collect::<Vec<_>>());
            for [train, valid, test] in &parts {
                assert_eq!(train.len() + valid.len() + test.len(), 103);
                assert!(train.iter().chain(valid).all(|row| !test.contains(row)));
                assert!(train.iter().all(|row| !valid.contains(row)));
            }
            assert_eq!(parts[0][2].windows(2).all(|w| w[1] == w[0] + 1), blocked);
            let single = Protocol { folds: 1, blocked, seed: 2 }.parts(100).unwrap();
            assert_eq!(single.len(), 1);
            assert_eq!(single[0].each_ref().map(Vec::len), [60, 20, 20]);
        }
        let refused = |folds, n| Protocol { folds, blocked: false, seed: 0 }.parts(n).unwrap_err();
        assert_eq!(refused(2, 100).exit_code(), 2);
        assert!(refused(5, 19).to_string().contains("too few"));
    }

    #[test]
    fn bounds_of_normal_pairs_come_near_the_truth_and_not_above_it() {
        let truth = -0.5 * (1.0 - 0.81f64).ln(); // 0.8304
        for (bound, critic) in [
            (Bound::InfoNce, CriticKind::Separable),
            (Bound::InfoNce, CriticKind::Joint),
            (Bound::Mine { rate: 0.01 }, CriticKind::Separable),
            (Bound::Nwj, CriticKind::Separable),
            (Bound::Tuba, CriticKind::Separable),
            (Bound::Alpha { alpha: 0.5 }, CriticKind::Separable),
            (Bound::Smile { clip: 5.0 }, CriticKind::Separable),
        ] {
            let found = run(bound, critic, 0.9, 2);
            // 600 rows have a standard error of 0.9 / sqrt(600) = 0.04.
            assert!((truth - 0.2..truth + 0.1).contains(&found.value), "{bound} {critic}: {} {truth}", found.value);
            assert_eq!((found.parts.len(), found.pointwise.len()), (600, 600));
        }
        for bound in [Bound::Club, Bound::LeaveOneOut] {
            let found = run(bound, CriticKind::Density, 0.9, 2);
            assert!(found.value > truth - 0.1, "{bound}: {}", found.value);
        }
    }

    #[test]
    fn independent_pairs_have_nothing_and_the_value_repeats_for_any_number_of_threads() {
        let (one, three) =
            (run(Bound::InfoNce, CriticKind::Separable, 0.0, 1), run(Bound::InfoNce, CriticKind::Separable, 0.0, 3));
        assert_eq!(one.value, three.value);
        assert!(one.value.abs() < 0.03, "{}", one.value);
    }
}
