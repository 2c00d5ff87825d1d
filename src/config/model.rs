//! The sizes of a model: encoder, context network, prediction heads.

use crate::error::Problem;
use serde::{Deserialize, Serialize};

/// What the first layer of the encoder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EncoderKind {
    /// A convolution of the waveform like the others (the paper, section 3.1).
    Conv,
    /// The same, but its filters begin as a filterbank: Gabor filters at frequencies spaced on the mel scale, in four phases each.
    Gabor,
    /// Log-mel energies, computed and not learned: the encoder does not see the waveform itself.
    Mel,
}

/// How the encoder normalizes its channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NormKind {
    /// Over the channels of each time step (CPC_audio's `layerNorm`): no running statistics, identical in training and inference.
    Channel,
    /// Over batch and time (CPC_audio's `batchNorm`).
    Batch,
    /// No normalization.
    None,
}

/// The `[encoder]` section: g_enc, strided convolutions with norm and ReLU.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConvEncoderConfig {
    /// What the first layer is.
    pub kind: EncoderKind,
    /// Channels of every layer, and therefore the dimension of z. 512 in the paper (section 3.1), 256 in CPC_audio.
    pub hidden_dim: usize,
    /// Channels of the first layers, if they differ from `hidden_dim`. The first layers run at the highest rates and take most of the time.
    pub channels: Vec<usize>,
    /// The normalization after each convolution.
    pub norm: NormKind,
    /// Kernel size of each convolution (the paper, section 3.1).
    pub kernels: Vec<usize>,
    /// Stride of each convolution; their product is the hop between frames.
    pub strides: Vec<usize>,
    /// Zero padding on each side of the input of each convolution (CPC_audio).
    pub paddings: Vec<usize>,
    /// Whether a frame sees no sample after its hop: zeros are added before the signal instead, and `paddings` are 0.
    pub causal: bool,
}

impl Default for ConvEncoderConfig {
    fn default() -> Self {
        ConvEncoderConfig {
            kind: EncoderKind::Conv,
            hidden_dim: 256,
            channels: Vec::new(),
            norm: NormKind::Channel,
            kernels: vec![10, 8, 4, 4, 4],
            strides: vec![5, 4, 2, 2, 2],
            paddings: vec![3, 2, 1, 1, 1],
            causal: false,
        }
    }
}

impl ConvEncoderConfig {
    /// The channels of the `i`-th layer.
    pub fn channels_of(&self, i: usize) -> usize {
        self.channels.get(i).copied().unwrap_or(self.hidden_dim)
    }

    /// The channels of every layer.
    pub fn all_channels(&self) -> Vec<usize> {
        (0..self.kernels.len()).map(|i| self.channels_of(i)).collect()
    }

    /// The channels of every layer, as text: one number if they are the same.
    pub fn channels_text(&self) -> String {
        let all = self.all_channels();
        match all.iter().all(|&c| c == self.hidden_dim) {
            true => self.hidden_dim.to_string(),
            false => all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        }
    }

    /// The hop between frames, in samples: 160 for the paper's strides.
    pub fn hop(&self) -> usize {
        self.strides.iter().product()
    }

    /// The receptive field of one frame, in samples: 465 for the paper's kernels.
    pub fn receptive_field(&self) -> usize {
        let (mut field, mut jump) = (1, 1);
        for (kernel, stride) in self.kernels.iter().zip(&self.strides) {
            field += (kernel - 1) * jump;
            jump *= stride;
        }
        field
    }

    /// The zeros before the signal: as many as let frame t end with its hop, at sample `(t + 1) * hop`, if `causal`; else none.
    pub fn zeros_before(&self) -> usize {
        if self.causal { self.receptive_field().saturating_sub(self.hop()) } else { 0 }
    }

    /// The number of padding zeros that the first frame sees before the first sample: 153 for the paper's layers with CPC_audio's paddings.
    /// Frame t sees samples from `t * hop - lead` up to `t * hop - lead + receptive_field`.
    pub fn lead(&self) -> usize {
        if self.causal {
            return self.zeros_before();
        }
        let (mut lead, mut jump) = (0, 1);
        for (padding, stride) in self.paddings.iter().zip(&self.strides) {
            lead += padding * jump;
            jump *= stride;
        }
        lead
    }

    /// The number of frames that `samples` samples produce.
    pub fn frames(&self, samples: usize) -> usize {
        let layers = self.kernels.iter().zip(&self.strides).zip(&self.paddings);
        layers.fold(samples.saturating_add(self.zeros_before()), |time, ((kernel, stride), padding)| {
            time.saturating_add(2 * padding).checked_sub(*kernel).map_or(0, |room| room / stride + 1)
        })
    }

    /// Adds every value out of range to `faults`.
    pub fn validate(&self, faults: &mut Vec<Problem>) {
        let n = self.kernels.len();
        if n == 0 || n > 32 {
            faults.push(Problem::new("encoder.kernels", "must list between 1 and 32 layers"));
        }
        for (key, list) in [("strides", &self.strides), ("paddings", &self.paddings)] {
            if list.len() != n {
                faults.push(Problem::new(
                    format!("encoder.{key}"),
                    format!("lists {} layers, but encoder.kernels lists {n}", list.len()),
                ));
            }
        }
        let in_range = |list: &[usize], from, to| list.iter().all(|v| (from..=to).contains(v));
        for (key, ok) in [
            ("kernels", in_range(&self.kernels, 1, 4096)),
            ("strides", in_range(&self.strides, 1, 4096)),
            ("paddings", in_range(&self.paddings, 0, 4096)),
        ] {
            if !ok {
                faults.push(Problem::new(format!("encoder.{key}"), "contains a size out of range (at most 4096)"));
            }
        }
        if self.kernels.iter().zip(&self.paddings).any(|(kernel, padding)| padding >= kernel) {
            faults.push(Problem::new("encoder.paddings", "a padding must be less than its kernel"));
        }
        if self.causal && self.paddings.iter().any(|&padding| padding > 0) {
            faults.push(Problem::new("encoder.paddings", "must be 0 with encoder.causal = true"));
        }
        if self.channels.len() >= n.max(1) {
            faults.push(Problem::new(
                "encoder.channels",
                format!(
                    "lists {} layers; the last of the {n} layers has encoder.hidden_dim channels",
                    self.channels.len()
                ),
            ));
        }
        if self.kind == EncoderKind::Mel && self.channels.is_empty() {
            faults.push(Problem::new(
                "encoder.channels",
                "encoder.kind = mel needs the number of bands first, such as [80]",
            ));
        }
        let sizes = self.channels.iter().map(|&c| ("encoder.channels", c));
        for (key, channels) in sizes.chain([("encoder.hidden_dim", self.hidden_dim)]) {
            check_dim(key, channels, faults);
            if self.norm == NormKind::Channel && channels < 2 {
                faults.push(Problem::new(key, "channel norm needs at least 2 channels"));
            }
        }
    }
}

/// How the inner product of a prediction and a D-dimensional latent is scaled to give a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScoreKind {
    /// Divided by D (CPC_audio).
    Mean,
    /// Not scaled (the paper, equation 3).
    Sum,
    /// Divided by the square root of D: initial scores have a spread near one, and learning starts immediately.
    Scaled,
}

impl ScoreKind {
    /// The name in a configuration.
    pub fn name(self) -> &'static str {
        match self {
            ScoreKind::Mean => "mean",
            ScoreKind::Sum => "sum",
            ScoreKind::Scaled => "scaled",
        }
    }

    /// The factor by which the inner product over `dim` dimensions is multiplied.
    pub fn scale(self, dim: usize) -> f64 {
        match self {
            ScoreKind::Mean => 1.0 / dim as f64,
            ScoreKind::Sum => 1.0,
            ScoreKind::Scaled => 1.0 / (dim as f64).sqrt(),
        }
    }
}

/// The network that predicts z_{t+k} from c.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeadsKind {
    /// One matrix per step (the paper, equation 3).
    Linear,
    /// One transformer layer per step (CPC_audio's `--rnnMode transformer`).
    Transformer,
}

/// The `[heads]` section: one W_k per step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HeadsConfig {
    /// The kind of head.
    pub kind: HeadsKind,
    /// K: the number of future frames that are predicted. 12 in the paper (section 3.1) and CPC_audio.
    pub steps: usize,
    /// How an inner product is scaled to a score.
    pub score: ScoreKind,
    /// The number of positions that transformer heads are built for: the frames of a window minus K, regardless of the value given here.
    pub positions: usize,
    /// Whether a linear head has a bias, as in the public ports of CPC on text; audio models have none.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub bias: bool,
}

impl Default for HeadsConfig {
    fn default() -> Self {
        HeadsConfig { kind: HeadsKind::Linear, steps: 12, score: ScoreKind::Scaled, positions: 0, bias: false }
    }
}

/// Attention stores a matrix of size positions x positions.
const MOST_POSITIONS: usize = 4096;

impl HeadsConfig {
    /// Adds every value out of range to `faults`.
    pub fn validate(&self, faults: &mut Vec<Problem>) {
        if !(1..=1024).contains(&self.steps) {
            faults.push(Problem::new("heads.steps", format!("{} is not between 1 and 1024", self.steps)));
        }
        if self.positions > MOST_POSITIONS {
            faults.push(Problem::new("heads.positions", format!("{} is more than {MOST_POSITIONS}", self.positions)));
        }
    }

    /// Adds a problem to `faults` if these heads cannot map contexts to latents of these dimensions.
    pub fn validate_sizes(&self, latent: usize, context: usize, faults: &mut Vec<Problem>) {
        if self.kind == HeadsKind::Transformer && (latent != context || !latent.is_multiple_of(8)) {
            faults.push(Problem::new(
                "heads.kind",
                format!("transformer needs encoder.hidden_dim = context.hidden_dim, a multiple of 8, not {latent} and {context}"),
            ));
        }
    }
}

pub(crate) fn check_dim(key: &str, dim: usize, faults: &mut Vec<Problem>) {
    if !(1..=65_536).contains(&dim) {
        faults.push(Problem::new(key, format!("{dim} is not between 1 and 65536")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_papers_encoder_has_a_hop_of_160_and_sees_465_samples() {
        let cfg = ConvEncoderConfig::default();
        assert_eq!((cfg.hop(), cfg.receptive_field(), cfg.frames(20_480), cfg.frames(3)), (160, 465, 128, 0));
        assert_eq!(cfg.lead(), 3 + 5 * 2 + 20 + 40 + 80);
    }

    #[test]
    fn every_fault_is_named_at_once() {
        let cfg = ConvEncoderConfig { hidden_dim: 0, strides: vec![2, 0], paddings: vec![30; 5], ..Default::default() };
        let mut faults = Vec::new();
        cfg.validate(&mut faults);
        let keys: Vec<&str> = faults.iter().map(|f| f.at.as_str()).collect();
        assert_eq!(
            keys,
            ["encoder.strides", "encoder.strides", "encoder.paddings", "encoder.hidden_dim", "encoder.hidden_dim"]
        );
    }

    #[test]
    fn first_layers_may_have_other_channels_but_not_the_last() {
        let cfg = ConvEncoderConfig { channels: vec![64, 128], ..Default::default() };
        assert_eq!([0, 1, 2, 4].map(|i| cfg.channels_of(i)), [64, 128, 256, 256]);
        assert_eq!(cfg.channels_text(), "64, 128, 256, 256, 256");
        assert_eq!(ConvEncoderConfig::default().channels_text(), "256");
        for (channels, kind, word) in [
            (vec![8; 5], EncoderKind::Conv, "lists 5 layers"),
            (vec![8, 0], EncoderKind::Conv, "0 is not between"),
            (vec![1], EncoderKind::Conv, "at least 2 channels"),
            (vec![], EncoderKind::Mel, "number of bands"),
        ] {
            let mut faults = Vec::new();
            ConvEncoderConfig { channels, kind, ..Default::default() }.validate(&mut faults);
            assert!(faults[0].at == "encoder.channels" && faults[0].what.contains(word), "{faults:?}");
        }
    }
}
