//! Scores against every candidate instead of a sample.

use crate::config::NegativesFrom;
use crate::error::Result;
use candle_core::{DType, Tensor};

/// Added to the scores of what is no candidate: nothing is left of it after the exponential.
const NEVER: f64 = -1e9;

/// Negatives that each position is contrasted with: all candidates but the true future.
pub fn count(from: NegativesFrom, batch: usize, frames: usize) -> usize {
    match from {
        NegativesFrom::OtherSequences if batch > 1 => (batch - 1) * frames,
        NegativesFrom::SameSequence => frames - 1,
        _ => batch * frames - 1,
    }
}

/// (B, P, K, 1 + B*T): the score of the true future first, then those of all latents; what is not allowed (the true future a
/// second time, and what lies outside `from`) scores -1e9.
///
/// `predictions` (B, P, K, D), `z` (B, T, D).
pub fn all_scores(predictions: &Tensor, z: &Tensor, from: NegativesFrom, scale: f64) -> Result<Tensor> {
    let (batch, positions, steps, dim) = predictions.dims4()?;
    let time = z.dim(1)?;
    let latents = z.reshape((batch * time, dim))?.t()?.contiguous()?;
    let (device, dtype) = (z.device(), z.dtype());
    let own = Tensor::eye(batch, dtype, device)?.reshape((batch, 1, batch, 1))?;
    let outside = match from {
        NegativesFrom::OtherSequences if batch > 1 => own.clone(),
        NegativesFrom::SameSequence => (1.0 - &own)?,
        _ => own.zeros_like()?,
    };
    let (t, s) = (Tensor::arange(0u32, positions as u32, device)?, Tensor::arange(0u32, time as u32, device)?);
    let (t, s) = (t.to_dtype(DType::F32)?.reshape((positions, 1))?, s.to_dtype(DType::F32)?.reshape((1, time))?);
    let mut all = Vec::with_capacity(steps);
    for k in 1..=steps {
        let p = predictions.narrow(2, k - 1, 1)?.contiguous()?.reshape((batch * positions, dim))?;
        let scores = (p.matmul(&latents)? * scale)?.reshape((batch, positions, batch, time))?;
        let future = (t.broadcast_add(&Tensor::full(k as f32, (1, 1), device)?)?).broadcast_eq(&s)?.to_dtype(dtype)?;
        let future = own.broadcast_mul(&future.reshape((1, positions, 1, time))?)?; // one for the true future
        let barred = future.broadcast_maximum(&outside)?;
        let truth = (&scores * &future)?.flatten_from(2)?.sum_keepdim(2)?; // (B, P, 1)
        let others = scores.broadcast_add(&(barred * NEVER)?)?.flatten_from(2)?;
        all.push(Tensor::cat(&[truth, others], 2)?);
    }
    Ok(Tensor::stack(&all, 2)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::{finite_differences, random};
    use crate::ops::scores::{Negatives, composed};

    #[test]
    fn equal_the_sampled_scores_of_every_allowed_row() {
        let (batch, positions, steps, time) = (3, 4, 2, 6);
        let (p, z) = (random(&[batch, positions, steps, 5], 1), random(&[batch, time, 5], 2));
        for from in [NegativesFrom::Batch, NegativesFrom::SameSequence, NegativesFrom::OtherSequences] {
            let scores = all_scores(&p, &z, from, 0.5).unwrap();
            let every: Vec<u32> = (0..batch * positions).flat_map(|_| 0..(batch * time) as u32).collect();
            let negatives = Negatives { rows: every.into(), number: batch * time };
            let want = composed(&p, &z, &negatives, 0.5).unwrap();
            let rows = |t: &Tensor| t.flatten_to(2).unwrap().to_vec2::<f64>().unwrap();
            for (i, (got, want)) in rows(&scores).iter().zip(rows(&want)).enumerate() {
                let (item, t, k) = (i / steps / positions, i / steps % positions, i % steps);
                assert!((got[0] - want[0]).abs() < 1e-12);
                let mut allowed = 0;
                for row in 0..batch * time {
                    let inside = match from {
                        NegativesFrom::Batch => true,
                        NegativesFrom::SameSequence => row / time == item,
                        NegativesFrom::OtherSequences => row / time != item,
                    };
                    if inside && row != item * time + t + k + 1 {
                        assert!((got[1 + row] - want[1 + row]).abs() < 1e-12);
                        allowed += 1;
                    } else {
                        assert!(got[1 + row] < -1e8);
                    }
                }
                assert_eq!(allowed, count(from, batch, time));
            }
            finite_differences(
                |t| crate::ops::cross_entropy::composed(&all_scores(&t[0], &t[1], from, 0.5)?),
                &[p.clone(), z.clone()],
            );
        }
    }
}
