//! Predictions scored against the actual future: the last stage of every CPC model, whatever its input.

use crate::config::{HeadsConfig, ObjectiveConfig};
use crate::error::{Error, Result};
use crate::group::Group;
use crate::nn::{Heads, Phase};
use crate::objective::{PerStep, all_scores, draw_negatives, info_nce, info_nce_of};
use crate::ops::negatives::{Negatives, repeats};
use crate::ops::rows::first;
use crate::ops::scores::sampled_scores;
use crate::ops::windows::all_windows;
use crate::seed::Stream;
use candle_core::{Device, Tensor};
use candle_nn::VarBuilder;

/// z (B, T', D) and c (B, T', H).
#[derive(Debug, Clone)]
pub struct Latents {
    /// The encoder's output for each frame or sentence.
    pub z: Tensor,
    /// The context network's output for all frames or sentences up to and including each.
    pub c: Tensor,
}

/// The prediction heads, and how their predictions are scored.
#[derive(Debug, Clone)]
pub struct Contrast {
    heads: Heads,
    steps: usize,
    scale: f64,
    /// The processes from whose windows negatives are drawn in training.
    group: Group,
}

impl Contrast {
    /// Heads that map `context`-dimensional contexts to `latent`-dimensional latents; `vb` is at the prefix `wPrediction.predictors`.
    pub fn new(cfg: &HeadsConfig, context: usize, latent: usize, vb: VarBuilder) -> Result<Self> {
        let heads = Heads::new(cfg, context, latent, vb)?;
        Ok(Contrast { heads, steps: cfg.steps, scale: cfg.score.scale(latent), group: Group::alone() })
    }

    /// The same with the first `steps` steps alone, for short windows.
    pub fn first(&self, steps: usize) -> Contrast {
        Contrast { heads: self.heads.first(steps), steps: self.steps.min(steps), ..self.clone() }
    }

    /// The same with negatives from the windows of all processes of a group in training (`objective.gather`).
    pub fn gathering(self, group: &Group) -> Contrast {
        Contrast { group: group.clone(), ..self }
    }

    /// InfoNCE of every step, with negatives drawn as `objective` specifies, and the smallest number of negatives of any position.
    ///
    /// If `texts` (B*T) is given, latents with the same number as a position's true future are not counted as its negatives.
    ///
    /// # Errors
    /// No position of the window has all its futures inside the window.
    pub fn contrast(
        &self,
        latents: &Latents,
        objective: &ObjectiveConfig,
        texts: Option<&[u32]>,
        phase: Phase,
        stream: &mut Stream,
    ) -> Result<(PerStep, usize)> {
        let (batch, frames, _) = latents.z.dims3()?;
        let positions = self.positions(frames)?;
        let z = match phase {
            Phase::Train => &all_windows(&latents.z, &self.group)?,
            Phase::Eval => &latents.z,
        };
        let others = z.dim(0)? - batch;
        // Where texts are compared, the host needs the negatives too.
        let device = if texts.is_some() { &Device::Cpu } else { latents.z.device() };
        let negatives = match objective.num_negatives {
            0 => None,
            _ => Some(draw_negatives(objective, (batch, others), positions, frames, stream, device)?),
        };
        let predictions = self.predict(&latents.c, (phase == Phase::Train).then_some(stream))?;
        let Some(negatives) = negatives else {
            let (scores, fewest) = all_scores(&predictions, &latents.z, objective.negatives_from, texts, self.scale)?;
            return Ok((info_nce(&scores)?, fewest));
        };
        let scores = sampled_scores(&predictions, z, &negatives, self.scale)?;
        let Some(texts) = texts else {
            return Ok((self.info_nce_of(&scores, &negatives, frames)?, negatives.number()));
        };
        let (bars, fewest) = self.repetitions(&negatives, texts, positions, frames)?;
        let bars = Tensor::from_vec(bars, scores.shape(), scores.device())?.to_dtype(scores.dtype())?;
        Ok((info_nce(&(scores + bars)?)?, fewest))
    }

    /// InfoNCE of every step with given negatives, and without dropout.
    pub fn contrast_with(&self, latents: &Latents, negatives: &Negatives) -> Result<PerStep> {
        let scores = sampled_scores(&self.predict(&latents.c, None)?, &latents.z, negatives, self.scale)?;
        self.info_nce_of(&scores, negatives, latents.z.dim(1)?)
    }

    /// InfoNCE of sampled scores, where negatives that are the true future itself do not tie with it.
    fn info_nce_of(&self, scores: &Tensor, negatives: &Negatives, frames: usize) -> Result<PerStep> {
        let repeats = repeats(negatives, scores.dim(0)?, frames, self.steps, scores.device())?;
        info_nce_of(scores, Some(&repeats.to_dtype(scores.dtype())?))
    }

    /// Predictions (B, P, K, D) of the positions whose K futures lie in the window.
    fn predict(&self, c: &Tensor, dropout: Option<&mut Stream>) -> Result<Tensor> {
        self.heads.forward(&first(c, self.positions(c.dim(1)?)?)?, dropout)
    }

    fn positions(&self, frames: usize) -> Result<usize> {
        frames.checked_sub(self.steps).filter(|&positions| positions > 0).ok_or_else(|| {
            Error::failed(
                format!("a window of {frames} holds no position with {} futures", self.steps),
                "use longer windows (data.window), or fewer steps (heads.steps)",
            )
        })
    }

    /// The terms to add to sampled scores (B, P, K, 1 + N): -1e9 for negatives that repeat the true future, 0 elsewhere. Also the smallest
    /// number of negatives that any position keeps.
    fn repetitions(
        &self,
        negatives: &Negatives,
        texts: &[u32],
        positions: usize,
        frames: usize,
    ) -> Result<(Vec<f32>, usize)> {
        let (n, mut fewest) = (negatives.number(), negatives.number());
        let mut add = Vec::with_capacity(negatives.positions() * self.steps * (1 + n));
        for (position, rows) in negatives.rows()?.chunks_exact(n).enumerate() {
            for k in 1..=self.steps {
                let future = texts.get(position / positions * frames + position % positions + k);
                let repeats = |row: &u32| texts.get(*row as usize) == future;
                add.push(0.0f32);
                add.extend(rows.iter().map(|row| if repeats(row) { -1e9 } else { 0.0 }));
                fewest = fewest.min(rows.iter().filter(|row| !repeats(row)).count());
            }
        }
        Ok((add, fewest))
    }
}
