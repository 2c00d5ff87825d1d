//! What held-out rows of numbers say about their label: I(label; X) >= H(label) - E[- log q(label given x)] for any classifier q (Barber and
//! Agakov 2003, *The IM algorithm*), with equality for the true probabilities.
//!
//! The classifier is linear. It starts from the discriminant of normal classes with one covariance (Fisher 1936), which is shrunk toward the
//! identity (Ledoit and Wolf 2004, *A well-conditioned estimator for large-dimensional covariance matrices*), so that it exists for more columns than
//! rows. Its scores are scaled by the factor that is best for the rows that are kept for stopping; then the likelihood is climbed by accelerated
//! gradients until these rows no longer gain (multinomial logistic regression, regularized by stopping early). With this factor and number of
//! steps, the classifier is fitted once more to these rows too, and evaluated on the held-out ones.

use crate::error::Result;
use crate::mi::neural::Protocol;
use crate::mi::parallel::in_parallel;
use crate::mi::samples::Samples;
use nalgebra::{Cholesky, DMatrix};

/// The number of steps of logistic regression, and the steps between two evaluations.
const STEPS: usize = 200;
const LOOK: usize = 10;
/// Evaluations without a gain after which the climb ends.
const PATIENCE: usize = 3;
/// The largest number of rows that a classifier is trained on.
const ROWS: usize = 20_000;
/// Factors of the discriminant's scores that are tried: none, and powers of the square root of 2.
const FACTORS: std::ops::Range<i32> = -14..3;

/// What classifiers say about rows that they have not seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Classified {
    /// The log of q(label given x) / p(label) for each held-out row, in nats, with the index of the row.
    pub parts: Vec<(u32, f64)>,
    /// The mean on held-out rows.
    pub value: f64,
    /// The mean on training rows, over folds.
    pub train: f64,
}

/// Cross-fitted classifiers of `labels` (n), 0 to `classes`, from standardized numbers (n, d).
///
/// # Errors
/// Those of [`Protocol::parts`].
pub fn classify(labels: &[u32], classes: usize, numbers: &Samples, protocol: Protocol) -> Result<Classified> {
    let parts = protocol.parts(labels.len())?;
    let standard = numbers.standardized();
    let take = |rows: &[u32]| {
        let values = rows.iter().flat_map(|&i| standard.row(i as usize).iter().copied());
        DMatrix::from_row_iterator(rows.len(), standard.dim(), values)
    };
    let mut counts = vec![0f64; classes];
    labels.iter().for_each(|&label| counts[label as usize] += 1.0);
    let prior: Vec<f64> = counts.iter().map(|c| (c / labels.len() as f64).max(f64::MIN_POSITIVE).ln()).collect();
    let job = |fold: usize| {
        let [train, valid, test] = &parts[fold];
        let (train, valid) = (&train[..train.len().min(ROWS)], &valid[..valid.len().min(ROWS)]);
        let of = |rows: &[u32]| rows.iter().map(|&i| labels[i as usize]).collect::<Vec<_>>();
        let (_, factor, steps) = climb(&take(train), &of(train), Some((&take(valid), &of(valid))), &prior, None);
        let known = [train, valid].concat();
        let (x, label) = (take(&known), of(&known));
        let (model, ..) = climb(&x, &label, None, &prior, Some((factor, steps)));
        let value = |x: &DMatrix<f64>, label: &[u32]| -> Vec<f64> {
            log_likelihoods(&model.scores(x), label)
                .zip(label)
                .map(|(log, &label)| log - prior[label as usize])
                .collect()
        };
        let on_train = value(&x, &label);
        Ok((value(&take(test), &of(test)), on_train.iter().sum::<f64>() / on_train.len() as f64))
    };
    let found = in_parallel(parts.len(), job, |_| {})?;
    let rows = parts
        .iter()
        .zip(&found)
        .flat_map(|([_, _, test], (values, _))| test.iter().copied().zip(values.iter().copied()));
    let mut all: Vec<(u32, f64)> = rows.collect();
    all.sort_unstable_by_key(|part| part.0);
    let value = all.iter().map(|part| part.1).sum::<f64>() / all.len() as f64;
    Ok(Classified { value, train: found.iter().map(|f| f.1).sum::<f64>() / found.len() as f64, parts: all })
}

/// Scores x W + b of classes.
#[derive(Clone)]
struct LinearModel {
    weights: DMatrix<f64>, // (d, classes)
    offsets: Vec<f64>,
}

impl LinearModel {
    fn scores(&self, x: &DMatrix<f64>) -> DMatrix<f64> {
        let mut scores = x * &self.weights;
        scores.column_iter_mut().zip(&self.offsets).for_each(|(mut column, b)| column.add_scalar_mut(*b));
        scores
    }
}

/// log q(label) of each row.
fn log_likelihoods<'a>(scores: &'a DMatrix<f64>, labels: &'a [u32]) -> impl Iterator<Item = f64> + 'a {
    labels.iter().enumerate().map(|(i, &label)| {
        let row = scores.row(i);
        let largest = row.max();
        row[label as usize] - largest - row.iter().map(|s| (s - largest).exp()).sum::<f64>().ln()
    })
}

fn mean_log_likelihood(scores: &DMatrix<f64>, labels: &[u32]) -> f64 {
    log_likelihoods(scores, labels).sum::<f64>() / labels.len().max(1) as f64
}

/// A classifier of rows `x` with `labels`, the factor of the discriminant's scores, and the number of steps: those that are best for the rows
/// `stop`, or those that are `given`.
fn climb(
    x: &DMatrix<f64>,
    labels: &[u32],
    stop: Option<(&DMatrix<f64>, &[u32])>,
    prior: &[f64],
    given: Option<(f64, usize)>,
) -> (LinearModel, f64, usize) {
    let direction = discriminant(x, labels, prior.len());
    // A factor of 0 leaves the frequencies of the labels.
    let scaled = |factor: f64| LinearModel {
        weights: &direction.weights * factor,
        offsets: direction.offsets.iter().zip(prior).map(|(b, prior)| b * factor + prior).collect(),
    };
    let (first, last) = given.unwrap_or((0.0, STEPS));
    let mut best = (scaled(first), first, if given.is_some() { last } else { 0 });
    let value = |model: &LinearModel| stop.map_or(0.0, |(x, labels)| mean_log_likelihood(&model.scores(x), labels));
    let mut most = value(&best.0);
    if stop.is_some() {
        for factor in FACTORS.map(|power| 2f64.powf(f64::from(power) / 2.0)) {
            let model = scaled(factor);
            let found = value(&model);
            if found > most {
                (best, most) = ((model, factor, 0), found);
            }
        }
    }
    // Nesterov's accelerated gradients. The second derivatives of the likelihood are at most half of the largest eigenvalue of X'X / n.
    let (n, classes) = (x.nrows(), prior.len());
    let rate = 2.0 / (largest_eigenvalue(x) + 1.0);
    let (mut model, mut ahead) = (best.0.clone(), best.0.clone());
    let mut worse = 0;
    for step in 1..=last {
        let mut errors = ahead.scores(x);
        for (i, &label) in labels.iter().enumerate() {
            let mut row = errors.row_mut(i);
            let largest = row.max();
            row.apply(|s| *s = (*s - largest).exp());
            let sum = row.sum();
            row /= sum;
            row[label as usize] -= 1.0;
        }
        let gradient = x.tr_mul(&errors) / n as f64;
        let moved = LinearModel {
            weights: &ahead.weights - rate * gradient,
            offsets: (0..classes).map(|c| ahead.offsets[c] - rate * errors.column(c).sum() / n as f64).collect(),
        };
        let momentum = (step - 1) as f64 / (step + 2) as f64;
        ahead = LinearModel {
            weights: &moved.weights + momentum * (&moved.weights - &model.weights),
            offsets: moved.offsets.iter().zip(&model.offsets).map(|(a, b)| a + momentum * (a - b)).collect(),
        };
        model = moved;
        if stop.is_some() && step % LOOK == 0 {
            let found = value(&model);
            if found > most {
                (best, most, worse) = ((model.clone(), best.1, step), found, 0);
            } else {
                worse += 1;
            }
            if worse >= PATIENCE {
                break;
            }
        }
    }
    if stop.is_none() {
        best.0 = model;
    }
    best
}

/// Fisher's discriminant, without the frequencies of the classes: S^-1 m, and - m' S^-1 m / 2.
fn discriminant(x: &DMatrix<f64>, labels: &[u32], classes: usize) -> LinearModel {
    let (n, dim) = x.shape();
    let mut means = DMatrix::zeros(classes, dim);
    let mut counts = vec![0usize; classes];
    for (i, &label) in labels.iter().enumerate() {
        counts[label as usize] += 1;
        let mut mean = means.row_mut(label as usize);
        mean += x.row(i);
    }
    let seen: Vec<f64> = counts.iter().map(|&c| c.max(1) as f64).collect();
    means.row_iter_mut().zip(&seen).for_each(|(mut mean, count)| mean /= *count);
    let mut centered = x.clone();
    labels.iter().enumerate().for_each(|(i, &label)| {
        let mut row = centered.row_mut(i);
        row -= means.row(label as usize);
    });
    let degrees = n.saturating_sub(counts.iter().filter(|c| **c > 0).count()).max(1) as f64;
    let mut covariance = centered.tr_mul(&centered) / degrees;
    // Ledoit and Wolf's weight of the identity: the variance of the entries over their distance from it.
    let level = covariance.trace() / dim as f64;
    let apart = covariance.norm_squared() - dim as f64 * level * level;
    let fourth: f64 = centered.row_iter().map(|row| row.norm_squared().powi(2)).sum();
    let noise = (fourth / degrees - covariance.norm_squared()) / degrees;
    let weight = if apart > 0.0 { (noise / apart).clamp(1e-3, 1.0) } else { 1.0 };
    covariance *= 1.0 - weight;
    (0..dim).for_each(|j| covariance[(j, j)] += weight * level.max(f64::MIN_POSITIVE));
    let nothing = LinearModel { weights: DMatrix::zeros(dim, classes), offsets: vec![0.0; classes] };
    let Some(cholesky) = Cholesky::new(covariance) else { return nothing };
    // Means of few rows are shrunk toward the common mean, 0.
    let weights = cholesky.solve(&means.transpose());
    if weights.iter().any(|w| !w.is_finite()) {
        return nothing;
    }
    let offsets = (0..classes).map(|c| -0.5 * means.row(c).transpose().dot(&weights.column(c))).collect();
    LinearModel { weights, offsets }
}

/// The largest eigenvalue of X'X / n, by power iteration, which stays a little below it.
fn largest_eigenvalue(x: &DMatrix<f64>) -> f64 {
    let mut direction = DMatrix::from_element(x.ncols(), 1, 1.0);
    let mut value = 0.0;
    for round in 0..30 {
        // An even start may be orthogonal to the direction.
        if round == 0 {
            direction.iter_mut().enumerate().for_each(|(j, v)| *v += (j as f64).sin());
        }
        let norm = direction.norm().max(f64::MIN_POSITIVE);
        direction /= norm;
        direction = x.tr_mul(&(x * &direction)) / x.nrows() as f64;
        value = direction.norm();
    }
    1.05 * value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::stream;

    const PROTOCOL: Protocol = Protocol { folds: 5, blocked: false, seed: 1 };

    /// `classes` normal classes whose means have entries of size `size`, and their information, as a mean of log ratios over other draws.
    fn clusters(n: usize, dim: usize, classes: u32, size: f64, index: u64) -> (Vec<u32>, Samples, f64) {
        let mut rng = stream(6, "classifier", index);
        let means: Vec<f64> = (0..classes as usize * dim).map(|_| size * rng.normal64()).collect();
        let (mut labels, mut values, mut truth) = (Vec::new(), Vec::new(), 0.0);
        for _ in 0..n {
            let label = rng.below(classes);
            let row: Vec<f64> = (0..dim).map(|j| means[label as usize * dim + j] + rng.normal64()).collect();
            let log = |c: usize| -0.5 * row.iter().zip(&means[c * dim..]).map(|(v, m)| (v - m).powi(2)).sum::<f64>();
            let own = log(label as usize);
            truth += (f64::from(classes).ln() - (0..classes as usize).map(|c| (log(c) - own).exp()).sum::<f64>().ln())
                / n as f64;
            labels.push(label);
            values.extend(row);
        }
        (labels, Samples::new(values, dim).unwrap(), truth)
    }

    #[test]
    fn classes_in_many_columns_are_told_apart() {
        for (n, dim, classes, size) in [(1000, 5, 3, 0.7), (1000, 200, 4, 0.2), (600, 700, 2, 0.15)] {
            let (labels, x, truth) = clusters(n, dim, classes, size, 0);
            let found = classify(&labels, classes as usize, &x, PROTOCOL).unwrap();
            let middle = (found.value + found.train) / 2.0;
            assert!(
                found.value < truth + 0.1 && (middle - truth).abs() < 0.2 * truth,
                "{dim}: {} {} {truth}",
                found.value,
                found.train
            );
        }
    }

    #[test]
    fn labels_without_a_cause_are_not_predicted() {
        for (n, dim, classes) in [(500, 3, 2), (500, 300, 10)] {
            let (labels, x, _) = clusters(n, dim, classes, 0.0, 3);
            let found = classify(&labels, classes as usize, &x, PROTOCOL).unwrap();
            assert!(found.value.abs() < 0.02 && found.train < 0.1, "{} {}", found.value, found.train);
        }
    }
}
