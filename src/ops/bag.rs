//! Means of rows over sentences of uneven lengths: what becomes of tokens' vectors when a sentence is one.
//!
//! A token's vector is computed once, however often the token comes; a sentence is a list of the rows of its tokens. No
//! sentence is filled up, so nothing is averaged but real tokens.

use super::function::{Floats, Form, function};
use crate::error::{Error, Result};
use candle_core::{Device, Tensor};
use rayon::prelude::*;
use std::sync::Arc;

/// Sentences as lists of rows.
#[derive(Debug, Clone)]
pub struct Bags {
    /// The rows of all sentences, end to end (T).
    pub rows: Arc<[u32]>,
    /// Where each sentence begins in `rows`, and at last T: (S + 1). No sentence is empty.
    pub offsets: Arc<[u32]>,
}

impl Bags {
    /// S.
    pub fn len(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// There are no sentences.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn range(&self, s: usize) -> std::ops::Range<usize> {
        self.offsets[s] as usize..self.offsets[s + 1] as usize
    }

    fn check(&self, rows: usize) -> Result<()> {
        let ordered = self.offsets.windows(2).all(|pair| pair[0] < pair[1]);
        let whole = self.offsets.first() == Some(&0) && self.offsets.last() == Some(&(self.rows.len() as u32));
        if ordered && whole && self.rows.iter().all(|&row| (row as usize) < rows) {
            return Ok(());
        }
        let what = format!("{} sentences of {} tokens do not fit {rows} rows", self.len(), self.rows.len());
        Err(Error::Tensor(candle_core::Error::Msg(what)))
    }

    /// For each of `rows` rows, the sentences that have it, once for each time: (rows + 1) beginnings, and the sentences.
    fn by_row(&self, rows: usize) -> (Vec<u32>, Vec<u32>) {
        let mut ends = vec![0u32; rows + 1];
        self.rows.iter().for_each(|&row| ends[row as usize + 1] += 1);
        for i in 0..rows {
            ends[i + 1] += ends[i];
        }
        let (mut next, mut sentences) = (ends.clone(), vec![0u32; self.rows.len()]);
        for s in 0..self.len() {
            for &row in &self.rows[self.range(s)] {
                let place = &mut next[row as usize];
                sentences[*place as usize] = s as u32;
                *place += 1;
            }
        }
        (ends, sentences)
    }
}

/// The mean of the rows of each sentence: (S, D) of `x` (U, D).
///
/// # Errors
/// A sentence is empty, or names a row that is not there.
pub fn means(x: &Tensor, bags: &Bags) -> Result<Tensor> {
    match Form::of(x) {
        Form::Fused => fused(x, bags),
        Form::Composed => composed(x, bags),
    }
}

/// [`means`] by candle's operations.
pub fn composed(x: &Tensor, bags: &Bags) -> Result<Tensor> {
    let (rows, dim) = x.dims2()?;
    bags.check(rows)?;
    let tokens = bags.rows.len();
    let (mut sentence, mut share) = (Vec::with_capacity(tokens), Vec::with_capacity(tokens));
    for s in 0..bags.len() {
        let n = bags.range(s).len();
        sentence.extend(std::iter::repeat_n(s as u32, n));
        share.extend(std::iter::repeat_n(1.0 / n as f64, n));
    }
    let index = Tensor::from_slice(&bags.rows, tokens, x.device())?;
    let sentence = Tensor::from_vec(sentence, tokens, x.device())?;
    let share = Tensor::from_vec(share, (tokens, 1), &Device::Cpu)?.to_dtype(x.dtype())?.to_device(x.device())?;
    let each = x.contiguous()?.index_select(&index, 0)?.broadcast_mul(&share)?;
    let zeros = Tensor::zeros((bags.len(), dim), x.dtype(), x.device())?;
    Ok(zeros.index_add(&sentence, &each, 0)?)
}

/// [`means`] on the CPU in f32.
pub fn fused(x: &Tensor, bags: &Bags) -> Result<Tensor> {
    let x = x.contiguous()?;
    let (rows, dim) = x.dims2()?;
    bags.check(rows)?;
    let mut means = vec![0.0f32; bags.len() * dim];
    {
        let x = Floats::of(&x)?;
        means.par_chunks_mut(dim).enumerate().with_min_len(16).for_each(|(s, mean)| {
            let range = bags.range(s);
            let share = 1.0 / range.len() as f32;
            for &row in &bags.rows[range] {
                let row = &x[row as usize * dim..][..dim];
                mean.iter_mut().zip(row).for_each(|(m, v)| *m += v);
            }
            mean.iter_mut().for_each(|m| *m *= share);
        });
    }
    let means = Tensor::from_vec(means, (bags.len(), dim), &Device::Cpu)?;
    let kept = bags.clone();
    let backward = move |grad: &Tensor| -> Result<[Option<Tensor>; 3]> {
        let grad = grad.contiguous()?;
        let g = Floats::of(&grad)?;
        let (ends, sentences) = kept.by_row(rows);
        let mut d = vec![0.0f32; rows * dim];
        d.par_chunks_mut(dim).enumerate().with_min_len(16).for_each(|(row, d)| {
            for &s in &sentences[ends[row] as usize..ends[row + 1] as usize] {
                let share = 1.0 / kept.range(s as usize).len() as f32;
                let g = &g[s as usize * dim..][..dim];
                d.iter_mut().zip(g).for_each(|(d, g)| *d += share * g);
            }
        });
        Ok([Some(Tensor::from_vec(d, (rows, dim), &Device::Cpu)?), None, None])
    };
    let constant = Tensor::zeros(1, x.dtype(), x.device())?;
    function([&x, &constant, &constant], means, backward)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::{close, finite_differences, random, same};
    use candle_core::DType;

    fn bags(sentences: &[&[u32]]) -> Bags {
        let mut offsets = vec![0];
        let rows: Vec<u32> = sentences.iter().flat_map(|s| s.iter().copied()).collect();
        sentences.iter().for_each(|s| offsets.push(offsets[offsets.len() - 1] + s.len() as u32));
        Bags { rows: rows.into(), offsets: offsets.into() }
    }

    #[test]
    fn fused_equals_composed_equals_finite_differences() {
        let bags = bags(&[&[0, 3, 3], &[1], &[4, 0, 2, 1, 4]]);
        for dim in [1, 7, 33] {
            let inputs = [random(&[6, dim], 1)]; // row 5 is in no sentence
            same(|t| fused(&t[0], &bags), |t| composed(&t[0], &bags), &inputs);
            finite_differences(|t| composed(&t[0], &bags), &inputs);
        }
    }

    #[test]
    fn a_mean_is_over_the_sentences_own_tokens() {
        let x = Tensor::new(&[[1f32, 10.0], [2.0, 20.0], [6.0, 60.0]], &Device::Cpu).unwrap();
        let all = bags(&[&[0, 0, 2], &[1]]);
        for form in [fused, composed] {
            let close_to = |y: Tensor, want: &[f32]| {
                let far = (y.flatten_all().unwrap() - Tensor::new(want, &Device::Cpu).unwrap()).unwrap().abs().unwrap();
                assert!(far.max_all().unwrap().to_scalar::<f32>().unwrap() < 1e-5);
            };
            close_to(form(&x, &all).unwrap(), &[8.0 / 3.0, 80.0 / 3.0, 2.0, 20.0]);
            close_to(form(&x, &bags(&[&[1]])).unwrap(), &[2.0, 20.0]);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let x = random(&[3, 2], 1).to_dtype(DType::F32).unwrap();
        close(&means(&x, &bags(&[&[0]])).unwrap(), &x.narrow(0, 0, 1).unwrap(), 1e-6);
        for wrong in [bags(&[&[3]]), bags(&[&[0], &[]]), Bags { rows: [0].into(), offsets: [0, 2].into() }] {
            assert!(means(&x, &wrong).is_err());
        }
    }
}
