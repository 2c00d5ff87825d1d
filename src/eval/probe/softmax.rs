//! Softmax and cross-entropy of a block of rows, in place.
//!
//! Scores are stored class by class, (K, [`CHUNK`]), so that every inner loop runs over adjacent rows. For a row with label y,
//! loss = log sum_k e^(s_k) - s_y and d loss / d s_k = softmax(s)_k - [k = y].

use crate::eval::probe::table::CHUNK;
use crate::ops::simd::{exp, vectorized};

/// Replaces the scores (K, CHUNK) of `labels.len()` rows with the gradient of their losses, and returns the sum of the losses.
pub fn cross_entropy(scores: &mut [f32], labels: &[u32]) -> f64 {
    let n = labels.len();
    let (mut high, mut sum) = ([f32::NEG_INFINITY; CHUNK], [0.0f32; CHUNK]);
    let mut own = [0.0f32; CHUNK];
    for (j, &label) in labels.iter().enumerate() {
        own[j] = scores[label as usize * CHUNK + j];
    }
    let (high, sum) = (&mut high[..n], &mut sum[..n]);
    vectorized(|| {
        for row in scores.chunks_exact(CHUNK) {
            for (h, &s) in high.iter_mut().zip(&row[..n]) {
                *h = if s > *h { s } else { *h };
            }
        }
        for row in scores.chunks_exact_mut(CHUNK) {
            for ((s, &h), total) in row[..n].iter_mut().zip(&*high).zip(&mut *sum) {
                *s = exp(*s - h);
                *total += *s;
            }
        }
    });
    let mut loss = 0.0;
    for j in 0..n {
        loss += f64::from(sum[j]).ln() + (f64::from(high[j]) - f64::from(own[j]));
        sum[j] = 1.0 / sum[j];
    }
    vectorized(|| {
        for row in scores.chunks_exact_mut(CHUNK) {
            for (s, &scale) in row[..n].iter_mut().zip(&*sum) {
                *s *= scale;
            }
        }
    });
    for (j, &label) in labels.iter().enumerate() {
        scores[label as usize * CHUNK + j] -= 1.0;
    }
    loss
}

/// Replaces the scores (K, CHUNK) of `n` rows with probabilities.
pub fn probabilities(scores: &mut [f32], n: usize) {
    let labels = [0; CHUNK];
    cross_entropy(scores, &labels[..n]);
    scores[..n].iter_mut().for_each(|p| *p += 1.0);
}

/// Appends the class with the highest score (the first one in a tie) for each of `n` rows.
pub fn argmax(scores: &[f32], n: usize, out: &mut Vec<u32>) {
    let (mut high, mut best) = ([f32::NEG_INFINITY; CHUNK], [0u32; CHUNK]);
    for (k, row) in scores.chunks_exact(CHUNK).enumerate() {
        for ((h, b), &s) in high.iter_mut().zip(&mut best).zip(&row[..n]) {
            if s > *h {
                (*h, *b) = (s, k as u32);
            }
        }
    }
    out.extend_from_slice(&best[..n]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_and_gradient_are_those_of_the_formula_also_for_large_scores() {
        let columns = [[0.5f32, -1.0, 2.0], [1000.0, 999.0, -1000.0], [-500.0, -500.0, -500.0]];
        let labels = [0, 1, 2];
        let mut scores = vec![0.0f32; 3 * CHUNK];
        for (j, column) in columns.iter().enumerate() {
            (0..3).for_each(|k| scores[k * CHUNK + j] = column[k]);
        }
        let mut best = Vec::new();
        argmax(&scores, 3, &mut best);
        assert_eq!(best, [2, 0, 0]);
        let loss = cross_entropy(&mut scores, &labels);
        let mut want = 0.0;
        for (j, column) in columns.iter().enumerate() {
            let high = column.iter().fold(f64::MIN, |h, &s| h.max(f64::from(s)));
            let sum: f64 = column.iter().map(|&s| (f64::from(s) - high).exp()).sum();
            want += sum.ln() + high - f64::from(column[labels[j] as usize]);
            for k in 0..3 {
                let p = (f64::from(column[k]) - high).exp() / sum;
                let gradient = p - f64::from(u8::from(k == labels[j] as usize));
                assert!((f64::from(scores[k * CHUNK + j]) - gradient).abs() < 1e-6);
            }
        }
        assert!((loss - want).abs() < 1e-5 * want, "{loss} {want}");
    }
}
