//! Multinomial logistic regression.
//!
//! p(k | x) = softmax(W x + b)_k for standardized rows x. The objective minimized over W (K, D) and b (K) is
//! sum_i -log p(y_i | x_i) + (l2 / 2) |W|^2, as in scikit-learn's `LogisticRegression` with C = 1 / l2 (b is not penalized). Both terms
//! are divided by the number of rows, as scikit-learn does, and training ends when no element of the gradient of the result exceeds
//! [`TOLERANCE`]. With two classes both have weights here, while scikit-learn trains the difference of the two: its C is then 2 / l2.
//!
//! The scores and the gradient of a chunk of rows are two matrix products in f32, summed over chunks in f64. The optimizer is
//! [`lbfgs`](super::lbfgs) with the [`Preconditioner`] of this problem.

use crate::error::Result;
use crate::eval::probe::lbfgs::{Minimum, Stop, minimize};
use crate::eval::probe::linear::Linear;
use crate::eval::probe::precondition::Preconditioner;
use crate::eval::probe::softmax::cross_entropy;
use crate::eval::probe::standard::Standard;
use crate::eval::probe::table::{CHUNK, Table};
use crate::ops::matrix::{View, ViewMut, multiply};
use rayon::prelude::*;

/// Training ends when no element of the gradient of the mean loss exceeds this: a fifth of scikit-learn's default.
pub const TOLERANCE: f64 = 2e-5;

/// Number of iterations after which training is stopped even if it has not converged.
pub const ITERATIONS: usize = 1000;

/// Number of iterations after which the preconditioner is first recomputed, at the parameters reached so far. After that it is recomputed
/// each time the total number of iterations has doubled.
const LEG: usize = 10;

/// The mean loss on some utterances and, if requested, its gradient.
///
/// # Errors
/// If rows cannot be read.
pub fn mean_loss(
    table: &Table,
    items: &[usize],
    standard: &Standard,
    parameters: &[f64],
    gradient: Option<&mut [f64]>,
) -> Result<f64> {
    let (dim, classes) = (table.dim(), table.names().len());
    let model = Linear::new(parameters.to_vec(), dim);
    let parts = table.parts(items);
    let wanted = gradient.is_some();
    let sums: Vec<(f64, Vec<f64>)> = parts
        .par_iter()
        .map(|part| {
            let (mut loss, mut total) = (0.0, vec![0.0f64; if wanted { parameters.len() } else { 0 }]);
            let (mut scores, mut product) = (Vec::new(), vec![0.0f32; if wanted { classes * dim } else { 0 }]);
            table.chunks(part, standard, |rows, labels| {
                model.scores(rows, &mut scores)?;
                loss += cross_entropy(&mut scores, labels);
                if wanted {
                    let n = labels.len();
                    let (r, x) = (View::new(&scores, classes, n, CHUNK)?, View::new(rows, n, dim, dim)?);
                    multiply(ViewMut::new(&mut product, classes, dim, dim)?, false, r, x, true)?;
                    let (w, b) = total.split_at_mut(classes * dim);
                    w.iter_mut().zip(&product).for_each(|(t, &p)| *t += f64::from(p));
                    for (b, row) in b.iter_mut().zip(scores.chunks_exact(CHUNK)) {
                        *b += row[..n].iter().map(|&r| f64::from(r)).sum::<f64>();
                    }
                }
                Ok(())
            })?;
            Ok((loss, total))
        })
        .collect::<Result<_>>()?;
    let n = table.rows_of(items).max(1) as f64;
    if let Some(gradient) = gradient {
        gradient.fill(0.0);
        for (_, part) in &sums {
            gradient.iter_mut().zip(part).for_each(|(g, p)| *g += p / n);
        }
    }
    Ok(sums.iter().map(|s| s.0).sum::<f64>() / n)
}

/// Parameters to start from: zero weights, and the logarithm of each class's share as its intercept.
pub fn start(table: &Table, items: &[usize]) -> Vec<f64> {
    let counts = table.counts(items);
    let n = counts.iter().sum::<u64>().max(1) as f64;
    let mut parameters = vec![0.0; counts.len() * table.dim()];
    parameters.extend(counts.iter().map(|&c| ((c as f64).max(0.5) / n).ln()));
    parameters
}

/// Trains on some utterances, starting from `parameters`, with a penalty `l2` on the sum of the losses.
///
/// # Errors
/// If rows cannot be read.
pub fn fit(
    table: &Table,
    items: &[usize],
    standard: &Standard,
    l2: f64,
    parameters: Vec<f64>,
    stop: Stop,
) -> Result<Minimum> {
    let weights = table.names().len() * table.dim();
    let strength = l2 / table.rows_of(items).max(1) as f64;
    let mut function = |x: &[f64], gradient: &mut [f64]| {
        let loss = mean_loss(table, items, standard, x, Some(gradient))?;
        let w = &x[..weights];
        gradient.iter_mut().zip(w).for_each(|(g, w)| *g += strength * w);
        Ok(loss + 0.5 * strength * w.iter().map(|w| w * w).sum::<f64>())
    };
    let (mut iterations, mut evaluations, mut x) = (0, 0, parameters);
    loop {
        let preconditioner = Preconditioner::new(table, items, standard, strength, &x)?;
        let left = stop.iterations.saturating_sub(iterations);
        let leg = Stop { iterations: left.min(LEG.max(iterations)), ..stop };
        let mut found = minimize(&mut function, x, &|v| preconditioner.apply(v), leg)?;
        iterations += found.iterations;
        evaluations += found.evaluations;
        if found.converged || found.iterations < leg.iterations || iterations >= stop.iterations {
            (found.iterations, found.evaluations) = (iterations, evaluations);
            return Ok(found);
        }
        x = found.x;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::probe::fixtures::{Corpus, reading};
    use crate::eval::probe::protocol::Protocol;
    use crate::eval::probe::standardize::standardize;
    use crate::eval::probe::table::Reading;

    fn stop() -> Stop {
        Stop { gradient: TOLERANCE, iterations: ITERATIONS }
    }

    #[test]
    fn the_gradient_is_that_of_the_loss() {
        let corpus = Corpus::new(3, 150, 3, 4);
        let set = corpus.set();
        let table = Table::gather(&set, &corpus.ids(), &corpus.labels(), &reading(Protocol::Frame)).unwrap();
        let (items, standard) = ([0, 1, 2], Standard::identity(3));
        let x: Vec<f64> = (0..16).map(|i| (f64::from(i) * 0.7).sin()).collect();
        let mut gradient = vec![0.0; 16];
        mean_loss(&table, &items, &standard, &x, Some(&mut gradient)).unwrap();
        for i in 0..16 {
            let at = |d: f64| {
                let mut y = x.clone();
                y[i] += d;
                mean_loss(&table, &items, &standard, &y, None).unwrap()
            };
            let slope = (at(1e-2) - at(-1e-2)) / 2e-2;
            assert!((slope - gradient[i]).abs() < 1e-4, "{i}: {slope} {}", gradient[i]);
        }
    }

    #[test]
    fn streamed_rows_train_the_same_classifier_to_the_last_bit() {
        let corpus = Corpus::new(12, 200, 5, 3);
        let set = corpus.set();
        let items: Vec<usize> = (0..12).collect();
        let train = |limit| {
            let reading = Reading { limit, ..reading(Protocol::Frame) };
            let table = Table::gather(&set, &corpus.ids(), &corpus.labels(), &reading).unwrap();
            let standard = standardize(&table, &items).unwrap();
            fit(&table, &items, &standard, 1.0, start(&table, &items), stop()).unwrap()
        };
        let (memory, stream) = (train(usize::MAX), train(0));
        assert!(memory.converged && memory.gradient <= TOLERANCE);
        assert_eq!(memory.x, stream.x);
    }

    #[test]
    fn a_strong_penalty_leaves_the_shares_of_the_classes() {
        let mut corpus = Corpus::new(4, 100, 3, 2);
        corpus.ids.iter_mut().for_each(|ids| ids.iter_mut().enumerate().for_each(|(t, id)| *id = u32::from(t < 25)));
        let set = corpus.set();
        let table = Table::gather(&set, &corpus.ids(), &corpus.labels(), &reading(Protocol::Frame)).unwrap();
        let items = [0, 1, 2, 3];
        let standard = standardize(&table, &items).unwrap();
        let found = fit(&table, &items, &standard, 1e9, vec![0.0; 8], stop()).unwrap();
        // With no weights the loss is the entropy of (1/4, 3/4) = 0.5623 nats.
        assert!((found.value - 0.562_335).abs() < 1e-4, "{found:?}");
        assert!((found.x[7] - found.x[6] + 3f64.ln()).abs() < 1e-3, "{found:?}");
    }
}
