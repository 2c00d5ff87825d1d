//! Estimators on problems whose mutual information is known.

use crate::error::Result;
use crate::mi::estimate::{Estimator, Settings, conditional, estimate};
use crate::mi::interval::NORMAL;
use crate::mi::neural::Protocol;
use crate::mi::parallel::in_parallel;
use crate::mi::tasks::{Drawn, Problem};
use std::time::Instant;

/// An error in nats that deserves a warning.
pub const SILENT: f64 = 0.1;
/// The distance of the seed of the other sample of independent X and Y.
const OTHER: u64 = 1 << 32;

/// One estimate of one task.
#[derive(Debug, Clone)]
pub struct Run {
    /// The index of the task among those that were run.
    pub task: usize,
    /// The index of the estimator among those that were run.
    pub estimator: usize,
    /// The seed of the samples and of the estimator.
    pub seed: u64,
    /// The estimate in nats, or the reason why there is none.
    pub nats: std::result::Result<f64, String>,
    /// Its 95 % interval.
    pub ci95: Option<[f64; 2]>,
    /// The method, in words.
    pub method: String,
    /// Whether there was a warning, or an error.
    pub warned: bool,
    /// Seconds on one thread.
    pub seconds: f64,
}

/// Runs every estimator on `n` rows of every task with every seed, several at a time. `done` is called after each run.
///
/// All tasks use the same settings. A run that ends in an error is kept as an error. With `independent`, X and Y are of two samples: they share nothing.
///
/// # Errors
/// Threads cannot be started.
pub fn bench(
    tasks: &[Problem],
    estimators: &[Estimator],
    n: usize,
    seeds: &[u64],
    independent: bool,
    done: impl Fn() + Sync,
) -> Result<Vec<Run>> {
    let each = seeds.len() * estimators.len();
    let job = |i: usize| {
        let (task, seed, estimator) = (i / each, seeds[i % each / estimators.len()], i % estimators.len());
        let mut drawn = tasks[task].sample(n, seed)?;
        if independent {
            drawn = Drawn { x: drawn.x, ..tasks[task].sample(n, seed.wrapping_add(OTHER))? };
        }
        let settings = Settings { protocol: Protocol { folds: 5, blocked: false, seed }, seed, ..Settings::default() };
        let began = Instant::now();
        let (x, y, by) = (&drawn.x, &drawn.y, estimators[estimator]);
        let found = match &drawn.z {
            Some(z) => conditional(x, y, z, by, &settings),
            None => estimate(x, y, by, &settings),
        };
        let seconds = began.elapsed().as_secs_f64();
        let (nats, ci95, method, warned) = match found {
            Ok(found) => (Ok(found.nats), found.ci95, found.method, !found.warnings.is_empty()),
            Err(e) => (Err(e.to_string()), None, String::new(), true),
        };
        Ok(Run { task, estimator, seed, nats, ci95, method, warned, seconds })
    };
    in_parallel(tasks.len() * each, job, |_| done())
}

/// The summary of an estimator's runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// The mean of |estimate - truth| over all runs, in nats; infinite if a run had no estimate.
    pub mean_absolute_error: f64,
    /// The number of runs without an estimate.
    pub failed: usize,
    /// The number of runs that are off by more than [`SILENT`] without a warning.
    pub silent: usize,
    /// The total seconds of all runs, on one thread each.
    pub seconds: f64,
}

/// The score of the estimator with this index, over all tasks or over one.
pub fn score(runs: &[Run], tasks: &[Problem], estimator: usize, task: Option<usize>) -> Score {
    let mine = || runs.iter().filter(move |r| r.estimator == estimator && task.is_none_or(|task| r.task == task));
    let error = |run: &Run| run.nats.as_ref().map_or(f64::INFINITY, |nats| (nats - tasks[run.task].truth()).abs());
    Score {
        mean_absolute_error: mine().map(error).sum::<f64>() / mine().count() as f64,
        failed: mine().filter(|r| r.nats.is_err()).count(),
        silent: mine().filter(|r| !r.warned && error(r) > SILENT).count(),
        seconds: mine().map(|r| r.seconds).sum(),
    }
}

/// How well intervals say how much estimates vary.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Coverage {
    /// The mean of the estimates in nats.
    pub mean: f64,
    /// Their standard deviation from sample to sample, in nats.
    pub deviation: f64,
    /// The standard deviation that the intervals claim: half their mean width over 1.96, in nats.
    pub claimed: f64,
    /// The number of intervals that hold the truth.
    pub held: usize,
    /// The number of intervals that hold the mean of the estimates: how often they would hold the truth if there were no bias.
    pub held_mean: usize,
    /// The number of runs with an estimate and an interval.
    pub runs: usize,
}

/// The coverage of an estimator's intervals on a task whose information is `truth`.
pub fn coverage(runs: &[Run], estimator: usize, task: usize, truth: f64) -> Coverage {
    let mine = runs.iter().filter(|run| run.estimator == estimator && run.task == task);
    let found: Vec<(f64, [f64; 2])> = mine.filter_map(|run| Some((*run.nats.as_ref().ok()?, run.ci95?))).collect();
    let n = found.len() as f64;
    let mean = found.iter().map(|(nats, _)| nats).sum::<f64>() / n;
    let held = |value: f64| found.iter().filter(|(_, [low, high])| *low <= value && value <= *high).count();
    Coverage {
        mean,
        deviation: (found.iter().map(|(nats, _)| (nats - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt(),
        claimed: found.iter().map(|(_, [low, high])| (high - low) / (2.0 * NORMAL)).sum::<f64>() / n,
        held: held(truth),
        held_mean: held(mean),
        runs: found.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mi::tasks::Suite;

    #[test]
    fn intervals_of_a_linear_estimator_hold_the_truth_and_0_for_independent_samples() {
        let task: Vec<Problem> =
            Suite::BeyondNormal.problems().into_iter().filter(|t| t.name() == "1v1-normal-0.75").collect();
        let seeds: Vec<u64> = (1..=40).collect();
        for (independent, truth) in [(false, task[0].truth()), (true, 0.0)] {
            let runs = bench(&task, &[Estimator::Cca], 300, &seeds, independent, || {}).unwrap();
            let found = coverage(&runs, 0, 0, truth);
            assert!((found.mean - truth).abs() < 0.03 && found.runs == 40 && found.held >= 34, "{found:?}");
            assert!((0.6..2.5).contains(&(found.claimed / found.deviation)), "{found:?}");
        }
    }
}
