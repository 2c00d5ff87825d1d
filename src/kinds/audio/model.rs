//! CPC on raw waveform (van den Oord et al. 2018, section 3.1).
//!
//! ```text
//! samples (B, T) -> g_enc -> z (B, T/160, D) -> g_ar -> c (B, T/160, H) -> W_k c_t -> scores against z_{t+k} and negatives
//! ```

use crate::config::ObjectiveConfig;
use crate::error::Result;
use crate::kinds::audio::AudioModelConfig;
use crate::model::{Contrast, Latents};
use crate::nn::{Context, ContextStream, ConvEncoder, Phase};
use crate::objective::PerStep;
use crate::ops::encoder_stream::EncoderStream;
use crate::ops::negatives::Negatives;
use crate::seed::Stream;
use candle_core::Tensor;
use candle_nn::VarBuilder;
use std::sync::Arc;

/// Encoder, context network and heads, under CPC_audio's parameter names.
#[derive(Debug, Clone)]
pub struct CpcAudio {
    encoder: ConvEncoder,
    context: Arc<dyn Context>,
    contrast: Contrast,
}

impl CpcAudio {
    /// The model of a configuration, with parameters from `vb`.
    pub fn new(cfg: &AudioModelConfig, vb: &VarBuilder) -> Result<Self> {
        let (latent, context) = (cfg.encoder.hidden_dim, cfg.context.hidden_dim);
        Ok(CpcAudio {
            encoder: ConvEncoder::new(&cfg.encoder, 1, vb.pp("gEncoder"))?,
            context: cfg.context.kind.build(&cfg.context, latent, vb.pp("gAR.baseNet"))?,
            contrast: Contrast::new(&cfg.heads, context, latent, vb.pp("wPrediction.predictors"))?,
        })
    }

    /// z and c of `samples` (B, T), with zero initial states.
    pub fn forward(&self, samples: &Tensor, phase: Phase) -> Result<Latents> {
        let z = self.encoder.forward(&samples.unsqueeze(2)?, phase)?;
        let c = self.context.forward(&z)?;
        Ok(Latents { z, c })
    }

    /// Encoder and context network for a signal that arrives in pieces, for inference with a trained model.
    pub fn stream(&self) -> Result<(EncoderStream, Box<dyn ContextStream>)> {
        Ok((self.encoder.stream()?, self.context.stream()?))
    }

    /// InfoNCE of every step, with negatives drawn as `objective` specifies, and the number of negatives per position.
    pub fn contrast(
        &self,
        latents: &Latents,
        objective: &ObjectiveConfig,
        phase: Phase,
        stream: &mut Stream,
    ) -> Result<(PerStep, usize)> {
        self.contrast.contrast(latents, objective, None, phase, stream)
    }

    /// InfoNCE of every step with given negatives, and without dropout.
    pub fn contrast_with(&self, latents: &Latents, negatives: &Negatives) -> Result<PerStep> {
        self.contrast.contrast_with(latents, negatives)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{HeadsKind, NegativesFrom, NormKind};
    use crate::kinds::audio::AudioConfig;
    use crate::model::slope::slope;
    use crate::nn::{ContextKind, ParamStore};
    use crate::ops::check::random;
    use crate::seed::stream;
    use candle_core::{DType, Device};

    /// Small models that cover every norm, kind of context network and source of negatives.
    fn cases() -> Vec<(AudioConfig, ObjectiveConfig)> {
        let norms = [NormKind::Channel, NormKind::Batch, NormKind::None];
        let ways = [
            (NegativesFrom::Batch, 8),
            (NegativesFrom::OtherSequences, 5),
            (NegativesFrom::SameSequence, 0),
            (NegativesFrom::Batch, 0),
        ];
        let mut cases = Vec::new();
        for (i, norm) in norms.into_iter().enumerate() {
            for (j, kind) in [ContextKind::GRU, ContextKind::LSTM].into_iter().enumerate() {
                let mut config = AudioConfig::default();
                (config.encoder.hidden_dim, config.encoder.norm) = (10, norm);
                (config.context.hidden_dim, config.context.kind, config.context.num_layers) = (7, kind, 1 + j);
                config.heads.steps = 3;
                let (negatives_from, num_negatives) = ways[(2 * i + j) % ways.len()];
                cases.push((
                    config,
                    ObjectiveConfig { num_negatives, negatives_from, exclude_positive: i == 1, ..Default::default() },
                ));
            }
        }
        let mut config = AudioConfig::default();
        (config.encoder.hidden_dim, config.context.hidden_dim, config.heads.steps) = (16, 16, 2);
        (config.heads.kind, config.data.window) = (HeadsKind::Transformer, 2003);
        cases.push((config, ObjectiveConfig { num_negatives: 8, ..Default::default() }));
        cases
    }

    fn loss(model: &CpcAudio, samples: &Tensor, objective: &ObjectiveConfig) -> Tensor {
        let latents = model.forward(samples, Phase::Train).unwrap();
        let (out, _) = model.contrast(&latents, objective, Phase::Train, &mut stream(1, "negatives", 0)).unwrap();
        out.loss.sum_all().unwrap()
    }

    #[test]
    fn every_parameter_is_trained_and_the_gradient_is_the_slope() {
        for (config, objective) in cases() {
            let store = ParamStore::new(3, &Device::Cpu);
            let model = CpcAudio::new(&AudioModelConfig::audio(&config), &store.builder()).unwrap();
            let samples = random(&[3, 2003], 4).to_dtype(DType::F32).unwrap();
            let behind_batch_norm =
                |name: &str| config.encoder.norm == NormKind::Batch && name.contains("conv") && name.ends_with("bias");
            slope(
                &store.trainable(),
                || (loss(&model, &samples, &objective), None),
                behind_batch_norm,
                &format!("{config:?}"),
            );
        }
    }

    #[test]
    fn what_comes_later_changes_nothing_before_it() {
        // c_t must not see the future: the receptive field of frame t ends before sample 160 t + 465.
        let mut config = AudioConfig::default();
        (config.encoder.hidden_dim, config.context.hidden_dim) = (8, 6);
        let model =
            CpcAudio::new(&AudioModelConfig::audio(&config), &ParamStore::new(1, &Device::Cpu).frozen()).unwrap();
        let a = random(&[1, 8000], 1).to_dtype(DType::F32).unwrap();
        let b = Tensor::cat(&[&a.narrow(1, 0, 4800).unwrap(), &random(&[1, 3200], 2).to_dtype(DType::F32).unwrap()], 1)
            .unwrap();
        let c = |x: &Tensor| model.forward(x, Phase::Eval).unwrap().c.squeeze(0).unwrap().to_vec2::<f32>().unwrap();
        let (a, b) = (c(&a), c(&b));
        assert!(a[..27] == b[..27] && a[31..] != b[31..]);
    }
}
