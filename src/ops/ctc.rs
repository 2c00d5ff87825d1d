//! Connectionist temporal classification (Graves et al. 2006): how unlikely a sequence of labels is, whatever its alignment to the frames.
//!
//! Frame t says one of K labels or nothing, the blank. A path says a sequence once equal neighbours are merged and blanks are dropped. The
//! loss of a sequence is the negative log of the summed probability of all paths that say it, which the forward-backward algorithm computes
//! over the states of the sequence: its labels, with a blank before, between and after them.

use crate::error::Result;
use crate::ops::function::function;
use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;

/// The number of frames that `labels` need at least: one each, and one for the blank between two that are equal.
pub fn frames_needed(labels: &[usize]) -> usize {
    labels.len() + labels.windows(2).filter(|pair| pair[0] == pair[1]).count()
}

/// The negative log-likelihood of each row's labels, (B), in nats.
///
/// `scores` (B, T, K + 1) are not normalized; the last column is the blank. `lengths` are the frames of each row that count, and `labels` are
/// its labels, each less than K. A row with fewer frames than [`frames_needed`] cannot say its labels: its loss and its gradient are 0, as by
/// `zero_infinity` in PyTorch. The sums are in f64 on the CPU for scores of any type on any device.
///
/// # Errors
/// A tensor operation fails.
///
/// # Panics
/// There are fewer lengths or labels than rows, a length is over T, or a label is not less than K.
pub fn ctc(scores: &Tensor, lengths: &[usize], labels: &[&[usize]]) -> Result<Tensor> {
    let (rows, time, width) = scores.dims3()?;
    let values = scores.detach().to_device(&Device::Cpu)?.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?;
    let row = |b: usize| of_row(&values[b * time * width..][..lengths[b] * width], width, labels[b]);
    let each: Vec<(f64, Vec<f64>)> = (0..rows).into_par_iter().map(row).collect();
    let mut losses = Vec::with_capacity(rows);
    let mut slopes = vec![0.0; rows * time * width];
    for (b, (loss, slope)) in each.into_iter().enumerate() {
        losses.push(loss);
        slopes[b * time * width..][..slope.len()].copy_from_slice(&slope);
    }
    let here = |values: Vec<f64>, shape: &[usize]| -> Result<Tensor> {
        Ok(Tensor::from_vec(values, shape, &Device::Cpu)?.to_dtype(scores.dtype())?.to_device(scores.device())?)
    };
    let (losses, slopes) = (here(losses, &[rows])?, here(slopes, &[rows, time, width])?);
    let constant = Tensor::zeros(1, scores.dtype(), scores.device())?;
    function([scores, &constant, &constant], losses, move |grad| {
        Ok([Some(slopes.broadcast_mul(&grad.reshape((rows, 1, 1))?)?), None, None])
    })
}

/// The loss of one row with `scores` (T, W), and its gradient.
fn of_row(scores: &[f64], width: usize, labels: &[usize]) -> (f64, Vec<f64>) {
    let time = scores.len() / width;
    if time == 0 || time < frames_needed(labels) {
        return (0.0, vec![0.0; scores.len()]);
    }
    let mut log_p = scores.to_vec();
    log_p.chunks_exact_mut(width).for_each(log_softmax);
    let blank = width - 1;
    let states = 2 * labels.len() + 1;
    let said = |s: usize| if s.is_multiple_of(2) { blank } else { labels[s / 2] };
    // A label may follow the one before without a blank if it differs from it.
    let skips = |s: usize| s % 2 == 1 && s >= 3 && said(s) != said(s - 2);
    let p = |t: usize, s: usize| log_p[t * width + said(s)];

    let mut before = vec![f64::NEG_INFINITY; time * states];
    before[0] = p(0, 0);
    if states > 1 {
        before[1] = p(0, 1);
    }
    for t in 1..time {
        let (done, rest) = before.split_at_mut(t * states);
        let last = &done[(t - 1) * states..];
        for s in 0..states {
            let one = if s >= 1 { last[s - 1] } else { f64::NEG_INFINITY };
            let two = if skips(s) { last[s - 2] } else { f64::NEG_INFINITY };
            rest[s] = log_add(log_add(last[s], one), two) + p(t, s);
        }
    }
    let end = &before[(time - 1) * states..];
    let total = if states > 1 { log_add(end[states - 1], end[states - 2]) } else { end[0] };

    let mut slope: Vec<f64> = log_p.iter().map(|v| v.exp()).collect();
    // The log-probability of what follows frame t in each state.
    let mut after = vec![f64::NEG_INFINITY; states];
    after[states.saturating_sub(2)..].fill(0.0);
    for t in (0..time).rev() {
        for s in 0..states {
            slope[t * width + said(s)] -= (before[t * states + s] + after[s] - total).exp();
        }
        if t > 0 {
            let at = |s: usize| after[s] + p(t, s);
            let earlier = |s: usize| {
                let one = if s + 1 < states { at(s + 1) } else { f64::NEG_INFINITY };
                let two = if s + 2 < states && skips(s + 2) { at(s + 2) } else { f64::NEG_INFINITY };
                log_add(log_add(at(s), one), two)
            };
            after = (0..states).map(earlier).collect();
        }
    }
    (-total, slope)
}

/// log(exp(a) + exp(b)).
pub fn log_add(a: f64, b: f64) -> f64 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    if low == f64::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() }
}

/// Subtracts the log of the sum of exponentials.
pub fn log_softmax(row: &mut [f64]) {
    let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum = most + row.iter().map(|v| (v - most).exp()).sum::<f64>().ln();
    row.iter_mut().for_each(|v| *v -= sum);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::{close, finite_differences, random, same};
    use candle_core::Var;

    const ROWS: [&[usize]; 4] = [&[0, 1, 1, 2], &[2], &[], &[0, 0, 0, 0]];
    const LENGTHS: [usize; 4] = [7, 4, 6, 6];

    /// The loss by the sum over every path.
    fn by_all_paths(scores: &[f64], width: usize, labels: &[usize]) -> f64 {
        let mut log_p = scores.to_vec();
        log_p.chunks_exact_mut(width).for_each(log_softmax);
        let time = scores.len() / width;
        let mut sum = 0.0;
        for path in 0..width.pow(time as u32) {
            let at = |t: usize| path / width.pow(t as u32) % width;
            let mut said: Vec<usize> = (0..time).map(at).collect();
            said.dedup();
            said.retain(|&k| k + 1 < width);
            if said == labels {
                sum += (0..time).map(|t| log_p[t * width + at(t)]).sum::<f64>().exp();
            }
        }
        -sum.ln()
    }

    #[test]
    fn the_loss_is_that_of_all_paths_and_a_row_that_is_too_short_costs_nothing() {
        let scores = random(&[4, 7, 4], 5);
        let losses = ctc(&scores, &LENGTHS, &ROWS).unwrap().to_vec1::<f64>().unwrap();
        let values = scores.flatten_all().unwrap().to_vec1::<f64>().unwrap();
        for b in 0..3 {
            let wanted = by_all_paths(&values[b * 28..][..LENGTHS[b] * 4], 4, ROWS[b]);
            assert!((losses[b] - wanted).abs() < 1e-12, "{b}: {} against {wanted}", losses[b]);
        }
        assert_eq!((losses[3], frames_needed(ROWS[3])), (0.0, 7));
        // Scores of any size.
        let huge = (scores * 1e4).unwrap();
        assert!(ctc(&huge, &LENGTHS, &ROWS).unwrap().to_vec1::<f64>().unwrap().iter().all(|l| l.is_finite()));
    }

    #[test]
    fn gradients_are_finite_differences_in_any_type() {
        let op = |t: &[Tensor]| ctc(&t[0], &LENGTHS, &ROWS);
        finite_differences(op, &[random(&[4, 7, 4], 6)]);
        same(op, op, &[random(&[4, 7, 4], 7)]);
    }

    #[test]
    fn loss_and_gradient_are_pytorchs() {
        // torch.nn.functional.ctc_loss(scores.log_softmax(-1).transpose(0, 1), ..., blank=4, reduction="none", zero_infinity=True) and the
        // gradient of the sum of losses times 1 to 5; made by tests/golden/ctc/make.py.
        let path = format!("{}/tests/golden/ctc/ctc.json", env!("CARGO_MANIFEST_DIR"));
        let golden: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let floats = |key: &str| -> Vec<f64> { serde_json::from_value(golden[key].clone()).unwrap() };
        let lengths: Vec<usize> = serde_json::from_value(golden["lengths"].clone()).unwrap();
        let labels: Vec<Vec<usize>> = serde_json::from_value(golden["labels"].clone()).unwrap();
        let labels: Vec<&[usize]> = labels.iter().map(Vec::as_slice).collect();
        let tensor = |key: &str, shape: &[usize]| Tensor::from_vec(floats(key), shape, &Device::Cpu).unwrap();
        let rows = lengths.len();
        let shape = [rows, 30, 5];
        let scores = Var::from_tensor(&tensor("scores", &shape).to_dtype(DType::F32).unwrap()).unwrap();
        let losses = ctc(&scores, &lengths, &labels).unwrap();
        close(&losses, &tensor("losses", &[rows]), 1e-6);
        let weights = Tensor::arange(1f32, rows as f32 + 1.0, &Device::Cpu).unwrap();
        let grads = (losses * weights).unwrap().sum_all().unwrap().backward().unwrap();
        close(grads.get(&scores).unwrap(), &tensor("gradient", &shape), 1e-6);
    }
}
