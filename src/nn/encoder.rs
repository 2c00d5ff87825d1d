//! g_enc: strided convolutions with norm and ReLU, under CPC_audio's parameter names.

use crate::config::{ConvEncoderConfig, NormKind};
use crate::error::Result;
use crate::nn::phase::Phase;
use crate::nn::running::Running;
use crate::nn::store::uniform_by_fan_in;
use crate::ops::encoder::{Layer, Norm, encode};
use crate::ops::encoder_stream::EncoderStream;
use candle_core::Tensor;
use candle_nn::{Init, VarBuilder};

/// The convolutional encoder.
#[derive(Debug, Clone)]
pub struct ConvEncoder {
    layers: Vec<Layer>,
    running: Vec<Running>,
    norm: NormKind,
}

impl ConvEncoder {
    /// An encoder for `channels_in` channels; `vb` is rooted at `gEncoder`.
    ///
    /// Names: `conv{i}.weight` (C_out, C_in, kernel), `conv{i}.bias`, `batchNorm{i}.weight` and `.bias` ((1, C, 1) for channel
    /// norm, (C) for batch norm, with `running_mean`, `running_var` and `num_batches_tracked`).
    pub fn new(cfg: &ConvEncoderConfig, channels_in: usize, vb: VarBuilder) -> Result<Self> {
        let c = cfg.hidden_dim;
        let (mut layers, mut running) = (Vec::new(), Vec::new());
        let mut inputs = channels_in;
        for (i, ((&kernel, &stride), &padding)) in cfg.kernels.iter().zip(&cfg.strides).zip(&cfg.paddings).enumerate() {
            let (conv, norm_vb) = (vb.pp(format!("conv{i}")), vb.pp(format!("batchNorm{i}")));
            let init = uniform_by_fan_in(inputs * kernel);
            let weight = conv.get_with_hints((c, inputs, kernel), "weight", init)?;
            let bias = conv.get_with_hints(c, "bias", init)?;
            let affine = |shape: &[usize]| -> Result<(Tensor, Tensor)> {
                let gain = norm_vb.get_with_hints(shape, "weight", Init::Const(1.0))?;
                let shift = norm_vb.get_with_hints(shape, "bias", Init::Const(0.0))?;
                Ok((gain.reshape(c)?, shift.reshape(c)?))
            };
            let (affine, norm) = match cfg.norm {
                NormKind::None => (None, Norm::None),
                NormKind::Channel => (Some(affine(&[1, c, 1])?), Norm::Channel),
                NormKind::Batch => {
                    running.push(Running::new(c, &norm_vb)?);
                    (Some(affine(&[c])?), Norm::Batch)
                }
            };
            layers.push(Layer { weight, bias, affine, norm, stride, padding });
            inputs = c;
        }
        Ok(ConvEncoder { layers, running, norm: cfg.norm })
    }

    /// Returns z (B, T', D) for `x` (B, T, C_in). In training, the running statistics of batch norm are updated.
    pub fn forward(&self, x: &Tensor, phase: Phase) -> Result<Tensor> {
        if self.norm == NormKind::Batch && phase == Phase::Eval {
            return Ok(encode(x, &self.fixed())?.0);
        }
        let (z, statistics) = encode(x, &self.layers)?;
        for (running, (mean, variance)) in self.running.iter().zip(&statistics) {
            running.step(mean, variance)?;
        }
        Ok(z)
    }

    /// The layers for inference: batch norm with its running statistics.
    fn fixed(&self) -> Vec<Layer> {
        let mut layers = self.layers.clone();
        for (layer, running) in layers.iter_mut().zip(&self.running) {
            layer.norm = Norm::Fixed(running.mean.detach(), running.variance.detach());
        }
        layers
    }

    /// The same layers, as in [`Phase::Eval`], for a signal that arrives in pieces.
    pub fn stream(&self) -> Result<EncoderStream> {
        let mut layers = self.fixed();
        for layer in &mut layers {
            (layer.weight, layer.bias) = (layer.weight.detach(), layer.bias.detach());
            layer.affine = layer.affine.as_ref().map(|(gain, shift)| (gain.detach(), shift.detach()));
        }
        EncoderStream::new(&layers)
    }
}
