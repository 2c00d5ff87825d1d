//! Multinomial logistic regression on sparse rows, such as TF-IDF's.
//!
//! The objective is that of [`logistic`](crate::eval::probe::logistic): the mean over rows of -log softmax(W x + b)_y plus l2 / (2 n)
//! |W|^2. Here it is computed in f64, over the columns that are not zero. The rows are not standardized, since they would no longer be
//! sparse. The optimizer is [`lbfgs`](crate::eval::probe::lbfgs) with the diagonal of a bound on the Hessian as preconditioner, and the
//! penalty is searched as in [`penalty`]. Parameters are stored column by column, (V, K), followed by the intercepts (K).

use crate::error::Result;
use crate::eval::probe::lbfgs::{Minimum, Stop, minimize};
use crate::eval::probe::penalty;
use std::ops::Range;

/// Training ends when no element of the gradient exceeds this. It is small because a word occurs in few sentences, so that its elements
/// of the gradient are small too.
pub const TOLERANCE: f64 = 1e-6;

/// The same, for comparing penalties.
const ROUGH: f64 = 1e-5;

/// Number of iterations after which training is stopped even if it has not converged.
const ITERATIONS: usize = 1000;

/// Sparse rows: only the values that are not zero are kept.
#[derive(Debug, Clone)]
pub struct SparseRows {
    ends: Vec<usize>,
    columns: Vec<u32>,
    values: Vec<f32>,
    dim: usize,
}

impl SparseRows {
    /// An empty set of rows with `dim` columns.
    pub fn new(dim: usize) -> SparseRows {
        SparseRows { ends: Vec::new(), columns: Vec::new(), values: Vec::new(), dim }
    }

    /// Appends a row; columns outside the `dim` columns are skipped.
    pub fn push(&mut self, row: impl IntoIterator<Item = (u32, f64)>) {
        for (column, value) in row.into_iter().filter(|&(c, _)| (c as usize) < self.dim) {
            self.columns.push(column);
            self.values.push(value as f32);
        }
        self.ends.push(self.columns.len());
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The columns and values of a row.
    pub fn row(&self, row: usize) -> impl Iterator<Item = (u32, f32)> + '_ {
        let range = self.range(row);
        self.columns[range.clone()].iter().copied().zip(self.values[range].iter().copied())
    }

    fn range(&self, row: usize) -> Range<usize> {
        (if row == 0 { 0 } else { self.ends[row - 1] })..self.ends[row]
    }

    /// Sets `scores` to W x + b of a row.
    fn scores(&self, row: usize, parameters: &[f64], scores: &mut [f64]) {
        let k = scores.len();
        scores.copy_from_slice(&parameters[self.dim * k..]);
        for (column, value) in self.row(row) {
            let weights = &parameters[column as usize * k..][..k];
            scores.iter_mut().zip(weights).for_each(|(s, w)| *s += f64::from(value) * w);
        }
    }
}

/// Training data: rows, the class of each, and the number of classes.
#[derive(Debug, Clone, Copy)]
pub struct Labeled<'a> {
    /// The rows.
    pub rows: &'a SparseRows,
    /// The class of each row.
    pub classes: &'a [u32],
    /// Number of classes.
    pub count: usize,
}

/// A trained classifier.
#[derive(Debug, Clone)]
pub struct TrainedClassifier {
    /// W (V, K), then b (K).
    pub parameters: Vec<f64>,
    /// The penalty.
    pub l2: f64,
    /// Steps of the optimizer.
    pub iterations: usize,
    /// Whether training converged.
    pub converged: bool,
}

impl Labeled<'_> {
    /// The mean loss on the rows `items` and, if requested, its gradient.
    fn mean_loss(&self, items: &[usize], parameters: &[f64], mut gradient: Option<&mut [f64]>) -> f64 {
        let (k, bias) = (self.count, self.rows.dim * self.count);
        let (mut loss, mut scores) = (0.0, vec![0.0; k]);
        if let Some(gradient) = gradient.as_deref_mut() {
            gradient.fill(0.0);
        }
        let scale = 1.0 / items.len().max(1) as f64;
        for &item in items {
            self.rows.scores(item, parameters, &mut scores);
            let (own, class) = (scores[self.classes[item] as usize], self.classes[item] as usize);
            softmax(&mut scores, own, &mut loss);
            let Some(gradient) = gradient.as_deref_mut() else { continue };
            scores[class] -= 1.0;
            scores.iter_mut().for_each(|s| *s *= scale);
            for (column, value) in self.rows.row(item) {
                let into = &mut gradient[column as usize * k..][..k];
                into.iter_mut().zip(&scores).for_each(|(g, s)| *g += f64::from(value) * s);
            }
            gradient[bias..].iter_mut().zip(&scores).for_each(|(g, s)| *g += s);
        }
        loss * scale
    }

    /// Trains on the rows `items`, starting from `parameters`, with a penalty on the sum of the losses.
    fn minimum(&self, items: &[usize], l2: f64, parameters: Vec<f64>, gradient: f64) -> Result<Minimum> {
        let k = self.count;
        let strength = l2 / items.len().max(1) as f64;
        let weights = self.rows.dim * k;
        // The diagonal of Boehning's bound on the Hessian (Annals of the Institute of Statistical Mathematics 44, 1992).
        let bound = 0.5 * (1.0 - 1.0 / k as f64);
        let mut squares = vec![0.0; self.rows.dim];
        for &item in items {
            self.rows.row(item).for_each(|(c, x)| squares[c as usize] += f64::from(x * x));
        }
        let n = items.len().max(1) as f64;
        let diagonal: Vec<f64> = squares.iter().map(|s| bound * s / n + strength + 1e-8).chain([bound]).collect();
        let mut function = |x: &[f64], gradient: &mut [f64]| {
            let loss = self.mean_loss(items, x, Some(gradient));
            gradient.iter_mut().zip(&x[..weights]).for_each(|(g, w)| *g += strength * w);
            Ok(loss + 0.5 * strength * x[..weights].iter().map(|w| w * w).sum::<f64>())
        };
        let precondition = |v: &mut [f64]| {
            v.chunks_exact_mut(k).zip(&diagonal).for_each(|(v, d)| v.iter_mut().for_each(|v| *v /= d));
        };
        minimize(&mut function, parameters, &precondition, Stop { gradient, iterations: ITERATIONS })
    }

    /// Parameters to start from: zero weights, and the logarithm of each class's share as its intercept.
    fn start(&self, items: &[usize]) -> Vec<f64> {
        let mut counts = vec![0.5f64; self.count];
        items.iter().for_each(|&i| counts[self.classes[i] as usize] += 1.0);
        let mut parameters = vec![0.0; self.rows.dim * self.count];
        parameters.extend(counts.iter().map(|c| (c / items.len().max(1) as f64).ln()));
        parameters
    }

    /// Trains on the rows `train` and `held_out` together. The penalty is `l2` or, if that is none, the one that is best on `held_out`
    /// after training on `train` (1 if nothing is held out).
    ///
    /// # Errors
    /// If training produces a value that is not finite.
    pub fn fit(&self, train: &[usize], held_out: &[usize], l2: Option<f64>) -> Result<TrainedClassifier> {
        let all = [train, held_out].concat();
        let (l2, from) = match l2 {
            Some(l2) => (l2, self.start(&all)),
            None if held_out.is_empty() => (1.0, self.start(&all)),
            None => {
                // A class that the smaller training set lacks carries no information about the penalty.
                let mut known = vec![false; self.count];
                train.iter().for_each(|&i| known[self.classes[i] as usize] = true);
                let tested: Vec<usize> =
                    held_out.iter().copied().filter(|&i| known[self.classes[i] as usize]).collect();
                let choice = penalty::search(self.start(train), |l2, from| {
                    let found = self.minimum(train, l2, from, ROUGH)?;
                    Ok((self.mean_loss(&tested, &found.x, None), found.x))
                })?;
                (choice.l2, choice.parameters)
            }
        };
        let found = self.minimum(&all, l2, from, TOLERANCE)?;
        Ok(TrainedClassifier { parameters: found.x, l2, iterations: found.iterations, converged: found.converged })
    }
}

impl TrainedClassifier {
    /// The probability of each class for a row.
    pub fn probabilities(&self, rows: &SparseRows, row: usize) -> Vec<f64> {
        let mut scores = vec![0.0; self.parameters.len() / (rows.dim + 1)];
        rows.scores(row, &self.parameters, &mut scores);
        softmax(&mut scores, 0.0, &mut 0.0);
        scores
    }

    /// The most likely class of a row, the first one in a tie.
    pub fn class(&self, rows: &SparseRows, row: usize) -> u32 {
        let p = self.probabilities(rows, row);
        (0..p.len()).max_by(|&a, &b| p[a].total_cmp(&p[b]).then(b.cmp(&a))).unwrap_or(0) as u32
    }
}

/// Replaces scores with probabilities, and adds to `loss` the loss of the class with the score `own`.
fn softmax(scores: &mut [f64], own: f64, loss: &mut f64) {
    let high = scores.iter().fold(f64::NEG_INFINITY, |h, &s| h.max(s));
    scores.iter_mut().for_each(|s| *s = (*s - high).exp());
    let sum: f64 = scores.iter().sum();
    scores.iter_mut().for_each(|s| *s /= sum);
    *loss += sum.ln() + high - own;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::stream;

    /// Rows with eight columns, three of which are set, and classes that are determined by the first of these, with some noise.
    fn planted(n: usize) -> (SparseRows, Vec<u32>) {
        let mut rng = stream(1, "planted", 0);
        let (mut rows, mut classes) = (SparseRows::new(8), Vec::new());
        for _ in 0..n {
            let first = rng.below(3);
            classes.push(if rng.below(10) == 0 { rng.below(3) } else { first });
            rows.push([(first, 1.0), (3 + rng.below(2), 0.5), (5 + rng.below(3), f64::from(rng.unit()))]);
        }
        (rows, classes)
    }

    #[test]
    fn the_gradient_is_that_of_the_loss() {
        let (rows, classes) = planted(20);
        let labeled = Labeled { rows: &rows, classes: &classes, count: 3 };
        let items: Vec<usize> = (0..20).collect();
        let x: Vec<f64> = (0..27).map(|i| (f64::from(i) * 0.7).sin()).collect();
        let mut gradient = vec![0.0; 27];
        labeled.mean_loss(&items, &x, Some(&mut gradient));
        for i in 0..27 {
            let at = |d: f64| {
                let mut y = x.clone();
                y[i] += d;
                labeled.mean_loss(&items, &y, None)
            };
            assert!(((at(1e-5) - at(-1e-5)) / 2e-5 - gradient[i]).abs() < 1e-8, "{i}");
        }
    }

    #[test]
    fn learns_what_was_planted_with_a_penalty_that_was_chosen() {
        let (rows, classes) = planted(400);
        let labeled = Labeled { rows: &rows, classes: &classes, count: 3 };
        let (train, rest): (Vec<usize>, Vec<usize>) = (0..300).partition(|i| i % 5 > 0);
        let trained = labeled.fit(&train, &rest, None).unwrap();
        let right = (300..400).filter(|&i| trained.class(&rows, i) == classes[i]).count();
        assert!(trained.converged && right >= 85, "{right}");
        assert!(trained.l2 < 1e3);
    }
}
