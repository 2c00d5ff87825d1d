//! The l2 penalty, chosen on a part of the training utterances.
//!
//! At most about [`SAMPLE`] rows of the training utterances are sampled (whole utterances, drawn by seed), and a fifth of these utterances
//! is held out. On the others a classifier is trained with each penalty of [`GRID`], strongest first, each started from the parameters
//! of the one before, until the mean held-out loss has failed to improve twice in a row; then with three times and a third of the best
//! penalty. The penalty with the lowest held-out loss is used with all training rows. It is added to the *sum* of the losses (a prior on
//! the weights), so that it means the same for any number of rows.
//!
//! The sample bounds the time: the search takes about as long as the training that follows it.

use crate::error::Result;
use crate::eval::probe::lbfgs::Stop;
use crate::eval::probe::logistic::{fit, mean_loss, start};
use crate::eval::probe::split::deal;
use crate::eval::probe::standard::Standard;
use crate::eval::probe::table::Table;

/// Penalties to try, from strong to weak.
pub const GRID: [f64; 7] = [1e4, 1e3, 1e2, 1e1, 1.0, 1e-1, 1e-2];

/// Largest number of rows on which penalties are compared.
pub const SAMPLE: usize = 100_000;

/// One part in `HELD_OUT` is held out.
const HELD_OUT: usize = 5;

/// Training for a comparison ends when no element of the gradient exceeds this.
const TOLERANCE: f64 = 2e-4;

/// A penalty, and the parameters from which to start training with it.
#[derive(Debug, Clone)]
pub struct Choice {
    /// The penalty.
    pub l2: f64,
    /// The parameters that were found with it.
    pub parameters: Vec<f64>,
    /// Each penalty that was tried, with its mean loss on the held-out part; empty if none could be held out.
    pub losses: Vec<(f64, f64)>,
}

/// Splits training utterances into two groups: those to train on, and those held out (a fifth, spread over the strata; of subjects that are kept
/// together, a fifth of the subjects, if there are five).
pub fn hold_out(table: &Table, items: &[usize], seed: u64) -> (Vec<usize>, Vec<usize>) {
    let subjects = items.iter().all(|&i| table.items()[i].subject.is_some());
    if subjects && let Ok(folds) = table.deal(items, HELD_OUT, seed, "probe/held-out") {
        return held_out(&folds, items);
    }
    let strata: Vec<String> = items.iter().map(|&i| table.items()[i].stratum.clone()).collect();
    hold_out_of(&strata, items, seed)
}

/// The same, for items with the given strata.
pub(crate) fn hold_out_of(strata: &[String], items: &[usize], seed: u64) -> (Vec<usize>, Vec<usize>) {
    held_out(&deal(strata, HELD_OUT, seed, "probe/held-out"), items)
}

fn held_out(folds: &[Vec<usize>], items: &[usize]) -> (Vec<usize>, Vec<usize>) {
    let pick = |fold: &[usize]| fold.iter().map(|&i| items[i]).collect::<Vec<_>>();
    // The last fold is the smallest: with fewer than five utterances, all are trained on and none is held out.
    (pick(&folds[..HELD_OUT - 1].concat()), pick(&folds[HELD_OUT - 1]))
}

/// Chooses the penalty for training on `items`.
///
/// # Errors
/// If rows cannot be read.
pub fn choose(table: &Table, items: &[usize], standard: &Standard, seed: u64, note: &dyn Fn(&str)) -> Result<Choice> {
    let sample = sample(table, items, seed);
    let (train, held_out) = hold_out(table, &sample, seed);
    // A class that the smaller training set lacks carries no information about the penalty.
    let counts = table.counts(&train);
    let known = |&i: &usize| table.classes()[table.items()[i].rows.clone()].iter().all(|&c| counts[c as usize] > 0);
    let known: Vec<usize> = held_out.into_iter().filter(known).collect();
    if table.rows_of(&known) == 0 {
        return Ok(Choice { l2: 1.0, parameters: start(table, items), losses: Vec::new() });
    }
    let stop = Stop { gradient: TOLERANCE, iterations: 300 };
    let attempt = |l2: f64, from: Vec<f64>| -> Result<(f64, Vec<f64>)> {
        let found = fit(table, &train, standard, l2, from, stop)?;
        let loss = mean_loss(table, &known, standard, &found.x, None)?;
        note(&format!("l2 {l2}: held-out loss {loss:.4} after {} iterations", found.iterations));
        Ok((loss, found.x))
    };
    search(start(table, &train), attempt)
}

/// Tries penalties, starting with the strongest of [`GRID`], as described above. `attempt` trains with a penalty from given parameters,
/// and returns the mean held-out loss and the parameters it found.
///
/// # Errors
/// Errors that `attempt` returns.
pub(crate) fn search(
    start: Vec<f64>,
    mut attempt: impl FnMut(f64, Vec<f64>) -> Result<(f64, Vec<f64>)>,
) -> Result<Choice> {
    let mut losses = Vec::new();
    let mut attempt = |l2: f64, from: Vec<f64>| -> Result<(f64, Vec<f64>)> {
        let (loss, found) = attempt(l2, from)?;
        losses.push((l2, loss));
        Ok((loss, found))
    };
    let (mut parameters, mut worse) = (start.clone(), 0);
    let mut best: Option<(f64, f64, Vec<f64>)> = None;
    for l2 in GRID {
        let (loss, found) = attempt(l2, parameters)?;
        parameters = found;
        if best.as_ref().is_none_or(|b| loss < b.1) {
            best = Some((l2, loss, parameters.clone()));
            worse = 0;
        } else {
            worse += 1;
            if worse == 2 {
                break;
            }
        }
    }
    let (l2, mut loss, mut parameters) = best.unwrap_or((1.0, f64::INFINITY, start));
    let mut chosen = l2;
    for finer in [l2 * 30.0 / 10.0, l2 * 30.0 / 100.0] {
        let (other, found) = attempt(finer, parameters.clone())?;
        if other < loss {
            (chosen, loss, parameters) = (finer, other, found);
        }
    }
    Ok(Choice { l2: chosen, parameters, losses })
}

/// Utterances that together have at most about [`SAMPLE`] rows: all of them if they have no more.
fn sample(table: &Table, items: &[usize], seed: u64) -> Vec<usize> {
    let rows = table.rows_of(items);
    if rows <= SAMPLE {
        return items.to_vec();
    }
    let strata: Vec<String> = items.iter().map(|&i| table.items()[i].stratum.clone()).collect();
    let folds = rows.div_ceil(SAMPLE).min(items.len());
    let mut dealt = deal(&strata, folds, seed, "probe/sample");
    dealt.swap_remove(0).into_iter().map(|i| items[i]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::probe::fixtures::{Corpus, reading};
    use crate::eval::probe::protocol::Protocol;
    use crate::eval::probe::standardize::standardize;

    #[test]
    fn noise_wants_a_strong_penalty_and_clear_classes_a_weak_one() {
        let chosen = |noise: bool| {
            let mut corpus = Corpus::new(20, 40, 6, 3);
            if noise {
                let mut rng = crate::seed::stream(5, "noise", 0);
                corpus.rows.iter_mut().flatten().for_each(|x| *x = rng.normal());
            } else {
                corpus.rows.iter_mut().flatten().for_each(|x| *x = (*x * 4.0).round());
            }
            let set = corpus.set();
            let table = Table::gather(&set, &corpus.ids(), &corpus.labels(), &reading(Protocol::Frame)).unwrap();
            let items: Vec<usize> = (0..20).collect();
            let standard = standardize(&table, &items).unwrap();
            choose(&table, &items, &standard, 1, &|_| ()).unwrap()
        };
        let (noise, clear) = (chosen(true), chosen(false));
        assert!(noise.l2 >= 1e3 && clear.l2 <= 1e2, "{} {}", noise.l2, clear.l2);
        assert!(noise.losses.len() >= 3);
    }

    #[test]
    fn a_fifth_of_the_utterances_is_held_out_and_none_of_four() {
        let corpus = Corpus::new(20, 10, 2, 2);
        let set = corpus.set();
        let table = Table::gather(&set, &corpus.ids(), &corpus.labels(), &reading(Protocol::Frame)).unwrap();
        let (train, held) = hold_out(&table, &(0..20).collect::<Vec<_>>(), 3);
        assert_eq!((train.len(), held.len()), (16, 4));
        assert!(train.iter().all(|i| !held.contains(i)));
        let (train, held) = hold_out(&table, &[0, 1, 2, 3], 3);
        assert_eq!((train.len(), held.len()), (4, 0));
        let choice = choose(&table, &[0, 1], &Standard::identity(2), 3, &|_| ()).unwrap();
        assert_eq!((choice.l2, choice.losses.len()), (1.0, 0));
    }
}
