//! Whether the true class scores highest. Those that tie for the highest score share the hit: scores that are all equal hit as often as chance.
//! A column that is the true class itself, drawn as one of its own negatives, is not another that ties.

use crate::error::Result;
#[cfg(feature = "cuda")]
use crate::ops::cuda;
use crate::ops::function::{Floats, Form};
use candle_core::{D, Device, Tensor};
use rayon::prelude::*;

/// For each row of `scores` (.., 1 + N), whose first column is the true class: 1 / n if it is one of n highest scores, else 0: (..), in the
/// type of the scores. `repeats` (..) is how many of the other columns are the true class itself; these are not counted in n. There are no
/// gradients.
pub fn first_is_true(scores: &Tensor, repeats: Option<&Tensor>) -> Result<Tensor> {
    match Form::of(scores) {
        Form::Fused => fused(scores, repeats),
        #[cfg(feature = "cuda")]
        Form::Kernels => cuda::hits(scores, repeats),
        Form::Composed => composed(&scores.detach(), &scores.narrow(D::Minus1, 0, 1)?.detach(), repeats),
    }
}

/// As [`first_is_true`] with the score of the true class, `truth` (.., 1), from any column; built from candle operations.
pub fn composed(scores: &Tensor, truth: &Tensor, repeats: Option<&Tensor>) -> Result<Tensor> {
    let best = scores.max_keepdim(D::Minus1)?;
    let ties = scores.broadcast_eq(&best)?.to_dtype(scores.dtype())?.sum_keepdim(D::Minus1)?;
    let ties = match repeats {
        Some(repeats) => (ties - repeats.unsqueeze(D::Minus1)?)?,
        None => ties,
    };
    // Without a highest score (there is one that is not a number) nothing is hit.
    let hit = truth.ge(&best)?.to_dtype(scores.dtype())?;
    Ok((hit / ties.maximum(1.0)?)?.squeeze(D::Minus1)?)
}

/// Rows per task.
const ROWS: usize = 256;

/// [`first_is_true`] on the CPU in f32.
fn fused(scores: &Tensor, repeats: Option<&Tensor>) -> Result<Tensor> {
    let scores = scores.detach().contiguous()?;
    let width = scores.dim(D::Minus1)?;
    let shape = scores.dims()[..scores.rank() - 1].to_vec();
    let mut hits = vec![0.0f32; scores.elem_count() / width];
    let s = Floats::of(&scores)?;
    hits.par_chunks_mut(ROWS).zip(s.par_chunks(ROWS * width)).for_each(|(hits, scores)| {
        for (hit, row) in hits.iter_mut().zip(scores.chunks_exact(width)) {
            let (above, ties) = row.iter().fold((0u32, 0u32), |(above, ties), &v| {
                (above + u32::from(v > row[0] || v.is_nan()), ties + u32::from(v == row[0]))
            });
            *hit = if above == 0 && ties > 0 { 1.0 / ties as f32 } else { 0.0 };
        }
    });
    if let Some(repeats) = repeats {
        let repeats = repeats.contiguous()?;
        let repeats = Floats::of(&repeats)?;
        // One of n that tie, of which r are itself, is one of n - r.
        hits.iter_mut().zip(repeats.iter()).filter(|(hit, r)| **hit > 0.0 && **r > 0.0).for_each(|(hit, r)| {
            *hit = 1.0 / (1.0 / *hit - r).round().max(1.0);
        });
    }
    Ok(Tensor::from_vec(hits, shape, &Device::Cpu)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::{random, single};

    fn both(scores: &Tensor) -> Vec<f32> {
        let of = |hits: Tensor| hits.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let fused = of(first_is_true(&single(scores), None).unwrap());
        assert_eq!(fused, of(composed(scores, &scores.narrow(D::Minus1, 0, 1).unwrap(), None).unwrap()));
        fused
    }

    #[test]
    fn the_true_class_does_not_tie_with_itself() {
        let rows =
            [[2.0f32, 2.0, 1.0, 2.0], [2.0, 2.0, 1.0, 2.0], [1.0; 4], [0.0, 0.0, 0.0, 1.0], [3.0, 0.0, 1.0, 2.0]];
        let (scores, repeats) = (Tensor::new(&rows, &Device::Cpu).unwrap(), [1.0f32, 2.0, 0.0, 2.0, 0.0]);
        let repeats = Tensor::new(&repeats, &Device::Cpu).unwrap();
        let truth = scores.narrow(D::Minus1, 0, 1).unwrap();
        let here = first_is_true(&single(&scores), Some(&single(&repeats)));
        for hits in [here, composed(&scores, &truth, Some(&repeats))] {
            assert_eq!(hits.unwrap().to_vec1::<f32>().unwrap(), [0.5, 1.0, 0.25, 0.0, 1.0]);
        }
    }

    #[test]
    fn those_that_tie_share_the_hit() {
        let rows =
            [[2.0f32, 0.0, 1.0, -1.0], [2.0, 2.0, 1.0, 0.0], [1.0; 4], [0.0, 0.0, 0.0, 1.0], [1.0, 3.0, 3.0, 0.0]];
        assert_eq!(both(&Tensor::new(&rows, &Device::Cpu).unwrap()), [1.0, 0.5, 0.25, 0.0, 0.0]);
        assert_eq!(both(&Tensor::new(&[[f32::NAN, 1.0]], &Device::Cpu).unwrap()), [0.0]);
        let many = both(&random(&[3, 700, 8], 1).to_dtype(candle_core::DType::F32).unwrap());
        let mean = many.iter().sum::<f32>() / many.len() as f32;
        assert!((mean - 0.125).abs() < 0.03, "{mean}");
    }
}
