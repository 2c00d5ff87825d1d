//! A probe with one hidden layer: scores = W2 relu(W1 x + b1) + b2.
//!
//! Van den Oord et al. (2018, section 3.1) report it along with the linear probe: information that a linear classifier cannot read may
//! still be present. It is trained with Adam (Kingma and Ba 2015; beta 0.9 and 0.999) on mini-batches. A fifth of the training
//! utterances is held out and not trained on: when an epoch does not lower their mean loss, training resumes from the best weights with
//! half the learning rate, and it ends when that has happened `HALVINGS` times. Rows are shuffled within pools of whole utterances, so
//! that they can be streamed or kept in memory with the same result.

use crate::error::{Error, Result};
use crate::eval::probe::penalty::hold_out;
use crate::eval::probe::softmax::cross_entropy;
use crate::eval::probe::split::shuffle;
use crate::eval::probe::standard::Standard;
use crate::eval::probe::table::{CHUNK, Table};
use crate::ops::matrix::{View, ViewMut, multiply};
use crate::seed::stream;
use rayon::prelude::*;

const RATE: f64 = 1e-3;
const EPOCHS: usize = 100;
/// Epochs without improvement after which training ends.
const HALVINGS: usize = 4;
/// Smallest number of rows in a pool.
const POOL: usize = 16_384;
/// Smallest number of steps that an epoch should have.
const STEPS: usize = 64;

/// A trained classifier of standardized rows.
#[derive(Debug, Clone)]
pub struct Hidden {
    /// W1 (N, D), b1 (N), W2 (K, N), b2 (K), concatenated.
    parameters: Vec<f32>,
    dim: usize,
    units: usize,
    classes: usize,
}

/// A trained probe, and how its training went.
#[derive(Debug, Clone)]
pub struct TrainingState {
    /// The classifier.
    pub model: Hidden,
    /// Steps of the optimizer.
    pub steps: usize,
    /// The mean loss on the held-out utterances.
    pub held_out: f64,
}

impl Hidden {
    /// He's uniform initialization; intercepts 0.
    fn new(dim: usize, units: usize, classes: usize, seed: u64) -> Self {
        let mut model = Hidden { parameters: Vec::new(), dim, units, classes };
        for (index, (rows, cols)) in [(units, dim), (classes, units)].into_iter().enumerate() {
            let mut rng = stream(seed, "probe/hidden", index as u64);
            let bound = (6.0 / cols as f32).sqrt();
            model.parameters.extend((0..rows * cols).map(|_| rng.uniform(-bound, bound)));
            model.parameters.extend(std::iter::repeat_n(0.0, rows));
        }
        model
    }

    /// Lengths of W1, b1, W2, b2.
    fn sizes(&self) -> [usize; 4] {
        [self.units * self.dim, self.units, self.classes * self.units, self.classes]
    }

    /// Scores (K, [`CHUNK`]) of at most [`CHUNK`] rows (n, D); `room` is scratch space for the hidden layer (N, CHUNK).
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn scores(&self, rows: &[f32], room: &mut Vec<f32>, scores: &mut Vec<f32>) -> Result<()> {
        self.forward(rows, room, scores, true)
    }

    fn forward(&self, rows: &[f32], hidden: &mut Vec<f32>, scores: &mut Vec<f32>, alone: bool) -> Result<()> {
        let (n, [w1, b1, w2, b2]) = (rows.len() / self.dim, split(&self.parameters, self.sizes()));
        hidden.resize(self.units * CHUNK, 0.0);
        scores.resize(self.classes * CHUNK, 0.0);
        hidden.chunks_exact_mut(CHUNK).zip(b1).for_each(|(row, &b)| row[..n].fill(b));
        scores.chunks_exact_mut(CHUNK).zip(b2).for_each(|(row, &b)| row[..n].fill(b));
        let x = View::new(rows, n, self.dim, self.dim)?;
        let (w1, w2) =
            (View::new(w1, self.units, self.dim, self.dim)?, View::new(w2, self.classes, self.units, self.units)?);
        multiply(ViewMut::new(hidden, self.units, n, CHUNK)?, true, w1, x.t(), alone)?;
        hidden.iter_mut().for_each(|h| *h = if *h > 0.0 { *h } else { 0.0 });
        multiply(
            ViewMut::new(scores, self.classes, n, CHUNK)?,
            true,
            w2,
            View::new(hidden, self.units, n, CHUNK)?,
            alone,
        )
    }

    /// Writes the gradient of the mean loss of a batch to `gradient`, and returns that loss.
    fn gradient(&self, rows: &[f32], labels: &[u32], gradient: &mut [f32], room: &mut Room) -> Result<f64> {
        let (n, sizes) = (labels.len(), self.sizes());
        self.forward(rows, &mut room.hidden, &mut room.scores, false)?;
        let loss = cross_entropy(&mut room.scores, labels);
        let scale = 1.0 / n as f32;
        room.scores.iter_mut().for_each(|s| *s *= scale);
        room.back.resize(self.units * CHUNK, 0.0);
        let x = View::new(rows, n, self.dim, self.dim)?;
        let residual = View::new(&room.scores, self.classes, n, CHUNK)?;
        let w2 = View::new(split(&self.parameters, sizes)[2], self.classes, self.units, self.units)?;
        multiply(ViewMut::new(&mut room.back, self.units, n, CHUNK)?, false, w2.t(), residual, false)?;
        room.back.iter_mut().zip(&room.hidden).for_each(|(b, &h)| *b = if h > 0.0 { *b } else { 0.0 });
        let (g1, rest) = gradient.split_at_mut(sizes[0]);
        let (c1, rest) = rest.split_at_mut(sizes[1]);
        let (g2, c2) = rest.split_at_mut(sizes[2]);
        let back = View::new(&room.back, self.units, n, CHUNK)?;
        let hidden = View::new(&room.hidden, self.units, n, CHUNK)?;
        multiply(ViewMut::new(g1, self.units, self.dim, self.dim)?, false, back, x, false)?;
        multiply(ViewMut::new(g2, self.classes, self.units, self.units)?, false, residual, hidden.t(), false)?;
        for (sums, source) in [(c1, &room.back), (c2, &room.scores)] {
            sums.iter_mut().zip(source.chunks_exact(CHUNK)).for_each(|(s, row)| *s = row[..n].iter().sum());
        }
        Ok(loss / n as f64)
    }
}

fn split(parameters: &[f32], sizes: [usize; 4]) -> [&[f32]; 4] {
    let (w1, rest) = parameters.split_at(sizes[0]);
    let (b1, rest) = rest.split_at(sizes[1]);
    let (w2, b2) = rest.split_at(sizes[2]);
    [w1, b1, w2, b2]
}

#[derive(Default)]
struct Room {
    hidden: Vec<f32>,
    scores: Vec<f32>,
    back: Vec<f32>,
}

/// Adam's moments.
struct Adam {
    first: Vec<f32>,
    second: Vec<f32>,
    steps: i32,
}

impl Adam {
    fn step(&mut self, parameters: &mut [f32], gradient: &[f32], rate: f64) {
        self.steps += 1;
        let (one, two) = (1.0 - 0.9f64.powi(self.steps), 1.0 - 0.999f64.powi(self.steps));
        let (rate, root) = ((rate / one) as f32, (1.0 / two.sqrt()) as f32);
        for i in 0..parameters.len() {
            let g = gradient[i];
            self.first[i] += 0.1 * (g - self.first[i]);
            self.second[i] += 0.001 * (g * g - self.second[i]);
            parameters[i] -= rate * self.first[i] / (self.second[i].sqrt() * root + 1e-8);
        }
    }
}

/// Trains a layer of `units` hidden units on some utterances. `l2` is a penalty on the sum of the losses, as in logistic regression.
///
/// # Errors
/// If there are fewer than five utterances (none could be held out), or rows cannot be read.
pub fn fit(
    table: &Table,
    items: &[usize],
    standard: &Standard,
    units: usize,
    l2: f64,
    seed: u64,
    note: &dyn Fn(&str),
) -> Result<TrainingState> {
    let (train, held_out) = hold_out(table, items, seed);
    let n = table.rows_of(&train);
    if table.rows_of(&held_out) == 0 || n == 0 {
        let what =
            format!("--hidden needs at least 5 training utterances, to hold out a fifth: there are {}", items.len());
        return Err(Error::failed(what, "name more utterances in --train, or omit --hidden"));
    }
    let mut model = Hidden::new(table.dim(), units, table.names().len(), seed);
    let batch = (n / STEPS).next_power_of_two().clamp(16, CHUNK);
    let weights = model.sizes();
    let decay = (l2 / n as f64) as f32;
    let mut gradient = vec![0.0f32; model.parameters.len()];
    let zeros = vec![0.0f32; model.parameters.len()];
    let mut adam = Adam { first: zeros.clone(), second: zeros, steps: 0 };
    let (mut rate, mut halvings, mut room) = (RATE, 0, Room::default());
    let mut best = (mean_loss(&model, table, &held_out, standard)?, model.parameters.clone());
    for epoch in 0..EPOCHS {
        mixed_batches(table, &train, standard, batch, seed, epoch, |rows, labels| {
            model.gradient(rows, labels, &mut gradient, &mut room)?;
            if decay > 0.0 {
                let second = weights[0] + weights[1];
                for range in [0..weights[0], second..second + weights[2]] {
                    let pairs = gradient[range.clone()].iter_mut().zip(&model.parameters[range]);
                    pairs.for_each(|(g, w)| *g += decay * w);
                }
            }
            adam.step(&mut model.parameters, &gradient, rate);
            Ok(())
        })?;
        let loss = mean_loss(&model, table, &held_out, standard)?;
        note(&format!("epoch {}: held-out loss {loss:.4}", epoch + 1));
        if loss < best.0 {
            best = (loss, model.parameters.clone());
            continue;
        }
        halvings += 1;
        if halvings == HALVINGS {
            break;
        }
        rate *= 0.5;
        model.parameters.copy_from_slice(&best.1);
    }
    model.parameters = best.1;
    Ok(TrainingState { model, steps: adam.steps as usize, held_out: best.0 })
}

fn mean_loss(model: &Hidden, table: &Table, items: &[usize], standard: &Standard) -> Result<f64> {
    let sums: Vec<f64> = table
        .parts(items)
        .par_iter()
        .map(|part| {
            let (mut sum, mut hidden, mut scores) = (0.0, Vec::new(), Vec::new());
            table.chunks(part, standard, |rows, labels| {
                model.scores(rows, &mut hidden, &mut scores)?;
                sum += cross_entropy(&mut scores, labels);
                Ok(())
            })?;
            Ok(sum)
        })
        .collect::<Result<_>>()?;
    Ok(sums.iter().sum::<f64>() / table.rows_of(items).max(1) as f64)
}

/// One epoch: utterances in a random order fill a pool, whose rows are shuffled and passed to `give` in batches.
fn mixed_batches(
    table: &Table,
    items: &[usize],
    standard: &Standard,
    batch: usize,
    seed: u64,
    epoch: usize,
    mut give: impl FnMut(&[f32], &[u32]) -> Result<()>,
) -> Result<()> {
    let dim = table.dim();
    let mut rng = stream(seed, "probe/hidden/epoch", epoch as u64);
    let mut order = items.to_vec();
    shuffle(&mut order, &mut rng);
    let (mut pool, mut labels): (Vec<f32>, Vec<u32>) = (Vec::new(), Vec::new());
    let (mut rows, mut own) = (Vec::new(), Vec::new());
    for (at, &item) in order.iter().enumerate() {
        pool.extend(table.rows(item, standard)?);
        labels.extend_from_slice(&table.classes()[table.items()[item].rows.clone()]);
        let last = at + 1 == order.len();
        if labels.len() < POOL && !last {
            continue;
        }
        let mut mixed: Vec<usize> = (0..labels.len()).collect();
        shuffle(&mut mixed, &mut rng);
        let whole = if last { mixed.len() } else { mixed.len() - mixed.len() % batch };
        for some in mixed[..whole].chunks(batch) {
            rows.clear();
            own.clear();
            for &i in some {
                rows.extend_from_slice(&pool[i * dim..(i + 1) * dim]);
                own.push(labels[i]);
            }
            give(&rows, &own)?;
        }
        let left: Vec<(Vec<f32>, u32)> =
            mixed[whole..].iter().map(|&i| (pool[i * dim..(i + 1) * dim].to_vec(), labels[i])).collect();
        pool.clear();
        labels.clear();
        for (row, label) in left {
            pool.extend(row);
            labels.push(label);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::probe::fixtures::{Corpus, reading};
    use crate::eval::probe::protocol::Protocol;
    use crate::eval::probe::softmax::argmax;
    use crate::eval::probe::standardize::standardize;
    use crate::eval::probe::table::Reading;

    /// Class 1 where the signs of the two columns differ: no straight line separates the classes.
    fn exclusive_or() -> Corpus {
        let mut corpus = Corpus::new(30, 60, 2, 2);
        for (rows, ids) in corpus.rows.iter_mut().zip(&mut corpus.ids) {
            let class = |x: &[f32]| u32::from((x[0] > 0.0) != (x[1] > 0.0));
            rows.iter_mut().for_each(|x| *x = (*x * 7.3).sin());
            *ids = rows.chunks_exact(2).map(class).collect();
        }
        corpus
    }

    fn train(corpus: &Corpus, limit: usize, seed: u64) -> (f64, Vec<f32>) {
        let set = corpus.set();
        let reading = Reading { limit, ..reading(Protocol::Frame) };
        let table = Table::gather(&set, &corpus.ids(), &corpus.labels(), &reading).unwrap();
        let standard = standardize(&table, &(0..24).collect::<Vec<_>>()).unwrap();
        let trained = fit(&table, &(0..24).collect::<Vec<_>>(), &standard, 16, 0.0, seed, &|_| ()).unwrap();
        let (mut right, mut all, mut said) = (0, 0, Vec::new());
        for item in 24..30 {
            let rows = table.rows(item, &standard).unwrap();
            let mut scores = Vec::new();
            trained.model.scores(&rows, &mut Vec::new(), &mut scores).unwrap();
            said.clear();
            argmax(&scores, 60, &mut said);
            let truth = &table.classes()[table.items()[item].rows.clone()];
            right += said.iter().zip(truth).filter(|(a, b)| a == b).count();
            all += truth.len();
        }
        (right as f64 / all as f64, trained.model.parameters)
    }

    #[test]
    fn learns_what_no_linear_probe_can_and_repeats_by_its_seed() {
        let corpus = exclusive_or();
        let (accuracy, parameters) = train(&corpus, usize::MAX, 1);
        assert!(accuracy > 0.9, "{accuracy}");
        assert_eq!(parameters, train(&corpus, 0, 1).1, "streamed");
        assert_ne!(parameters, train(&corpus, 0, 2).1);
    }

    #[test]
    fn the_gradient_is_that_of_the_loss() {
        let mut model = Hidden::new(3, 5, 4, 1);
        let mut rng = stream(2, "x", 0);
        let rows: Vec<f32> = (0..7 * 3).map(|_| rng.normal()).collect();
        let labels = [0, 1, 2, 3, 0, 1, 2];
        let mut gradient = vec![0.0; model.parameters.len()];
        model.gradient(&rows, &labels, &mut gradient, &mut Room::default()).unwrap();
        let mut other = gradient.clone();
        for (i, &wanted) in gradient.iter().enumerate() {
            let mut at = |d: f32| {
                let kept = model.parameters[i];
                model.parameters[i] += d;
                let loss = model.gradient(&rows, &labels, &mut other, &mut Room::default()).unwrap();
                model.parameters[i] = kept;
                loss
            };
            let slope = (at(1e-3) - at(-1e-3)) / 2e-3;
            assert!((slope - f64::from(wanted)).abs() < 2e-3, "{i}: {slope} {wanted}");
        }
    }
}
