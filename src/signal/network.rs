//! The network of CPC on a signal (van den Oord et al. 2018, section 3.1).
//!
//! ```text
//! samples (B, T, C) -> g_enc -> z (B, T/hop, D) -> g_ar -> c (B, T/hop, H) -> W_k c_t -> scores against z_{t+k} and negatives
//! ```

use crate::config::{ConvEncoderConfig, HeadsConfig, ObjectiveConfig};
use crate::error::Result;
use crate::group::Group;
use crate::model::{Contrast, Latents};
use crate::nn::{Context, ContextConfig, ContextStream, ConvEncoder, ConvEncoderStream, ParamStore, Phase, gabor};
use crate::objective::PerStep;
use crate::ops::negatives::Negatives;
use crate::seed::Stream;
use candle_core::Tensor;
use candle_nn::VarBuilder;
use std::sync::Arc;

/// The prefix of the names of prediction heads.
pub const HEADS: &str = "wPrediction.";

/// The sizes of a network.
#[derive(Debug, Clone, PartialEq)]
pub struct Sizes {
    /// Values in a sample of the signal: 1 for audio.
    pub channels: usize,
    /// Samples per second.
    pub rate: f64,
    /// g_enc.
    pub encoder: ConvEncoderConfig,
    /// g_ar.
    pub context: ContextConfig,
    /// W_k.
    pub heads: HeadsConfig,
}

/// Encoder, context network and heads, under CPC_audio's parameter names.
#[derive(Debug, Clone)]
pub struct Network {
    trunk: Trunk,
    contrast: Contrast,
}

/// Encoder and context network: what is left of a network when its prediction heads are not needed.
#[derive(Debug, Clone)]
pub struct Trunk {
    encoder: ConvEncoder,
    context: Arc<dyn Context>,
}

impl Trunk {
    /// The trunk of these sizes, with parameters from `vb`.
    ///
    /// # Errors
    /// The parameters have other shapes.
    pub fn new(cfg: &Sizes, vb: &VarBuilder) -> Result<Self> {
        Ok(Trunk {
            encoder: ConvEncoder::new(&cfg.encoder, cfg.channels, hertz(cfg), vb.pp("gEncoder"))?,
            context: cfg.context.kind.build(&cfg.context, cfg.encoder.hidden_dim, vb.pp("gAR.baseNet"))?,
        })
    }

    /// Gives the first layer of a new trunk in `store` the filters that training begins with, if they are not random.
    ///
    /// # Errors
    /// The store has no such layer.
    pub fn begin(cfg: &Sizes, store: &ParamStore) -> Result<()> {
        match gabor(&cfg.encoder, hertz(cfg)) {
            Some(filters) => store.set("gEncoder.conv0.weight", filters),
            None => Ok(()),
        }
    }

    /// z and c of `samples` (B, T, C), or (B, T) of one channel, with zero initial states.
    ///
    /// # Errors
    /// There are too few samples for a frame.
    pub fn forward(&self, samples: &Tensor, phase: Phase) -> Result<Latents> {
        let z = self.encoder.forward(&with_channels(samples)?, phase)?;
        let c = self.context.forward(&z)?;
        Ok(Latents { z, c })
    }
}

impl Network {
    /// The network of these sizes, with parameters from `vb`.
    pub fn new(cfg: &Sizes, vb: &VarBuilder) -> Result<Self> {
        let (latent, context) = (cfg.encoder.hidden_dim, cfg.context.hidden_dim);
        Ok(Network {
            trunk: Trunk::new(cfg, vb)?,
            contrast: Contrast::new(&cfg.heads, context, latent, vb.pp("wPrediction.predictors"))?,
        })
    }

    /// A new network whose parameters `store` creates, trainable, at the values that training begins with.
    pub fn begin(cfg: &Sizes, store: &ParamStore) -> Result<Self> {
        let model = Network::new(cfg, &store.builder())?;
        Trunk::begin(cfg, store)?;
        Ok(model)
    }

    /// z and c of `samples` (B, T, C), or (B, T) of one channel, with zero initial states.
    pub fn forward(&self, samples: &Tensor, phase: Phase) -> Result<Latents> {
        self.trunk.forward(samples, phase)
    }

    /// z of `future`, and c of `past`: two views of the same windows, shaped as in [`Network::forward`]. Both pass the encoder in one batch.
    pub fn forward_views(&self, past: &Tensor, future: &Tensor, phase: Phase) -> Result<Latents> {
        let rows = past.dim(0)?;
        let Trunk { encoder, context } = &self.trunk;
        let z = encoder.forward(&with_channels(&Tensor::cat(&[past, future], 0)?)?, phase)?;
        let c = context.forward(&z.narrow(0, 0, rows)?)?;
        Ok(Latents { z: z.narrow(0, rows, rows)?, c })
    }

    /// Encoder and context network for a signal that arrives in pieces, for inference with a trained model.
    pub fn stream(&self) -> Result<(ConvEncoderStream, Box<dyn ContextStream>)> {
        Ok((self.trunk.encoder.stream()?, self.trunk.context.stream()?))
    }

    /// The same with negatives from the windows of all processes of a group in training.
    pub fn gathering(self, group: &Group) -> Network {
        Network { contrast: self.contrast.gathering(group), ..self }
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

/// The rate in whole Hz, which the filterbanks of audio are made for.
fn hertz(cfg: &Sizes) -> u32 {
    cfg.rate.round() as u32
}

/// (B, T) of one channel as (B, T, 1).
fn with_channels(samples: &Tensor) -> Result<Tensor> {
    Ok(if samples.rank() == 2 { samples.unsqueeze(2)? } else { samples.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{EncoderKind, HeadsKind, NegativesFrom, NormKind};
    use crate::model::slope::slope;
    use crate::nn::{ContextKind, ParamStore};
    use crate::ops::check::random;
    use crate::seed::stream;
    use candle_core::{DType, Device};

    /// A network on audio of the usual sizes.
    fn audio() -> Sizes {
        Sizes {
            channels: 1,
            rate: 16_000.0,
            encoder: Default::default(),
            context: Default::default(),
            heads: Default::default(),
        }
    }

    /// Rows of a signal for a network.
    fn signal(config: &Sizes, rows: usize, seed: u64) -> Tensor {
        random(&[rows, 2003, config.channels], seed).to_dtype(DType::F32).unwrap()
    }

    /// Small models that cover every norm, kind of context network and source of negatives.
    fn cases() -> Vec<(Sizes, ObjectiveConfig)> {
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
                let mut config = audio();
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
        for kind in [EncoderKind::Gabor, EncoderKind::Mel] {
            let mut config = audio();
            (config.encoder.kind, config.encoder.hidden_dim, config.encoder.channels) = (kind, 10, vec![12, 8]);
            (config.encoder.kernels, config.encoder.strides) = (vec![128, 8, 3], vec![40, 4, 1]);
            (config.encoder.paddings, config.context.hidden_dim, config.heads.steps) = (vec![44, 2, 1], 7, 3);
            cases.push((config, ObjectiveConfig { num_negatives: 8, ..Default::default() }));
        }
        let mut config = audio();
        (config.encoder.hidden_dim, config.context.hidden_dim, config.context.num_layers) = (10, 7, 2);
        (config.context.kind, config.context.state_dim, config.heads.steps) = (ContextKind::S4D, 6, 3);
        cases.push((config, ObjectiveConfig { num_negatives: 8, ..Default::default() }));
        let mut config = Sizes { channels: 3, ..audio() };
        (config.encoder.hidden_dim, config.context.hidden_dim, config.heads.steps) = (8, 7, 3);
        (config.encoder.kernels, config.encoder.strides) = (vec![7, 1, 3], vec![5, 1, 2]);
        (config.encoder.paddings, config.encoder.causal) = (vec![0; 3], true);
        cases.push((config, ObjectiveConfig { num_negatives: 8, ..Default::default() }));
        let mut config = audio();
        (config.encoder.hidden_dim, config.context.hidden_dim, config.heads.steps) = (16, 16, 2);
        (config.heads.kind, config.heads.positions) = (HeadsKind::Transformer, config.encoder.frames(2003) - 2);
        cases.push((config, ObjectiveConfig { num_negatives: 8, ..Default::default() }));
        cases
    }

    fn loss(model: &Network, samples: &Tensor, objective: &ObjectiveConfig) -> Tensor {
        let latents = model.forward(samples, Phase::Train).unwrap();
        let (out, _) = model.contrast(&latents, objective, Phase::Train, &mut stream(1, "negatives", 0)).unwrap();
        out.loss.sum_all().unwrap()
    }

    #[test]
    fn every_parameter_is_trained_and_the_gradient_is_the_slope() {
        for (config, objective) in cases() {
            let store = ParamStore::new(3, &Device::Cpu);
            let model = Network::new(&config, &store.builder()).unwrap();
            let samples = signal(&config, 3, 4);
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
    fn of_two_views_c_is_that_of_the_past_and_z_that_of_the_future() {
        for (config, objective) in cases().into_iter().filter(|(config, _)| config.encoder.norm != NormKind::Batch) {
            let store = ParamStore::new(3, &Device::Cpu);
            let model = Network::begin(&config, &store).unwrap();
            let [past, future] = [5, 6].map(|seed| signal(&config, 2, seed));
            let both = model.forward_views(&past, &future, Phase::Train).unwrap();
            let apart = |x: &Tensor| model.forward(x, Phase::Train).unwrap();
            let far =
                |a: &Tensor, b: &Tensor| (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
            assert!(far(&both.c, &apart(&past).c) < 1e-5 && far(&both.z, &apart(&future).z) < 1e-5);
            // With twice the same view, the gradient is that of the usual loss.
            let gradient = |latents: &Latents| {
                let (out, _) = model.contrast(latents, &objective, Phase::Eval, &mut stream(1, "n", 0)).unwrap();
                out.loss.sum_all().unwrap().backward().unwrap()
            };
            let (one, two) =
                (gradient(&apart(&past)), gradient(&model.forward_views(&past, &past, Phase::Train).unwrap()));
            for (name, var) in store.trainable() {
                let (a, b) = (one.get(&var).unwrap(), two.get(&var).unwrap());
                let size = a.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
                assert!(far(a, b) < 1e-4 * size.max(1e-2), "{name}");
            }
        }
    }

    #[test]
    fn what_comes_later_changes_nothing_before_it() {
        // c_t must not see the future: the receptive field of frame t ends before sample 160 t + 465.
        let mut config = audio();
        (config.encoder.hidden_dim, config.context.hidden_dim) = (8, 6);
        let model = Network::new(&config, &ParamStore::new(1, &Device::Cpu).frozen()).unwrap();
        let a = random(&[1, 8000], 1).to_dtype(DType::F32).unwrap();
        let b = Tensor::cat(&[&a.narrow(1, 0, 4800).unwrap(), &random(&[1, 3200], 2).to_dtype(DType::F32).unwrap()], 1)
            .unwrap();
        let c = |x: &Tensor| model.forward(x, Phase::Eval).unwrap().c.squeeze(0).unwrap().to_vec2::<f32>().unwrap();
        let (a, b) = (c(&a), c(&b));
        assert!(a[..27] == b[..27] && a[31..] != b[31..]);
    }
}
