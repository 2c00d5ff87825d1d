//! Features of a signal that comes in pieces.
//!
//! Encoder and context network look back only, but for the last samples of a frame's receptive field. So a frame is final as soon as
//! these have come, and the frames of any pieces, put together, are those of the whole signal.

use super::Layer;
use crate::error::{Error, Result};
use crate::model::CpcAudio;
use crate::nn::{ContextStream, ParamStore};
use crate::ops::encoder_stream::EncoderStream;
use crate::weights::cpc_audio::HEADS;
use crate::weights::{ModelConfig, Pretrained};
use candle_core::Device;
use serde::{Deserialize, Serialize};

/// When frames are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// Samples a second of the signal.
    pub sample_rate: u32,
    /// Samples from one frame to the next.
    pub hop: usize,
    /// Samples that a frame sees.
    pub receptive_field: usize,
    /// Frames a second.
    pub frame_rate: f64,
    /// The middle of what frame 0 sees, in seconds; frame t is `t / frame_rate` later.
    pub first_frame_seconds: f64,
    /// From the first sample of a frame's hop (sample `t * hop`) until it is final, in milliseconds.
    pub delay_ms: f64,
}

impl Timing {
    /// The timing of a model's frames.
    pub fn new(model: &ModelConfig) -> Self {
        let encoder = &model.encoder;
        let rate = f64::from(model.sample_rate.max(1));
        let (field, lead) = (encoder.receptive_field() as f64, encoder.lead() as f64);
        Timing {
            sample_rate: model.sample_rate,
            hop: encoder.hop(),
            receptive_field: encoder.receptive_field(),
            frame_rate: rate / encoder.hop() as f64,
            first_frame_seconds: ((field - 1.0) / 2.0 - lead) / rate,
            delay_ms: 1e3 * (field - lead) / rate,
        }
    }

    /// The middle of what frame `t` sees, in seconds.
    pub fn seconds(&self, t: u64) -> f64 {
        self.first_frame_seconds + t as f64 / self.frame_rate
    }
}

/// A model and which of its outputs are wanted.
#[derive(Debug, Clone)]
pub struct Extractor {
    config: ModelConfig,
    start: Stream,
}

impl Extractor {
    /// A trained model, on a device. It may lack prediction heads.
    ///
    /// # Errors
    /// The weights are not the model's; a layer that it does not have.
    pub fn open(model: &Pretrained, layers: &[Layer], device: &Device) -> Result<Self> {
        let store = ParamStore::new(0, device);
        CpcAudio::new(&model.config, &store.builder())?;
        store.load(&model.tensors, (!model.has_heads()).then_some(HEADS), &model.origin.reference)?;
        Extractor::new(&model.config, &store, layers)
    }

    /// A model of the same shape with random weights, as training would start from: the baseline of an evaluation.
    pub fn untrained(config: &ModelConfig, seed: u64, layers: &[Layer]) -> Result<Self> {
        Extractor::new(config, &ParamStore::new(seed, &Device::Cpu), layers)
    }

    /// A model with the parameters of a store, which makes those that it lacks.
    pub fn new(config: &ModelConfig, store: &ParamStore, layers: &[Layer]) -> Result<Self> {
        let (encoder, context) = CpcAudio::new(config, &store.frozen())?.stream()?;
        let dims = layers.iter().map(|l| l.dim(config)).collect::<Result<Vec<_>>>()?;
        let deep = layers.iter().any(|&l| l != Layer::Z);
        let latent = config.encoder.hidden_dim;
        let start = Stream { encoder, context: deep.then_some(context), latent, layers: layers.to_vec(), dims };
        Ok(Extractor { config: config.clone(), start })
    }

    /// A stream before its first sample. Streams share the weights, and may be used from different threads.
    pub fn stream(&self) -> Stream {
        self.start.clone()
    }

    /// What the model is.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The wanted layers.
    pub fn layers(&self) -> &[Layer] {
        &self.start.layers
    }

    /// The sizes of the wanted layers' features.
    pub fn dims(&self) -> &[usize] {
        &self.start.dims
    }

    /// When frames are.
    pub fn timing(&self) -> Timing {
        Timing::new(&self.config)
    }
}

/// Some consecutive frames: for each wanted layer (T, dim), row after row.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Frames {
    /// T.
    pub count: usize,
    /// The rows of each wanted layer, in the order in which they were asked for.
    pub layers: Vec<Vec<f32>>,
}

impl Frames {
    /// Puts `later` frames behind these.
    pub fn extend(&mut self, later: &Frames) {
        self.layers.resize(later.layers.len().max(self.layers.len()), Vec::new());
        self.count += later.count;
        self.layers.iter_mut().zip(&later.layers).for_each(|(rows, more)| rows.extend_from_slice(more));
    }
}

/// One signal on its way through a model.
///
/// ```no_run
/// # fn main() -> cpc::error::Result<()> {
/// use cpc::features::{Extractor, Layer};
/// use cpc::weights::Pretrained;
///
/// let model = Pretrained::open("runs/demo".as_ref())?;
/// let extractor = Extractor::open(&model, &[Layer::C], &candle_core::Device::Cpu)?;
/// let mut stream = extractor.stream();
/// for piece in [[0.0; 160], [0.1; 160], [0.0; 160]] {
///     let frames = stream.push(&piece)?; // what became final: 0, 1 or more frames
///     assert_eq!(frames.layers[0].len(), frames.count * extractor.dims()[0]);
/// }
/// let rest = stream.finish()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Stream {
    encoder: EncoderStream,
    context: Option<ContextStream>,
    latent: usize,
    layers: Vec<Layer>,
    dims: Vec<usize>,
}

impl Stream {
    /// Takes samples in [-1, 1] at the model's rate, any number of them, and gives the frames that are final with them.
    ///
    /// # Errors
    /// Samples that are not finite; nothing of the piece is taken then.
    pub fn push(&mut self, samples: &[f32]) -> Result<Frames> {
        let z = self.encode(samples, true)?;
        self.context(z)
    }

    /// The end of the signal: the last frames, which see the zeros behind it. The stream is then at its start again.
    pub fn finish(&mut self) -> Result<Frames> {
        let z = self.encoder.finish(true)?;
        let frames = self.context(z);
        self.reset();
        frames
    }

    /// Forgets the signal: the next sample is the first of another.
    pub fn reset(&mut self) {
        self.encoder.reset();
        if let Some(context) = &mut self.context {
            context.reset();
        }
    }

    /// Pushes the pieces that `next` gives until it gives an empty one, finishes, and hands frames to `take`.
    ///
    /// `alone` stays on this thread; otherwise the encoder works on a piece, on all threads, while the context network works on the
    /// one before.
    pub fn run(
        &mut self,
        alone: bool,
        mut next: impl FnMut() -> Result<Vec<f32>> + Send,
        mut take: impl FnMut(Frames) -> Result<()>,
    ) -> Result<()> {
        self.reset();
        let Stream { encoder, context, latent, layers, .. } = self;
        let mut frames = |z: Vec<f32>| frames(context.as_mut(), layers, z, *latent);
        let mut z = Vec::new();
        let mut ended = false;
        while !ended {
            let mut encode = || -> Result<(Vec<f32>, bool)> {
                let samples = next()?;
                match samples.is_empty() {
                    true => Ok((encoder.finish(alone)?, true)),
                    false => Ok((encode(encoder, &samples, alone)?, false)),
                }
            };
            let before = std::mem::take(&mut z);
            let (frames, encoded) =
                if alone { (frames(before), encode()) } else { rayon::join(|| frames(before), encode) };
            take(frames?)?;
            (z, ended) = encoded?;
        }
        take(frames(z)?)?;
        self.reset();
        Ok(())
    }

    fn encode(&mut self, samples: &[f32], alone: bool) -> Result<Vec<f32>> {
        encode(&mut self.encoder, samples, alone)
    }

    fn context(&mut self, z: Vec<f32>) -> Result<Frames> {
        frames(self.context.as_mut(), &self.layers, z, self.latent)
    }
}

fn encode(encoder: &mut EncoderStream, samples: &[f32], alone: bool) -> Result<Vec<f32>> {
    match samples.iter().position(|s| !s.is_finite()) {
        Some(at) => Err(Error::failed(
            format!("sample {at} of the piece is {}, not a finite number", samples[at]),
            "give samples between -1 and 1",
        )),
        None => encoder.push(samples, alone),
    }
}

/// The wanted layers of frames with these latents (T, D).
fn frames(context: Option<&mut ContextStream>, layers: &[Layer], z: Vec<f32>, latent: usize) -> Result<Frames> {
    let count = z.len() / latent;
    let outputs = context.map_or(Ok(Vec::new()), |context| context.push(&z))?;
    let empty = Vec::new();
    let pick = |layer: &Layer| match layer {
        Layer::Z => z.clone(),
        Layer::C => outputs.last().unwrap_or(&empty).clone(),
        Layer::Context(n) => outputs.get(n - 1).unwrap_or(&empty).clone(),
    };
    let layers: Vec<Vec<f32>> = layers.iter().map(pick).collect();
    Ok(Frames { count, layers })
}
