//! The latents that a prediction is contrasted with.

use crate::config::{NegativesFrom, ObjectiveConfig};
use crate::error::Result;
use crate::ops::negatives::{Draws, Negatives};
use crate::seed::Stream;
use candle_core::Device;

/// Draws N negatives for each of `positions` positions of `batch` windows of `frames` latents. Draws are uniform and with replacement,
/// from the latents that the configuration allows. Negatives are row indices into the flattened z (B*T, D), in which `others` more windows of
/// other processes may follow.
///
/// With `exclude_positive` a position never draws the `frames - positions` frames after it in its own window, which it has to predict.
/// If no latents are left to draw from (one window and `other-sequences`), they are drawn from the whole batch.
///
/// # Errors
/// Only errors of the device on which they are drawn.
pub fn draw(
    cfg: &ObjectiveConfig,
    (batch, others): (usize, usize),
    positions: usize,
    frames: usize,
    stream: &mut Stream,
    device: &Device,
) -> Result<Negatives> {
    let (steps, all) = (frames - positions, (batch + others) * frames);
    let mut draws = Draws {
        batch,
        positions,
        frames,
        number: cfg.num_negatives,
        range: all as u32,
        from_own: false,
        by_position: true,
        excluded: 0,
    };
    if cfg.negatives_from == NegativesFrom::OtherSequences && batch + others > 1 {
        draws.by_position = false;
        draws.excluded = frames as u32;
    } else {
        draws.from_own = cfg.negatives_from == NegativesFrom::SameSequence;
        let from = if draws.from_own { frames } else { all };
        draws.excluded = if cfg.exclude_positive && from > steps { steps as u32 } else { 0 };
        draws.range = from as u32;
    }
    draws.range -= draws.excluded;
    draws.draw(stream, device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::stream;
    use std::collections::BTreeSet;

    fn drawn(from: NegativesFrom, exclude_positive: bool) -> Vec<BTreeSet<u32>> {
        let cfg = ObjectiveConfig { num_negatives: 4000, negatives_from: from, exclude_positive, ..Default::default() };
        let negatives = draw(&cfg, (3, 0), 4, 6, &mut stream(1, "negatives", 0), &Device::Cpu).unwrap();
        assert_eq!(negatives.positions(), 3 * 4);
        negatives.rows().unwrap().chunks(4000).map(|rows| rows.iter().copied().collect()).collect()
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
