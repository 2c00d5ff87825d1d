//! Features of a signal that arrives in pieces.
//!
//! Encoder and context network only look back, except for the last samples of a frame's receptive field. So a frame is final as soon as
//! these samples have arrived, and the frames of all pieces, concatenated, are those of the whole signal.

use super::Layer;
use crate::error::{Error, Result};
use crate::model::CpcAudio;
use crate::nn::{ContextStream, ParamStore};
use crate::ops::encoder_stream::EncoderStream;
use crate::weights::cpc_audio::HEADS;
use crate::weights::{ModelConfig, Pretrained};
use candle_core::Device;
use serde::{Deserialize, Serialize};

/// The timing of frames.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// The sample rate of the signal, in Hz.
    pub sample_rate: u32,
    /// Samples from one frame to the next.
    pub hop: usize,
    /// The receptive field of a frame, in samples.
    pub receptive_field: usize,
    /// Frames per second.
    pub frame_rate: f64,
    /// The center of the receptive field of frame 0, in seconds; frame t is `t / frame_rate` later.
    pub first_frame_seconds: f64,
    /// The time from the first sample of a frame's hop (sample `t * hop`) until the frame is final, in milliseconds.
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

    /// The center of the receptive field of frame `t`, in seconds.
    pub fn seconds(&self, t: u64) -> f64 {
        self.first_frame_seconds + t as f64 / self.frame_rate
    }
}

/// A model and the requested layers.
#[derive(Debug, Clone)]
pub struct Extractor {
    config: ModelConfig,
    start: Stream,
}

impl Extractor {
    /// A trained model, on a device. It may lack prediction heads.
    ///
    /// # Errors
    /// The weights do not match the model; it does not have a requested layer.
    pub fn open(model: &Pretrained, layers: &[Layer], device: &Device) -> Result<Self> {
        let store = ParamStore::new(0, device);
        CpcAudio::new(&model.config, &store.builder())?;
        store.load(&model.tensors, (!model.has_heads()).then_some(HEADS), &model.origin.reference)?;
        Extractor::new(&model.config, &store, layers)
    }

    /// A model of the same shape with the random weights that training would start from: a baseline for evaluation.
    pub fn untrained(config: &ModelConfig, seed: u64, layers: &[Layer]) -> Result<Self> {
        Extractor::new(config, &ParamStore::new(seed, &Device::Cpu), layers)
    }

    /// A model with the parameters of a store, which initializes those that are missing.
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

    /// The configuration of the model.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The requested layers.
    pub fn layers(&self) -> &[Layer] {
        &self.start.layers
    }

    /// The dimensions of the requested layers' features.
    pub fn dims(&self) -> &[usize] {
        &self.start.dims
    }

    /// The timing of frames.
    pub fn timing(&self) -> Timing {
        Timing::new(&self.config)
    }
}

/// Consecutive frames: for each requested layer (T, dim), row-major.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Frames {
    /// T.
    pub count: usize,
    /// The rows of each requested layer, in the order of the request.
    pub layers: Vec<Vec<f32>>,
}

impl Frames {
    /// Appends the frames of `later`.
    pub fn extend(&mut self, later: &Frames) {
        self.layers.resize(later.layers.len().max(self.layers.len()), Vec::new());
        self.count += later.count;
        self.layers.iter_mut().zip(&later.layers).for_each(|(rows, more)| rows.extend_from_slice(more));
    }
}

/// The state of one signal that is being processed by a model.
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
///     let frames = stream.push(&piece)?; // the frames that became final: 0, 1 or more
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
    /// Accepts any number of samples in [-1, 1] at the model's rate, and returns the frames that they make final.
    ///
    /// # Errors
    /// A sample is not finite; in that case no part of the piece is processed.
    pub fn push(&mut self, samples: &[f32]) -> Result<Frames> {
        let z = self.encode(samples, true)?;
        self.context(z)
    }

    /// Ends the signal and returns the last frames, which see the zeros after its end. The stream is then reset.
    pub fn finish(&mut self) -> Result<Frames> {
        let z = self.encoder.finish(true)?;
        let frames = self.context(z);
        self.reset();
        frames
    }

    /// Discards the signal: the next sample is the first of a new one.
    pub fn reset(&mut self) {
        self.encoder.reset();
        if let Some(context) = &mut self.context {
            context.reset();
        }
    }

    /// Pushes the pieces that `next` returns until it returns an empty one, then finishes. Frames are passed to `take`.
    ///
    /// With `alone`, all work is done on this thread. Otherwise the encoder processes a piece on all threads while the context network
    /// processes the previous one.
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

/// The requested layers of frames with these latents (T, D).
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
