//! W_k: one linear prediction of z_{t+k} from c_t for each step k.

use super::store::uniform_by_fan_in;
use crate::config::HeadsConfig;
use crate::error::Result;
use candle_core::Tensor;
use candle_nn::VarBuilder;

/// The bilinear prediction heads: the score of step k is z_{t+k} . W_k c_t (the paper, equation 3).
#[derive(Debug, Clone)]
pub struct LinearHeads {
    weights: Vec<Tensor>, // K of (D, H)
}

impl LinearHeads {
    /// Heads from contexts of `context_dim` to latents of `latent_dim`; `vb` stands at `wPrediction.predictors`.
    ///
    /// Names: `{k}.weight` (D, H), k from 0, without bias.
    pub fn new(cfg: &HeadsConfig, context_dim: usize, latent_dim: usize, vb: VarBuilder) -> Result<Self> {
        let init = uniform_by_fan_in(context_dim);
        let head = |k: usize| Ok(vb.pp(k).get_with_hints((latent_dim, context_dim), "weight", init)?);
        Ok(LinearHeads { weights: (0..cfg.steps).map(head).collect::<Result<_>>()? })
    }

    /// Predictions (B, T, K, D) of `c` (B, T, H), as one product.
    pub fn forward(&self, c: &Tensor) -> Result<Tensor> {
        let (batch, time, hidden) = c.dims3()?;
        let all = Tensor::cat(&self.weights, 0)?; // (K*D, H)
        let latent = all.dim(0)? / self.weights.len();
        let p = c.contiguous()?.reshape((batch * time, hidden))?.matmul(&all.t()?)?;
        Ok(p.reshape((batch, time, self.weights.len(), latent))?)
    }
}
