//! Scores against every candidate instead of a sample.

use crate::config::NegativesFrom;
use crate::error::Result;
use crate::ops::all_pairs::all_pairs;
use candle_core::Tensor;

/// (B, P, K, 1 + B*T): the score of the true future first, then the scores of all latents. Latents that are not allowed score -1e9:
/// the true future a second time, latents outside `from`, and repetitions of the true future. Also returns the number of negatives
/// of the position that has the fewest.
///
/// `predictions` (B, P, K, D), `z` (B, T, D). `texts` (B*T), if given, holds equal numbers for latents of equal inputs.
pub fn all_scores(
    predictions: &Tensor,
    z: &Tensor,
    from: NegativesFrom,
    texts: Option<&[u32]>,
    scale: f64,
) -> Result<(Tensor, usize)> {
    let (batch, time, _) = z.dims3()?;
    let all = batch * time;
    let mut barred = vec![0u8; all * all];
    let mut fewest = all.saturating_sub(1);
    for (future, bars) in barred.chunks_exact_mut(all.max(1)).enumerate() {
        let own = future / time * time..(future / time + 1) * time;
        match from {
            NegativesFrom::OtherSequences if batch > 1 => bars[own].fill(1),
            NegativesFrom::SameSequence => {
                bars[..own.start].fill(1);
                bars[own.end..].fill(1);
            }
            _ => {}
        }
        if let Some(texts) = texts {
            bars.iter_mut().zip(texts).for_each(|(bar, text)| *bar |= u8::from(texts.get(future) == Some(text)));
        }
        bars[future] = 1;
        if future % time > 0 {
            // The first latent of a window is not the future of any position.
            fewest = fewest.min(bars.iter().filter(|&&bar| bar == 0).count());
        }
    }
    Ok((all_pairs(predictions, z, &barred.into(), scale)?, fewest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::{finite_differences, random};
    use crate::ops::negatives::Negatives;
    use crate::ops::scores::composed;

    #[test]
    fn equal_the_sampled_scores_of_every_allowed_row() {
        let (batch, positions, steps, time) = (3, 4, 2, 6);
        let (p, z) = (random(&[batch, positions, steps, 5], 1), random(&[batch, time, 5], 2));
        for from in [NegativesFrom::Batch, NegativesFrom::SameSequence, NegativesFrom::OtherSequences] {
            let (scores, fewest) = all_scores(&p, &z, from, None, 0.5).unwrap();
            let every: Vec<u32> = (0..batch * positions).flat_map(|_| 0..(batch * time) as u32).collect();
            let negatives = Negatives::of(every, batch * time);
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
                assert_eq!(allowed, fewest);
            }
            finite_differences(
                |t| crate::ops::cross_entropy::composed(&all_scores(&t[0], &t[1], from, None, 0.5)?.0),
                &[p.clone(), z.clone()],
            );
        }
    }

    #[test]
    fn latents_of_the_text_of_the_true_future_are_no_negatives() {
        let (p, z) = (random(&[2, 1, 1, 3], 1), random(&[2, 2, 3], 2));
        let (scores, fewest) = all_scores(&p, &z, NegativesFrom::Batch, Some(&[7, 5, 5, 6]), 1.0).unwrap();
        let scores = scores.flatten_to(2).unwrap().to_vec2::<f64>().unwrap();
        let barred = |row: &[f64]| row[1..].iter().map(|&s| s < -1e8).collect::<Vec<_>>();
        assert_eq!(barred(&scores[0]), [false, true, true, false]); // the future is row 1, of text 5
        assert_eq!(barred(&scores[1]), [false, false, false, true]); // row 3, of text 6
        assert_eq!(fewest, 2);
    }
}
