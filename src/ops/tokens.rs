//! The sentence encoder as one operation: convolution over tokens, ReLU, mean over the tokens of a sentence (van den Oord et al.
//! 2018, section 3.3).
//!
//! ```text
//! y[t] = relu(b + sum_j W[:, :, j] E[token(t + j - k/2)])        z[s] = mean of y[t] over the tokens t of sentence s
//! ```
//! with zeros where a tap reaches past either end of the sentence. Sentences are concatenated without padding, so padding is neither computed
//! nor averaged over (a public port of the paper divides by a fixed 32 tokens).
//!
//! A tap of a convolution commutes with the lookup: `W_j E[token]` is computed once for each *distinct* token of the batch, and a token's
//! output is the sum of k of those rows. There are a fifth to a tenth as many distinct tokens as tokens. With k = 1, the authors' own setting,
//! bias and ReLU commute as well, and a sentence is the mean of rows. Backward works the same way: gradients are gathered for each distinct
//! token, and three products of that size do the rest.

use crate::error::{Error, Result};
use crate::ops::function::{Floats, Form, function};
use crate::ops::matrix::{View, ViewMut, multiply};
use crate::ops::norm::add_columns;
use crate::ops::simd::kernel;
use candle_core::{Device, Tensor};
use rayon::prelude::*;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// The tokens of a batch of sentences: the distinct tokens, and the positions of each. Clones share them.
#[derive(Debug, Clone)]
pub struct Sentences {
    distinct: Arc<[u32]>, // (U), ascending
    index: Arc<[u32]>,    // (N), the place of each token in `distinct`
    offsets: Arc<[u32]>,  // (S + 1)
}

fn unfit(what: String) -> Error {
    Error::Tensor(candle_core::Error::Msg(what))
}

impl Sentences {
    /// Sentence i is `ids[offsets[i]..offsets[i + 1]]`.
    ///
    /// # Errors
    /// If `offsets` do not go from 0 to the end of `ids` in steps of at least one token.
    pub fn new(ids: &[u32], offsets: &[u32]) -> Result<Self> {
        let whole = offsets.first() == Some(&0) && offsets.last().is_some_and(|&end| end as usize == ids.len());
        if !whole || offsets.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err(unfit(format!("{} offsets do not cut {} tokens into sentences", offsets.len(), ids.len())));
        }
        let mut distinct = ids.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        let index = ids.iter().map(|id| distinct.partition_point(|d| d < id) as u32).collect();
        Ok(Sentences { distinct: distinct.into(), index, offsets: offsets.into() })
    }

    /// The distinct tokens, ascending; [`encode`] takes their embeddings.
    pub fn distinct(&self) -> &Arc<[u32]> {
        &self.distinct
    }

    /// Number of sentences.
    pub fn count(&self) -> usize {
        self.offsets.len() - 1
    }

    /// For each sentence, the first sentence with the same tokens: itself, unless it is a repetition.
    pub fn texts(&self) -> Vec<u32> {
        let mut first = HashMap::with_capacity(self.count());
        (0..self.count()).map(|s| *first.entry(&self.index[self.tokens(s)]).or_insert(s as u32)).collect()
    }

    fn tokens(&self, sentence: usize) -> Range<usize> {
        self.offsets[sentence] as usize..self.offsets[sentence + 1] as usize
    }

    /// The sentence of each token, (N).
    fn owners(&self) -> Vec<u32> {
        (0..self.count()).flat_map(|s| self.tokens(s).map(move |_| s as u32)).collect()
    }

    /// The positions of each distinct token, in token order: (where each token's positions begin (U + 1), positions (N)).
    fn places(&self) -> (Vec<u32>, Vec<u32>) {
        let mut starts = vec![0u32; self.distinct.len() + 1];
        self.index.iter().for_each(|&u| starts[u as usize + 1] += 1);
        for u in 1..starts.len() {
            starts[u] += starts[u - 1];
        }
        let mut next = starts.clone();
        let mut places = vec![0u32; self.index.len()];
        for (t, &u) in self.index.iter().enumerate() {
            places[next[u as usize] as usize] = t as u32;
            next[u as usize] += 1;
        }
        (starts, places)
    }
}

/// The sizes of one call: distinct tokens, embedding dimensions, output dimensions, taps.
#[derive(Clone, Copy)]
struct Sizes {
    rows: usize,
    inputs: usize,
    dim: usize,
    taps: usize,
}

fn check(rows: &Tensor, weight: &Tensor, bias: &Tensor, sentences: &Sentences) -> Result<Sizes> {
    let ((n, inputs), (dim, w_inputs, taps)) = (rows.dims2()?, weight.dims3()?);
    if n != sentences.distinct.len() || inputs != w_inputs || bias.dims() != [dim] || taps % 2 == 0 {
        return Err(unfit(format!(
            "{n} x {inputs} embeddings of {} tokens, a weight {:?} (an odd kernel last) and a bias {:?} do not match",
            sentences.distinct.len(),
            weight.dims(),
            bias.dims()
        )));
    }
    Ok(Sizes { rows: n, inputs, dim, taps })
}

/// Returns z (S, D) of sentences, from the embeddings `rows` (U, M) of their distinct tokens, `weight` (D, M, k) with k odd, and `bias` (D).
///
/// The z of a sentence depends on that sentence alone.
pub fn encode(rows: &Tensor, weight: &Tensor, bias: &Tensor, sentences: &Sentences) -> Result<Tensor> {
    match Form::of(rows) {
        Form::Fused => fused(rows, weight, bias, sentences),
        _ => composed(rows, weight, bias, sentences),
    }
}

/// [`encode`] built from candle operations: one product per tap, selected rows, and sums by `index_add`.
pub fn composed(rows: &Tensor, weight: &Tensor, bias: &Tensor, sentences: &Sentences) -> Result<Tensor> {
    let Sizes { rows: nothing, inputs, dim, taps } = check(rows, weight, bias, sentences)?;
    let (device, dtype) = (rows.device(), rows.dtype());
    let tokens = sentences.index.len();
    let rows = Tensor::cat(&[rows, &Tensor::zeros((1, inputs), dtype, device)?], 0)?; // the last row is for positions outside
    let owners = sentences.owners();
    let mut y: Option<Tensor> = None;
    for j in 0..taps {
        let picked = |(t, &s): (usize, &u32)| match (t + j).checked_sub(taps / 2) {
            Some(at) if sentences.tokens(s as usize).contains(&at) => sentences.index[at],
            _ => nothing as u32,
        };
        let picked = Tensor::from_vec(owners.iter().enumerate().map(picked).collect(), tokens, device)?;
        let weight = weight.narrow(2, j, 1)?.squeeze(2)?.t()?.contiguous()?;
        let part = rows.matmul(&weight)?.index_select(&picked, 0)?; // (N, D)
        y = Some(match y {
            Some(y) => (y + part)?,
            None => part,
        });
    }
    let y = y.ok_or_else(|| unfit("a kernel with no taps".into()))?.broadcast_add(bias)?.relu()?;
    let share: Vec<f64> = owners.iter().map(|&s| 1.0 / sentences.tokens(s as usize).len() as f64).collect();
    let y =
        y.broadcast_mul(&Tensor::from_vec(share, (tokens, 1), &Device::Cpu)?.to_dtype(dtype)?.to_device(device)?)?;
    let z = Tensor::zeros((sentences.count(), dim), dtype, device)?;
    Ok(z.index_add(&Tensor::from_vec(owners, tokens, device)?, &y, 0)?)
}

/// Rows per task: few, because some tokens are a thousand times as frequent as others.
const ROWS: usize = 16;

/// [`encode`] on the CPU in f32.
pub fn fused(rows: &Tensor, weight: &Tensor, bias: &Tensor, sentences: &Sentences) -> Result<Tensor> {
    let sizes = check(rows, weight, bias, sentences)?;
    let Sizes { dim, taps, .. } = sizes;
    let (rows, weight, bias) = (rows.contiguous()?, weight.contiguous()?, bias.contiguous()?);
    let packed = sizes.pack(&Floats::of(&weight)?);
    let bias_values = bias.to_vec1::<f32>()?;
    let products = sizes.products(&Floats::of(&rows)?, &packed)?;
    let mut z = vec![0.0f32; sentences.count() * dim];
    // The outputs whose signs backward needs: those of the distinct tokens with one tap, else those of all tokens.
    let kept = if taps == 1 {
        let mut y = products;
        y.par_chunks_mut(ROWS * dim).for_each(|y| add_relu(y, &bias_values));
        z.par_chunks_mut(ROWS * dim).enumerate().for_each(|(task, z)| {
            for (i, z) in z.chunks_exact_mut(dim).enumerate() {
                mean_rows(&y, &sentences.index[sentences.tokens(task * ROWS + i)], z);
            }
        });
        y
    } else {
        let mut y = vec![0.0f32; sentences.index.len() * dim];
        let mut rest = y.as_mut_slice();
        let mut parts = Vec::with_capacity(sentences.count());
        for s in 0..sentences.count() {
            let (part, after) = rest.split_at_mut(sentences.tokens(s).len() * dim);
            parts.push((part, &sentences.index[sentences.tokens(s)]));
            rest = after;
        }
        parts.into_par_iter().zip(z.par_chunks_exact_mut(dim)).for_each(|((y, index), z)| {
            taps_of_sentence(&products, index, taps, &bias_values, y, z);
        });
        y
    };
    let z = Tensor::from_vec(z, (sentences.count(), dim), &Device::Cpu)?;
    let (kept_rows, sentences) = (rows.detach(), sentences.clone());
    let backward = move |grad: &Tensor| -> Result<[Option<Tensor>; 3]> {
        let grad = grad.contiguous()?;
        let d = sizes.gather(&Floats::of(&grad)?, &kept, &sentences);
        sizes.gradients(&d, &Floats::of(&kept_rows)?, &packed)
    };
    function([&rows, &weight, &bias], z, backward)
}

impl Sizes {
    /// Reorders a weight (D, M, k) with taps first: (k*D, M).
    fn pack(&self, weight: &[f32]) -> Vec<f32> {
        if self.taps == 1 {
            return weight.to_vec();
        }
        let mut packed = vec![0.0; weight.len()];
        packed.par_chunks_exact_mut(self.inputs).enumerate().for_each(|(row, to)| {
            let (j, d) = (row / self.dim, row % self.dim);
            let from = &weight[d * self.inputs * self.taps + j..];
            to.iter_mut().zip(from.iter().step_by(self.taps)).for_each(|(t, f)| *t = *f);
        });
        packed
    }

    /// The inverse of [`Sizes::pack`].
    fn unpack(&self, packed: Vec<f32>) -> Vec<f32> {
        if self.taps == 1 {
            return packed;
        }
        let mut weight = vec![0.0; packed.len()];
        weight.par_chunks_exact_mut(self.inputs * self.taps).enumerate().for_each(|(d, to)| {
            for (j, from) in packed.chunks_exact(self.dim * self.inputs).enumerate() {
                let from = &from[d * self.inputs..(d + 1) * self.inputs];
                to[j..].iter_mut().step_by(self.taps).zip(from).for_each(|(t, f)| *t = *f);
            }
        });
        weight
    }

    /// `W_j E[u]` for each distinct token and tap: (U, k, D).
    fn products(&self, rows: &[f32], packed: &[f32]) -> Result<Vec<f32>> {
        let width = self.taps * self.dim;
        let mut out = vec![0.0f32; self.rows * width];
        let (x, w) = (
            View::new(rows, self.rows, self.inputs, self.inputs)?,
            View::new(packed, width, self.inputs, self.inputs)?,
        );
        multiply(ViewMut::new(&mut out, self.rows, width, width)?, false, x, w.t(), false)?;
        Ok(out)
    }

    /// The gradient of [`Sizes::products`], (U, k, D), from that of z (S, D). Each row is summed by one thread in token order.
    fn gather(&self, grad: &[f32], kept: &[f32], sentences: &Sentences) -> Vec<f32> {
        let (dim, taps) = (self.dim, self.taps);
        let mut shares = grad.to_vec();
        for (s, row) in shares.chunks_exact_mut(dim).enumerate() {
            let n = sentences.tokens(s).len() as f32;
            row.iter_mut().for_each(|g| *g /= n);
        }
        let owners = sentences.owners();
        let (starts, places) = sentences.places();
        let mut d = vec![0.0f32; self.rows * taps * dim];
        d.par_chunks_mut(ROWS * taps * dim).enumerate().for_each(|(task, d)| {
            for (i, d) in d.chunks_exact_mut(taps * dim).enumerate() {
                let u = task * ROWS + i;
                let places = &places[starts[u] as usize..starts[u + 1] as usize];
                if taps == 1 {
                    gather_gated(&shares, places, &owners, &kept[u * dim..(u + 1) * dim], d);
                    continue;
                }
                for &t in places {
                    let s = owners[t as usize] as usize;
                    let share = &shares[s * dim..(s + 1) * dim];
                    for (j, d) in d.chunks_exact_mut(dim).enumerate() {
                        // Tap j of the output at `to` reads this token.
                        match (t as usize + taps / 2).checked_sub(j) {
                            Some(to) if sentences.tokens(s).contains(&to) => {
                                add_gated(share, &kept[to * dim..(to + 1) * dim], d);
                            }
                            _ => {}
                        }
                    }
                }
            }
        });
        d
    }

    /// The gradients of rows, weight and bias from that of the products.
    fn gradients(&self, d: &[f32], rows: &[f32], packed: &[f32]) -> Result<[Option<Tensor>; 3]> {
        let Sizes { rows: n, inputs, dim, taps } = *self;
        let width = taps * dim;
        let (d_view, w) = (View::new(d, n, width, width)?, View::new(packed, width, inputs, inputs)?);
        let mut d_rows = vec![0.0f32; n * inputs];
        multiply(ViewMut::new(&mut d_rows, n, inputs, inputs)?, false, d_view, w, false)?;
        let mut d_weight = vec![0.0f32; width * inputs];
        let x = View::new(rows, n, inputs, inputs)?;
        multiply(ViewMut::new(&mut d_weight, width, inputs, inputs)?, false, d_view.t(), x, false)?;
        // The middle tap of every output is inside its sentence, so its gradients are those of all outputs, each counted once.
        let mut d_bias = vec![0.0f32; dim];
        let middle = taps / 2 * dim;
        d.chunks_exact(width).for_each(|row| add_columns(&row[middle..middle + dim], &mut d_bias));
        Ok([
            Some(Tensor::from_vec(d_rows, (n, inputs), &Device::Cpu)?),
            Some(Tensor::from_vec(self.unpack(d_weight), (dim, inputs, taps), &Device::Cpu)?),
            Some(Tensor::from_vec(d_bias, dim, &Device::Cpu)?),
        ])
    }
}

kernel! {
    fn add_relu<'a>(y: &'a mut [f32], bias: &'a [f32]) {
        for row in y.chunks_exact_mut(bias.len()) {
            row.iter_mut().zip(bias).for_each(|(v, &b)| *v = (*v + b).max(0.0));
        }
    }
}

kernel! {
    /// Writes the mean of the given rows of `y` into `z`, which must be zeros; four rows at a time.
    fn mean_rows<'a>(y: &'a [f32], rows: &'a [u32], z: &'a mut [f32]) {
        let dim = z.len();
        let fours = rows.chunks_exact(4);
        for &row in fours.remainder() {
            let row = &y[row as usize * dim..][..dim];
            z.iter_mut().zip(row).for_each(|(z, &v)| *z += v);
        }
        for four in fours {
            let (a, b) = (&y[four[0] as usize * dim..][..dim], &y[four[1] as usize * dim..][..dim]);
            let (c, d) = (&y[four[2] as usize * dim..][..dim], &y[four[3] as usize * dim..][..dim]);
            for ((((z, &a), &b), &c), &d) in z.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                *z += (a + b) + (c + d);
            }
        }
        let share = 1.0 / rows.len() as f32;
        z.iter_mut().for_each(|z| *z *= share);
    }
}

kernel! {
    /// The outputs `y` (n, D) of a sentence of n tokens and their mean `z` (D), from the products (U, k, D).
    fn taps_of_sentence<'a>(products: &'a [f32], index: &'a [u32], taps: usize, bias: &'a [f32], y: &'a mut [f32], z: &'a mut [f32]) {
        let dim = bias.len();
        let share = 1.0 / index.len() as f32;
        for (t, y) in y.chunks_exact_mut(dim).enumerate() {
            y.copy_from_slice(bias);
            for j in 0..taps {
                let at = (t + j).wrapping_sub(taps / 2); // before the sentence this wraps, so it is out of range too
                if let Some(&u) = index.get(at) {
                    let row = &products[(u as usize * taps + j) * dim..][..dim];
                    y.iter_mut().zip(row).for_each(|(y, &p)| *y += p);
                }
            }
            for (y, z) in y.iter_mut().zip(z.iter_mut()) {
                *y = y.max(0.0);
                *z += *y * share;
            }
        }
    }
}

kernel! {
    /// The sum of the rows of `shares` of the sentences that own `places`, where `kept` is above 0.
    fn gather_gated<'a>(shares: &'a [f32], places: &'a [u32], owners: &'a [u32], kept: &'a [f32], d: &'a mut [f32]) {
        let dim = d.len();
        for &t in places {
            let row = &shares[owners[t as usize] as usize * dim..][..dim];
            d.iter_mut().zip(row).for_each(|(d, &g)| *d += g);
        }
        d.iter_mut().zip(kept).for_each(|(d, &y)| *d = if y > 0.0 { *d } else { 0.0 });
    }
}

kernel! {
    fn add_gated<'a>(share: &'a [f32], kept: &'a [f32], d: &'a mut [f32]) {
        for ((d, &g), &y) in d.iter_mut().zip(share).zip(kept) {
            *d += if y > 0.0 { g } else { 0.0 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::{finite_differences, random, same};
    use crate::seed::stream;
    use candle_core::DType;
    use proptest::prelude::*;

    /// Five sentences of 7, 1, 4, 1 and 12 tokens from a vocabulary of 9.
    fn uneven() -> Sentences {
        let mut s = stream(3, "tokens", 0);
        let ids: Vec<u32> = (0..25).map(|_| 10 * s.below(9)).collect();
        Sentences::new(&ids, &[0, 7, 8, 12, 13, 25]).unwrap()
    }

    fn inputs(sentences: &Sentences, inputs: usize, dim: usize, taps: usize) -> Vec<Tensor> {
        let rows = random(&[sentences.distinct().len(), inputs], 1);
        vec![rows, random(&[dim, inputs, taps], 2), random(&[dim], 3)]
    }

    #[test]
    fn fused_equals_composed_equals_finite_differences() {
        let uneven = uneven();
        let single = Sentences::new(&[4], &[0, 1]).unwrap();
        for (sentences, m, d, k) in [
            (&uneven, 6, 5, 1),
            (&uneven, 17, 35, 1),
            (&uneven, 5, 7, 3),
            (&uneven, 4, 33, 5),
            (&single, 3, 4, 1),
            (&single, 3, 4, 7),
        ] {
            let inputs = inputs(sentences, m, d, k);
            let composed = |t: &[Tensor]| composed(&t[0], &t[1], &t[2], sentences);
            same(|t| encode(&t[0], &t[1], &t[2], sentences), composed, &inputs);
            finite_differences(composed, &inputs);
        }
    }

    #[test]
    fn a_sentence_is_the_mean_over_its_own_tokens() {
        // One input, one output, kernel 3: relu(1 + w . window) with zeros past the ends, by hand.
        let sentences = Sentences::new(&[7, 5, 7, 5], &[0, 3, 4]).unwrap();
        assert_eq!(**sentences.distinct(), [5, 7]);
        let tensor = |v: &[f32], shape: &[usize]| Tensor::from_slice(v, shape, &Device::Cpu).unwrap();
        let (rows, weight, bias) =
            (tensor(&[2.0, -3.0], &[2, 1]), tensor(&[1.0, 10.0, 100.0], &[1, 1, 3]), tensor(&[1.0], &[1]));
        // 7 5 7 is -3 2 -3: 1 - 30 + 200 = 171, 1 - 3 + 20 - 300 < 0, 1 + 2 - 30 < 0; 5 alone: 1 + 20.
        for form in [fused, composed] {
            let z = form(&rows, &weight, &bias, &sentences).unwrap().to_vec2::<f32>().unwrap();
            assert_eq!(z, [[57.0], [21.0]]);
        }
    }

    #[test]
    fn sentences_of_the_same_tokens_are_known_as_one_text() {
        let sentences = Sentences::new(&[1, 2, 3, 1, 2, 1, 2, 3], &[0, 2, 3, 5, 6, 8]).unwrap();
        assert_eq!(sentences.texts(), [0, 1, 0, 3, 4]);
    }

    #[test]
    fn offsets_that_do_not_cut_the_tokens_into_sentences_are_refused() {
        for offsets in [&[][..], &[0], &[0, 2], &[1, 3], &[0, 2, 2, 3], &[0, 2, 1, 3], &[0, 4]] {
            assert!(Sentences::new(&[1, 2, 3], offsets).is_err(), "{offsets:?}");
        }
        let sentences = Sentences::new(&[1, 2], &[0, 2]).unwrap();
        let t = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
        assert!(encode(&t(&[3, 4]), &t(&[5, 4, 1]), &t(&[5]), &sentences).is_err());
        assert!(encode(&t(&[2, 4]), &t(&[5, 4, 2]), &t(&[5]), &sentences).is_err());
        assert!(encode(&t(&[2, 4]), &t(&[5, 4, 1]), &t(&[4]), &sentences).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_sentence_alone_and_in_any_batch_is_the_same(
            batch in proptest::collection::vec(proptest::collection::vec(0u32..40, 1..33), 1..12),
            which in 0usize..12,
            wide in proptest::bool::ANY,
        ) {
            let which = which % batch.len();
            let taps = if wide { 3 } else { 1 };
            let single = |t: Tensor| t.to_dtype(DType::F32).unwrap();
            let (table, weight, bias) =
                (single(random(&[40, 24], 1)), single(random(&[48, 24, taps], 2)), single(random(&[48], 3)));
            let encoded = |batch: &[Vec<u32>]| {
                let mut offsets = vec![0];
                batch.iter().for_each(|s| offsets.push(offsets.last().unwrap() + s.len() as u32));
                let sentences = Sentences::new(&batch.concat(), &offsets).unwrap();
                let ids = Tensor::from_slice(sentences.distinct(), sentences.distinct().len(), &Device::Cpu).unwrap();
                fused(&table.index_select(&ids, 0).unwrap(), &weight, &bias, &sentences).unwrap().to_vec2::<f32>().unwrap()
            };
            let (alone, among) = (encoded(&batch[which..=which]), encoded(&batch));
            for (a, b) in alone[0].iter().zip(&among[which]) {
                // Sums of up to 72 products, added in an order that depends on the number of rows.
                prop_assert!((a - b).abs() <= 1e-5 * b.abs().max(1.0), "{a} alone, {b} in a batch of {}", batch.len());
            }
        }
    }
}
