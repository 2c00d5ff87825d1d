//! CPC on raw waveform (van den Oord et al. 2018, section 3.1).
//!
//! ```text
//! samples (B, T) -> g_enc -> z (B, T/160, D) -> g_ar -> c (B, T/160, H) -> W_k c_t -> scores against z_{t+k} and negatives
//! ```

use crate::config::ObjectiveConfig;
use crate::error::Result;
use crate::nn::{Context, ConvEncoder, LinearHeads, Phase};
use crate::objective::{PerStep, all_scores, count_all, draw_negatives, info_nce};
use crate::ops::scores::{Negatives, sampled_scores};
use crate::seed::Stream;
use crate::weights::ModelConfig;
use candle_core::Tensor;
use candle_nn::VarBuilder;

/// Encoder, context network and heads, under CPC_audio's parameter names.
#[derive(Debug, Clone)]
pub struct CpcAudio {
    encoder: ConvEncoder,
    context: Context,
    heads: LinearHeads,
    steps: usize,
    scale: f64,
}

/// z (B, T', D) and c (B, T', H).
#[derive(Debug, Clone)]
pub struct Latents {
    /// What the encoder makes of the samples around each frame.
    pub z: Tensor,
    /// What the context network makes of all frames up to each.
    pub c: Tensor,
}

impl CpcAudio {
    /// The model of a configuration, with parameters of `vb`.
    pub fn new(cfg: &ModelConfig, vb: &VarBuilder) -> Result<Self> {
        let (latent, context) = (cfg.encoder.hidden_dim, cfg.context.hidden_dim);
        Ok(CpcAudio {
            encoder: ConvEncoder::new(&cfg.encoder, 1, vb.pp("gEncoder"))?,
            context: Context::new(&cfg.context, latent, vb.pp("gAR.baseNet"))?,
            heads: LinearHeads::new(&cfg.heads, context, latent, vb.pp("wPrediction.predictors"))?,
            steps: cfg.heads.steps,
            scale: cfg.heads.score.scale(latent),
        })
    }

    /// z and c of `samples` (B, T), from states of zeros.
    pub fn forward(&self, samples: &Tensor, phase: Phase) -> Result<Latents> {
        let z = self.encoder.forward(&samples.unsqueeze(2)?, phase)?;
        let c = self.context.forward(&z)?;
        Ok(Latents { z, c })
    }

    /// InfoNCE of every step, with negatives drawn as `objective` says, and how many each position met.
    pub fn contrast(
        &self,
        latents: &Latents,
        objective: &ObjectiveConfig,
        stream: &mut Stream,
    ) -> Result<(PerStep, usize)> {
        let (batch, frames, _) = latents.z.dims3()?;
        if objective.num_negatives == 0 {
            let predictions = self.predict(&latents.c)?;
            let scores = all_scores(&predictions, &latents.z, objective.negatives_from, self.scale)?;
            return Ok((info_nce(&scores)?, count_all(objective.negatives_from, batch, frames)));
        }
        let negatives = draw_negatives(objective, batch, frames - self.steps, frames, stream);
        Ok((self.contrast_with(latents, &negatives)?, negatives.number))
    }

    /// InfoNCE of every step with given negatives.
    pub fn contrast_with(&self, latents: &Latents, negatives: &Negatives) -> Result<PerStep> {
        info_nce(&sampled_scores(&self.predict(&latents.c)?, &latents.z, negatives, self.scale)?)
    }

    /// Predictions (B, P, K, D) of the positions whose K futures lie in the window.
    fn predict(&self, c: &Tensor) -> Result<Tensor> {
        self.heads.forward(&c.narrow(1, 0, c.dim(1)? - self.steps)?)
    }
}
