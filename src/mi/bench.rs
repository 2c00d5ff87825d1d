//! Estimators on tasks whose mutual information is known: the benchmark of Czyz et al. 2023.

use crate::error::Result;
use crate::mi::estimate::{Estimator, Settings, estimate};
use crate::mi::neural::Protocol;
use crate::mi::parallel::in_parallel;
use crate::mi::tasks::BenchTask;
use crate::mi::variable::Variable;
use std::time::Instant;

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
    /// The method, in words.
    pub method: String,
    /// Seconds on one thread.
    pub seconds: f64,
}

/// Runs every estimator on `n` rows of every task with every seed, several at a time. `done` is called after each run.
///
/// All tasks use the same settings. A run that ends in an error is kept as an error.
///
/// # Errors
/// Threads cannot be started.
pub fn bench(
    tasks: &[BenchTask],
    estimators: &[Estimator],
    n: usize,
    seeds: &[u64],
    done: impl Fn() + Sync,
) -> Result<Vec<Run>> {
    let each = seeds.len() * estimators.len();
    let job = |i: usize| {
        let (task, seed, estimator) = (i / each, seeds[i % each / estimators.len()], i % estimators.len());
        let (x, y) = tasks[task].sample(n, seed)?;
        let settings = Settings { protocol: Protocol { folds: 5, blocked: false, seed }, seed, ..Settings::default() };
        let began = Instant::now();
        let found = estimate(&Variable::Numbers(x), &Variable::Numbers(y), estimators[estimator], &settings);
        let seconds = began.elapsed().as_secs_f64();
        let (nats, method) = match found {
            Ok(found) => (Ok(found.nats), found.method),
            Err(e) => (Err(e.to_string()), String::new()),
        };
        Ok(Run { task, estimator, seed, nats, method, seconds })
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
    /// The total seconds of all runs, on one thread each.
    pub seconds: f64,
}

/// The score of the estimator with this index, over all tasks or over one.
pub fn score(runs: &[Run], tasks: &[BenchTask], estimator: usize, task: Option<usize>) -> Score {
    let mine = || runs.iter().filter(move |r| r.estimator == estimator && task.is_none_or(|task| r.task == task));
    let error = |run: &Run| run.nats.as_ref().map_or(f64::INFINITY, |nats| (nats - tasks[run.task].truth()).abs());
    Score {
        mean_absolute_error: mine().map(error).sum::<f64>() / mine().count() as f64,
        failed: mine().filter(|r| r.nats.is_err()).count(),
        seconds: mine().map(|r| r.seconds).sum(),
    }
}
