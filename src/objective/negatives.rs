//! The latents that a prediction is contrasted with.

use crate::config::{NegativesFrom, ObjectiveConfig};
use crate::ops::scores::Negatives;
use crate::seed::Stream;

/// Draws N negatives for each of `positions` positions of `batch` windows of `frames` latents. Draws are uniform and with replacement,
/// from the latents that the configuration allows. Negatives are row indices into the flattened z (B*T, D).
///
/// With `exclude_positive` a position never draws the `frames - positions` frames after it in its own window, which it has to predict.
/// If no latents are left to draw from (one window and `other-sequences`), they are drawn from the whole batch.
pub fn draw(cfg: &ObjectiveConfig, batch: usize, positions: usize, frames: usize, stream: &mut Stream) -> Negatives {
    let steps = frames - positions;
    let n = cfg.num_negatives;
    let mut rows = Vec::with_capacity(batch * positions * n);
    let from = if batch < 2 && cfg.negatives_from == NegativesFrom::OtherSequences {
        NegativesFrom::Batch
    } else {
        cfg.negatives_from
    };
    for item in 0..batch {
        for t in 0..positions {
            // An index among the allowed candidates is drawn, and then shifted past the excluded latents.
            let own = item * frames;
            for _ in 0..n {
                let row = match from {
                    NegativesFrom::OtherSequences => {
                        let drawn = stream.below(((batch - 1) * frames) as u32) as usize;
                        if drawn < own { drawn } else { drawn + frames }
                    }
                    NegativesFrom::Batch | NegativesFrom::SameSequence => {
                        let (first, all) =
                            if from == NegativesFrom::Batch { (0, batch * frames) } else { (own, frames) };
                        let out = if cfg.exclude_positive && all > steps { steps } else { 0 };
                        let drawn = first + stream.below((all - out) as u32) as usize;
                        if drawn <= own + t { drawn } else { drawn + out }
                    }
                };
                rows.push(row as u32);
            }
        }
    }
    Negatives { rows: rows.into(), number: n }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::stream;
    use std::collections::BTreeSet;

    fn drawn(from: NegativesFrom, exclude_positive: bool) -> Vec<BTreeSet<u32>> {
        let cfg = ObjectiveConfig { num_negatives: 4000, negatives_from: from, exclude_positive, ..Default::default() };
        let negatives = draw(&cfg, 3, 4, 6, &mut stream(1, "negatives", 0));
        assert_eq!(negatives.rows.len(), 3 * 4 * 4000);
        negatives.rows.chunks(4000).map(|rows| rows.iter().copied().collect()).collect()
    }

    #[test]
    fn every_allowed_latent_is_drawn_and_no_other() {
        for item in 0..3u32 {
            for t in 0..4u32 {
                let at = (item * 4 + t) as usize;
                let own: BTreeSet<u32> = (item * 6..item * 6 + 6).collect();
                let future: BTreeSet<u32> = (item * 6 + t + 1..item * 6 + t + 3).collect();
                let all: BTreeSet<u32> = (0..18).collect();
                assert_eq!(drawn(NegativesFrom::Batch, false)[at], all);
                assert_eq!(drawn(NegativesFrom::Batch, true)[at], &all - &future);
                assert_eq!(drawn(NegativesFrom::SameSequence, false)[at], own);
                assert_eq!(drawn(NegativesFrom::SameSequence, true)[at], &own - &future);
                assert_eq!(drawn(NegativesFrom::OtherSequences, false)[at], &all - &own);
            }
        }
    }
}
