//! W_k: one prediction of z_{t+k} from c_t for each step k.

use crate::config::{HeadsConfig, HeadsKind};
use crate::error::{Error, Result};
use crate::nn::store::uniform_by_fan_in;
use crate::nn::transformer::Transformer;
use crate::ops::linear::{linear, product};
use crate::seed::Stream;
use candle_core::Tensor;
use candle_nn::VarBuilder;

/// The prediction heads: the score of step k is z_{t+k} . W_k(c)_t (the paper, equation 3, where W_k is a matrix).
#[derive(Debug, Clone)]
pub struct Heads(HeadLayers);

#[derive(Debug, Clone)]
enum HeadLayers {
    Linear { weights: Vec<Tensor>, bias: Option<Vec<Tensor>> }, // K of (D, H), and of (D)
    Transformer(Vec<Transformer>),
}

impl Heads {
    /// Heads that map contexts of `context_dim` to latents of `latent_dim`; `vb` is rooted at `wPrediction.predictors`.
    ///
    /// Names: `{k}.weight` (D, H), k from 0, and `{k}.bias` (D) if the configuration has it; for transformers, those of one layer under
    /// `{k}.0`.
    ///
    /// # Errors
    /// If transformer heads are given contexts and latents of different sizes, or of a size that is not a multiple of 8.
    pub fn new(cfg: &HeadsConfig, context_dim: usize, latent_dim: usize, vb: VarBuilder) -> Result<Self> {
        let init = uniform_by_fan_in(context_dim);
        let linear =
            |k: usize| -> Result<Tensor> { Ok(vb.pp(k).get_with_hints((latent_dim, context_dim), "weight", init)?) };
        let bias = |k: usize| -> Result<Tensor> { Ok(vb.pp(k).get_with_hints(latent_dim, "bias", init)?) };
        Ok(Heads(match cfg.kind {
            HeadsKind::Linear => HeadLayers::Linear {
                weights: (0..cfg.steps).map(linear).collect::<Result<_>>()?,
                bias: cfg.bias.then(|| (0..cfg.steps).map(bias).collect::<Result<_>>()).transpose()?,
            },
            HeadsKind::Transformer if context_dim != latent_dim => {
                return Err(Error::failed(
                    format!("transformer heads cannot make latents of {latent_dim} from contexts of {context_dim}"),
                    "give encoder.hidden_dim and context.hidden_dim the same size, or use heads.kind=linear",
                ));
            }
            HeadsKind::Transformer => {
                let layer = |k: usize| Transformer::new(latent_dim, cfg.positions, vb.pp(k).pp(0));
                HeadLayers::Transformer((0..cfg.steps).map(layer).collect::<Result<_>>()?)
            }
        }))
    }

    /// The heads of the first `steps` steps alone.
    pub fn first(&self, steps: usize) -> Heads {
        Heads(match &self.0 {
            HeadLayers::Linear { weights, bias } => HeadLayers::Linear {
                weights: weights.iter().take(steps).cloned().collect(),
                bias: bias.as_ref().map(|bias| bias.iter().take(steps).cloned().collect()),
            },
            HeadLayers::Transformer(layers) => HeadLayers::Transformer(layers.iter().take(steps).cloned().collect()),
        })
    }

    /// Returns predictions (B, T, K, D) for `c` (B, T, H). `dropout` is the random stream for dropout in training; linear heads have no
    /// dropout.
    pub fn forward(&self, c: &Tensor, mut dropout: Option<&mut Stream>) -> Result<Tensor> {
        match &self.0 {
            HeadLayers::Linear { weights, bias } => {
                let (batch, time, hidden) = c.dims3()?;
                let all = Tensor::cat(weights, 0)?; // (K*D, H), for one product
                let latent = all.dim(0)? / weights.len();
                let c = c.contiguous()?.reshape((batch * time, hidden))?;
                let p = match bias {
                    Some(bias) => linear(&c, &all, &Tensor::cat(bias, 0)?, false)?,
                    None => product(&c, &all)?,
                };
                Ok(p.reshape((batch, time, weights.len(), latent))?)
            }
            HeadLayers::Transformer(layers) => {
                let each = layers.iter().map(|layer| layer.forward(c, dropout.as_deref_mut()));
                Ok(Tensor::stack(&each.collect::<Result<Vec<_>>>()?, 2)?)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::ParamStore;
    use crate::ops::check::random;
    use crate::seed::stream;
    use candle_core::{DType, Device};

    #[test]
    fn the_first_heads_predict_as_they_do_among_all() {
        for (kind, bias) in [(HeadsKind::Linear, false), (HeadsKind::Linear, true), (HeadsKind::Transformer, false)] {
            let config = HeadsConfig { kind, bias, steps: 3, positions: 5, ..HeadsConfig::default() };
            let store = ParamStore::new(1, &Device::Cpu);
            let heads = Heads::new(&config, 16, 16, store.builder()).unwrap();
            let c = random(&[2, 5, 16], 2).to_dtype(DType::F32).unwrap();
            let all = heads.forward(&c, None).unwrap();
            let two = heads.first(2).forward(&c, None).unwrap();
            let difference = (two - all.narrow(2, 0, 2).unwrap()).unwrap().abs().unwrap().max_all().unwrap();
            assert!(difference.to_scalar::<f32>().unwrap() < 1e-6);
            // Dropout is drawn head by head.
            let drawn = |heads: &Heads| heads.forward(&c, Some(&mut stream(1, "dropout", 0))).unwrap();
            let difference = (drawn(&heads.first(2)) - drawn(&heads).narrow(2, 0, 2).unwrap()).unwrap();
            assert!(difference.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap() < 1e-6);
        }
    }
}
