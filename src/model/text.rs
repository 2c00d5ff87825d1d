//! CPC on text (van den Oord et al. 2018, section 3.3).
//!
//! ```text
//! sentences (B, W) of tokens -> g_enc -> z (B, W, D) -> g_ar -> c (B, W, H) -> W_k c_t -> scores against z_{t+k} and other sentences
//! ```
//!
//! Every position whose K sentences to come lie in the window predicts them, as in audio: in windows of 9 with K = 3, positions 1 to 6.

use super::contrast::{Contrast, Latents};
use crate::config::{ContextConfig, HeadsConfig, ObjectiveConfig, SentenceEncoderConfig};
use crate::error::Result;
use crate::nn::{Context, Phase, SentenceEncoder};
use crate::objective::PerStep;
use crate::seed::Stream;
use candle_core::Tensor;
use candle_nn::VarBuilder;

/// Encoder of sentences, context network over them, and heads; names as those of audio models.
#[derive(Debug, Clone)]
pub struct CpcText {
    encoder: SentenceEncoder,
    context: Context,
    contrast: Contrast,
}

impl CpcText {
    /// The model of these sizes, with parameters of `vb`.
    ///
    /// # Errors
    /// The parameters have other shapes.
    pub fn new(
        encoder: &SentenceEncoderConfig,
        context: &ContextConfig,
        heads: &HeadsConfig,
        vb: &VarBuilder,
    ) -> Result<Self> {
        let (latent, hidden) = (encoder.hidden_dim, context.hidden_dim);
        Ok(CpcText {
            encoder: SentenceEncoder::new(encoder, vb.pp("gEncoder"))?,
            context: Context::new(context, latent, vb.pp("gAR.baseNet"))?,
            contrast: Contrast::new(heads, hidden, latent, vb.pp("wPrediction.predictors"))?,
        })
    }

    /// z (S, D) of sentences: their tokens end to end, and where each begins (S + 1).
    ///
    /// # Errors
    /// A sentence is empty, or has a token that is not known.
    pub fn encode(&self, ids: &[u32], offsets: &[u32]) -> Result<Tensor> {
        self.encoder.forward(ids, offsets)
    }

    /// z and c of windows of `window` sentences each, from states of zeros.
    ///
    /// # Errors
    /// Those of [`CpcText::encode`]; the sentences are not whole windows.
    pub fn forward(&self, ids: &[u32], offsets: &[u32], window: usize) -> Result<Latents> {
        let z = self.encode(ids, offsets)?;
        let (sentences, dim) = z.dims2()?;
        let z = z.reshape((sentences / window.max(1), window, dim))?;
        let c = self.context.forward(&z)?;
        Ok(Latents { z, c })
    }

    /// InfoNCE of every step, with negatives drawn as `objective` says, and how many each position met.
    ///
    /// # Errors
    /// None that an input can make.
    pub fn contrast(
        &self,
        latents: &Latents,
        objective: &ObjectiveConfig,
        phase: Phase,
        stream: &mut Stream,
    ) -> Result<(PerStep, usize)> {
        self.contrast.contrast(latents, objective, phase, stream)
    }
}
