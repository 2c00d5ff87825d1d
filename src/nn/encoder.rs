//! g_enc: strided convolutions with norm and ReLU, under CPC_audio's parameter names.

use crate::config::{ConvEncoderConfig, EncoderKind, NormKind};
use crate::error::Result;
use crate::nn::phase::Phase;
use crate::nn::running::Running;
use crate::nn::store::uniform_by_fan_in;
use crate::ops::encoder::{Layer, Norm, encode};
use crate::ops::encoder_stream::EncoderStream;
use crate::ops::filterbank::{Filterbank, FilterbankStream, hertz, mel};
use candle_core::Tensor;
use candle_nn::{Init, VarBuilder};

/// The convolutional encoder.
#[derive(Debug, Clone)]
pub struct ConvEncoder {
    front: Option<Filterbank>,
    layers: Vec<Layer>,
    running: Vec<Running>,
    norm: NormKind,
    /// Zero samples before the signal.
    zeros: usize,
    channels_in: usize,
}

impl ConvEncoder {
    /// An encoder for `channels_in` channels at `rate` Hz; `vb` is rooted at `gEncoder`.
    ///
    /// Names: `conv{i}.weight` (C_out, C_in, kernel), `conv{i}.bias`, `batchNorm{i}.weight` and `.bias` ((1, C, 1) for channel
    /// norm, (C) for batch norm, with `running_mean`, `running_var` and `num_batches_tracked`).
    pub fn new(cfg: &ConvEncoderConfig, channels_in: usize, rate: u32, vb: VarBuilder) -> Result<Self> {
        let (mut layers, mut running) = (Vec::new(), Vec::new());
        let mut inputs = channels_in;
        let mut front = None;
        for (i, ((&kernel, &stride), &padding)) in cfg.kernels.iter().zip(&cfg.strides).zip(&cfg.paddings).enumerate() {
            let c = cfg.channels_of(i);
            if i == 0 && cfg.kind == EncoderKind::Mel {
                front = Some(Filterbank::new(rate, c, [kernel, stride, padding])?);
                inputs = c;
                continue;
            }
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
        Ok(ConvEncoder { front, layers, running, norm: cfg.norm, zeros: cfg.zeros_before(), channels_in })
    }

    /// Returns z (B, T', D) for `x` (B, T, C_in). In training, the running statistics of batch norm are updated.
    pub fn forward(&self, x: &Tensor, phase: Phase) -> Result<Tensor> {
        let padded = (self.zeros > 0).then(|| x.pad_with_zeros(1, self.zeros, 0)).transpose()?;
        let x = padded.as_ref().unwrap_or(x);
        let bands = self.front.as_ref().map(|front| front.forward(x)).transpose()?;
        let x = bands.as_ref().unwrap_or(x);
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
    pub fn stream(&self) -> Result<ConvEncoderStream> {
        let mut layers = self.fixed();
        for layer in &mut layers {
            (layer.weight, layer.bias) = (layer.weight.detach(), layer.bias.detach());
            layer.affine = layer.affine.as_ref().map(|(gain, shift)| (gain.detach(), shift.detach()));
        }
        let front = self.front.as_ref().map(Filterbank::stream);
        let zeros = self.zeros * self.channels_in;
        Ok(ConvEncoderStream { front, layers: EncoderStream::new(&layers)?, zeros, before: zeros })
    }
}

/// A [`ConvEncoder`] on a signal that arrives in pieces. Clones share the weights.
#[derive(Debug, Clone)]
pub struct ConvEncoderStream {
    front: Option<FilterbankStream>,
    layers: EncoderStream,
    /// Zeros before the signal, as values.
    zeros: usize,
    /// Those of them that have not been pushed yet.
    before: usize,
}

impl ConvEncoderStream {
    /// Takes samples and returns the latents (m, D) that they complete; on this thread if `alone`, else on all threads.
    pub fn push(&mut self, samples: &[f32], alone: bool) -> Result<Vec<f32>> {
        let before = std::mem::take(&mut self.before);
        if before > 0 && !samples.is_empty() {
            return self.push(&[vec![0.0; before].as_slice(), samples].concat(), alone);
        }
        self.before = before;
        match &mut self.front {
            Some(front) => self.layers.push(&front.push(samples), alone),
            None => self.layers.push(samples, alone),
        }
    }

    /// Ends the signal and returns the last latents. The stream is then back at its start.
    pub fn finish(&mut self, alone: bool) -> Result<Vec<f32>> {
        let mut latents = match &mut self.front {
            Some(front) => self.layers.push(&front.finish(), alone)?,
            None => Vec::new(),
        };
        latents.extend(self.layers.finish(alone)?);
        self.before = self.zeros;
        Ok(latents)
    }

    /// Discards the signal.
    pub fn reset(&mut self) {
        if let Some(front) = &mut self.front {
            front.reset();
        }
        self.layers.reset();
        self.before = self.zeros;
    }
}

/// The filters that a first layer of kind [`EncoderKind::Gabor`] begins with: (channels, 1, kernel), or None for other kinds.
///
/// Four filters share a frequency, as cosine and sine of either sign: after ReLU, their sum is near the magnitude, whatever the phase.
/// Frequencies are equally spaced on the mel scale, filters as wide as the spacing where the kernel is long enough, and scaled by the root of
/// their frequency against the slope of speech.
pub fn gabor(cfg: &ConvEncoderConfig, rate: u32) -> Option<Vec<f32>> {
    if cfg.kind != EncoderKind::Gabor {
        return None;
    }
    let (channels, kernel) = (cfg.channels_of(0), *cfg.kernels.first()?);
    let bands = channels.div_ceil(4);
    let (low, high) = (mel(60.0), mel(rate as f32 / 2.0 * 0.95));
    let step = (high - low) / (bands.max(2) - 1) as f32;
    let filter = |channel: usize| {
        let center = hertz(low + step * (channel / 4) as f32);
        let width = hertz(low + step * (channel / 4) as f32 + step) - center;
        // A Gaussian of standard deviation `width` / 2 in frequency, of at most a sixth of the kernel in time.
        let spread = (rate as f32 / (std::f32::consts::PI * width)).min(kernel as f32 / 6.0);
        let phase = std::f32::consts::FRAC_PI_2 * (channel % 4) as f32;
        let value = |i: usize| {
            let t = i as f32 - (kernel as f32 - 1.0) / 2.0;
            (-0.5 * (t / spread).powi(2)).exp() * (std::f32::consts::TAU * center / rate as f32 * t + phase).cos()
        };
        let values: Vec<f32> = (0..kernel).map(value).collect();
        let norm = values.iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-6);
        let scale = (center / 1000.0).sqrt() / norm;
        values.into_iter().map(move |v| v * scale)
    };
    Some((0..channels).flat_map(filter).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::ParamStore;
    use crate::ops::check::{device, random, single};
    use candle_core::{DType, Device};

    fn configs() -> [ConvEncoderConfig; 4] {
        let few = |kind| ConvEncoderConfig {
            kind,
            hidden_dim: 6,
            channels: vec![16, 5],
            kernels: vec![64, 4, 3],
            strides: vec![16, 2, 1],
            paddings: vec![24, 1, 1],
            ..Default::default()
        };
        let [conv, gabor, mel] = [EncoderKind::Conv, EncoderKind::Gabor, EncoderKind::Mel].map(few);
        let causal = ConvEncoderConfig { causal: true, paddings: vec![0; 3], ..conv.clone() };
        [conv, gabor, mel, causal]
    }

    #[test]
    fn pieces_of_a_signal_give_what_the_whole_gives_with_every_kind_of_first_layer() {
        for cfg in configs() {
            let encoder = ConvEncoder::new(&cfg, 1, 16_000, ParamStore::new(1, &device()).frozen()).unwrap();
            let x = single(&random(&[1, 1000, 1], 2));
            let want = encoder.forward(&x, Phase::Eval).unwrap();
            assert_eq!(want.dims(), [1, cfg.frames(1000), 6]);
            let want = want.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let samples = x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let mut stream = encoder.stream().unwrap();
            stream.push(&samples[..300], true).unwrap();
            stream.reset();
            let mut got = Vec::new();
            samples.chunks(77).for_each(|piece| got.extend(stream.push(piece, true).unwrap()));
            got.extend(stream.finish(true).unwrap());
            assert_eq!(got.len(), want.len());
            assert!(got.iter().zip(&want).all(|(a, b)| (a - b).abs() < 1e-4), "{cfg:?}");
        }
    }

    #[test]
    fn a_causal_frame_ends_with_its_hop() {
        let [.., cfg] = configs();
        let encoder = ConvEncoder::new(&cfg, 2, 100, ParamStore::new(1, &device()).frozen()).unwrap();
        let x = random(&[1, 330, 2], 2);
        let frames = |x: &Tensor| encoder.forward(&single(x), Phase::Eval).unwrap().squeeze(0).unwrap();
        let whole = frames(&x);
        assert_eq!((whole.dims()[0], cfg.frames(330), cfg.hop()), (10, 10, 32));
        for t in [0, 1, 6, 9] {
            let part = frames(&x.narrow(1, 0, 32 * (t + 1)).unwrap());
            assert_eq!(part.dims()[0], t + 1);
            let far = (part - whole.narrow(0, 0, t + 1).unwrap()).unwrap().abs().unwrap().max_all().unwrap();
            assert!(far.to_scalar::<f32>().unwrap() < 1e-5);
        }
    }

    #[test]
    fn log_mel_bands_have_no_parameters_and_the_layers_after_them_keep_their_numbers() {
        let [_, _, mel, _] = configs();
        let store = ParamStore::new(1, &Device::Cpu);
        ConvEncoder::new(&mel, 1, 16_000, store.builder()).unwrap();
        let names: Vec<String> = store.tensors().into_keys().collect();
        assert_eq!(names.len(), 8);
        assert!(names.iter().all(|name| name.contains('1') || name.contains('2')), "{names:?}");
    }

    #[test]
    fn gabor_filters_answer_to_their_frequency_whatever_the_phase() {
        let cfg = ConvEncoderConfig {
            kind: EncoderKind::Gabor,
            channels: vec![64],
            kernels: vec![256, 8],
            strides: vec![40, 4],
            paddings: vec![108, 2],
            ..Default::default()
        };
        let filters = Tensor::from_vec(gabor(&cfg, 16_000).unwrap(), (64, 256), &Device::Cpu).unwrap();
        assert_eq!(gabor(&ConvEncoderConfig::default(), 16_000), None);
        let loudest = |hertz: f32, phase: f32| -> (usize, f32) {
            let tone = (0..256).map(|i| (std::f32::consts::TAU * hertz * i as f32 / 16_000.0 + phase).sin()).collect();
            let tone = Tensor::from_vec::<_, f32>(tone, (256, 1), &Device::Cpu).unwrap();
            let out = filters.matmul(&tone).unwrap().relu().unwrap().reshape((16, 4)).unwrap().sum(1).unwrap();
            let out = out.to_dtype(DType::F32).unwrap().to_vec1::<f32>().unwrap();
            let best = (0..16).max_by(|&a, &b| out[a].total_cmp(&out[b])).unwrap();
            (best, out[best])
        };
        let mut last = 0;
        for hertz in [300.0, 700.0, 1500.0, 3000.0, 6000.0] {
            let answers: Vec<(usize, f32)> = (0..8).map(|phase| loudest(hertz, phase as f32 * 0.7)).collect();
            assert!(answers.iter().all(|a| a.0 == answers[0].0), "{hertz} Hz: {answers:?}");
            let (low, high) = answers.iter().fold((f32::MAX, 0.0f32), |(l, h), a| (l.min(a.1), h.max(a.1)));
            assert!(high / low < 1.5 && answers[0].0 > last, "{hertz} Hz: {answers:?}");
            last = answers[0].0;
        }
    }
}
