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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ContextKind, NegativesFrom, TextConfig};
    use crate::nn::ParamStore;
    use crate::ops::check::slope;
    use crate::seed::stream;
    use candle_core::Device;

    fn model(kernel: usize, kind: ContextKind) -> (CpcText, ParamStore) {
        let encoder = SentenceEncoderConfig { vocab_size: 12, embedding_dim: 6, hidden_dim: 9, kernel };
        let mut config = TextConfig { encoder, ..Default::default() };
        (config.context.hidden_dim, config.context.kind) = (7, kind);
        let store = ParamStore::new(3, &Device::Cpu);
        let model = CpcText::new(&config.encoder, &config.context, &config.heads, &store.builder()).unwrap();
        (model, store)
    }

    /// Three windows of five sentences of uneven lengths, with every token but the last.
    fn sentences(seed: u64) -> (Vec<u32>, Vec<u32>) {
        let mut random = stream(seed, "sentences", 0);
        let (mut ids, mut offsets) = ((0..11).collect::<Vec<u32>>(), vec![0, 11]);
        for _ in 1..15 {
            (0..1 + random.below(6)).for_each(|_| ids.push(random.below(11)));
            offsets.push(ids.len() as u32);
        }
        (ids, offsets)
    }

    #[test]
    fn every_parameter_is_trained_and_the_gradient_is_the_slope() {
        for (kernel, kind, num_negatives) in [(1, ContextKind::Gru, 0), (3, ContextKind::Lstm, 4)] {
            let (model, store) = model(kernel, kind);
            let (ids, offsets) = sentences(1);
            let objective =
                ObjectiveConfig { num_negatives, negatives_from: NegativesFrom::Batch, exclude_positive: false };
            let loss = || {
                let latents = model.forward(&ids, &offsets, 5).unwrap();
                let mut random = stream(1, "negatives", 0);
                let (out, _) = model.contrast(&latents, &objective, Phase::Train, &mut random).unwrap();
                out.loss.sum_all().unwrap()
            };
            slope(&store.trainable(), loss, |_| false, &format!("kernel {kernel}, {kind:?}"));
            // What is in no sentence is not moved.
            let grads = loss().backward().unwrap();
            let (_, table) = store.trainable().into_iter().find(|(n, _)| n == "gEncoder.embedding.weight").unwrap();
            let rows = grads.get(&table).unwrap().to_vec2::<f32>().unwrap();
            assert!(rows[11].iter().all(|&g| g == 0.0) && rows[..11].iter().all(|r| r.iter().any(|&g| g != 0.0)));
        }
    }

    #[test]
    fn what_comes_later_changes_nothing_before_it() {
        let (model, _) = model(3, ContextKind::Gru);
        let context = |ids: &[u32], offsets: &[u32]| {
            model
                .forward(ids, offsets, 5)
                .unwrap()
                .c
                .narrow(0, 0, 1)
                .unwrap()
                .squeeze(0)
                .unwrap()
                .to_vec2::<f32>()
                .unwrap()
        };
        let (ids, offsets) = sentences(1);
        let mut other = ids.clone();
        // The fourth sentence of the first window is another one.
        (offsets[3]..offsets[4]).for_each(|i| other[i as usize] = (other[i as usize] + 1) % 11);
        let (a, b) = (context(&ids, &offsets), context(&other, &offsets));
        assert!(a[..3] == b[..3] && a[3] != b[3] && a[4] != b[4]);
    }
}
