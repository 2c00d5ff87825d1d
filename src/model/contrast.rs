//! Predictions against what comes: the end of every model of CPC, whatever its input.

use crate::config::{HeadsConfig, ObjectiveConfig};
use crate::error::Result;
use crate::nn::{Heads, Phase};
use crate::objective::{PerStep, all_scores, count_all, draw_negatives, info_nce};
use crate::ops::scores::{Negatives, sampled_scores};
use crate::seed::Stream;
use candle_core::Tensor;
use candle_nn::VarBuilder;

/// z (B, T', D) and c (B, T', H).
#[derive(Debug, Clone)]
pub struct Latents {
    /// What the encoder makes of each frame, or sentence.
    pub z: Tensor,
    /// What the context network makes of all up to each.
    pub c: Tensor,
}

/// The prediction heads, and how their predictions are scored.
#[derive(Debug, Clone)]
pub(super) struct Contrast {
    heads: Heads,
    steps: usize,
    scale: f64,
}

impl Contrast {
    /// Heads from contexts of `context` numbers to latents of `latent`; `vb` stands at `wPrediction.predictors`.
    pub fn new(cfg: &HeadsConfig, context: usize, latent: usize, vb: VarBuilder) -> Result<Self> {
        let heads = Heads::new(cfg, context, latent, vb)?;
        Ok(Contrast { heads, steps: cfg.steps, scale: cfg.score.scale(latent) })
    }

    /// InfoNCE of every step, with negatives drawn as `objective` says, and how many each position met.
    pub fn contrast(
        &self,
        latents: &Latents,
        objective: &ObjectiveConfig,
        phase: Phase,
        stream: &mut Stream,
    ) -> Result<(PerStep, usize)> {
        let (batch, frames, _) = latents.z.dims3()?;
        let negatives = match objective.num_negatives {
            0 => None,
            _ => Some(draw_negatives(objective, batch, frames - self.steps, frames, stream)),
        };
        let predictions = self.predict(&latents.c, (phase == Phase::Train).then_some(stream))?;
        let Some(negatives) = negatives else {
            let scores = all_scores(&predictions, &latents.z, objective.negatives_from, self.scale)?;
            return Ok((info_nce(&scores)?, count_all(objective.negatives_from, batch, frames)));
        };
        Ok((info_nce(&sampled_scores(&predictions, &latents.z, &negatives, self.scale)?)?, negatives.number))
    }

    /// InfoNCE of every step with given negatives, and without dropout.
    pub fn contrast_with(&self, latents: &Latents, negatives: &Negatives) -> Result<PerStep> {
        info_nce(&sampled_scores(&self.predict(&latents.c, None)?, &latents.z, negatives, self.scale)?)
    }

    /// Predictions (B, P, K, D) of the positions whose K futures lie in the window.
    fn predict(&self, c: &Tensor, dropout: Option<&mut Stream>) -> Result<Tensor> {
        self.heads.forward(&c.narrow(1, 0, c.dim(1)? - self.steps)?, dropout)
    }
}
