//! Features of a signal that arrives in pieces.
//!
//! Encoder and context network only look back, except for the last samples of a frame's receptive field. So a frame is final as soon as
//! these samples have arrived. The concatenated frames of all pieces are those of the whole signal.

use crate::error::{Error, Result};
use crate::features::{Frames, Timing};
use crate::nn::{ContextStream, ConvEncoderStream, ParamStore};
use crate::signal::{HEADS, Layer, Network, Sizes};
use candle_core::{Device, Tensor};
use std::collections::HashMap;

/// Whether tensors include prediction heads, which are needed for training but not for features.
pub fn has_heads(tensors: &HashMap<String, Tensor>) -> bool {
    tensors.keys().any(|name| name.starts_with(HEADS))
}

/// The timing of a model's frames.
pub fn timing(model: &Sizes) -> Timing {
    let (encoder, rate) = (&model.encoder, model.rate);
    let (field, lead) = (encoder.receptive_field() as f64, encoder.lead() as f64);
    Timing {
        sample_rate: rate,
        hop: encoder.hop(),
        receptive_field: encoder.receptive_field(),
        frame_rate: rate / encoder.hop() as f64,
        first_frame_seconds: ((field - 1.0) / 2.0 - lead) / rate,
        delay_ms: 1e3 * (field - lead) / rate,
    }
}

/// A model and the requested layers.
#[derive(Debug, Clone)]
pub struct Extractor {
    sizes: Sizes,
    start: FeatureStream,
}

impl Extractor {
    /// A trained model, on a device. It may lack prediction heads. `reference` is its name in errors.
    ///
    /// # Errors
    /// The weights do not match the model; it does not have a requested layer.
    pub fn open(
        sizes: &Sizes,
        tensors: &HashMap<String, Tensor>,
        reference: &str,
        layers: &[Layer],
        device: &Device,
    ) -> Result<Self> {
        let store = ParamStore::new(0, device);
        Network::new(sizes, &store.builder())?;
        store.load(tensors, (!has_heads(tensors)).then_some(HEADS), reference)?;
        Extractor::new(sizes, &store, layers)
    }

    /// A model with the parameters of a store, which initializes those that are missing.
    pub fn new(sizes: &Sizes, store: &ParamStore, layers: &[Layer]) -> Result<Self> {
        let (encoder, context) = Network::new(sizes, &store.frozen())?.stream()?;
        let dims = layers.iter().map(|l| l.dim(sizes)).collect::<Result<Vec<_>>>()?;
        let deep = layers.iter().any(Layer::is_context);
        let (width, latent) = (sizes.channels, sizes.encoder.hidden_dim);
        let context = deep.then_some(context);
        let start = FeatureStream { encoder, context, width, latent, layers: layers.to_vec(), dims };
        Ok(Extractor { sizes: sizes.clone(), start })
    }

    /// A stream before its first sample. Streams share the weights, and may be used from different threads.
    pub fn stream(&self) -> FeatureStream {
        self.start.clone()
    }

    /// The sizes of the model.
    pub fn sizes(&self) -> &Sizes {
        &self.sizes
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
        timing(&self.sizes)
    }
}

/// The state of one signal that is being processed by a model.
///
/// ```no_run
/// # fn main() -> cpc::error::Result<()> {
/// use cpc::kinds::audio::AudioModel;
/// use cpc::signal::Layer;
///
/// let model = AudioModel::open("runs/demo".as_ref())?;
/// let extractor = model.extractor(&[Layer::C], &candle_core::Device::Cpu)?;
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
pub struct FeatureStream {
    encoder: ConvEncoderStream,
    context: Option<Box<dyn ContextStream>>,
    /// Values in a frame of the signal.
    width: usize,
    latent: usize,
    layers: Vec<Layer>,
    dims: Vec<usize>,
}

impl FeatureStream {
    /// Accepts any number of samples at the model's rate, and returns the frames that they make final. Samples of audio are in [-1, 1]; of a
    /// signal with several channels, a sample has a value for each of them.
    ///
    /// # Errors
    /// A value is not finite, or the last sample is not whole; in that case no part of the piece is processed.
    pub fn push(&mut self, samples: &[f32]) -> Result<Frames> {
        let z = self.encode(samples, true)?;
        self.context(z)
    }

    /// Ends the signal and returns the last frames, whose receptive fields contain the zeros after its end. The stream is then reset.
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
        let FeatureStream { encoder, context, width, latent, layers, .. } = self;
        let mut frames = |z: Vec<f32>| frames(context.as_mut(), layers, z, *latent);
        let mut z = Vec::new();
        let mut ended = false;
        while !ended {
            let mut encode = || -> Result<(Vec<f32>, bool)> {
                let samples = next()?;
                match samples.is_empty() {
                    true => Ok((encoder.finish(alone)?, true)),
                    false => Ok((encode(encoder, *width, &samples, alone)?, false)),
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
        encode(&mut self.encoder, self.width, samples, alone)
    }

    fn context(&mut self, z: Vec<f32>) -> Result<Frames> {
        frames(self.context.as_mut(), &self.layers, z, self.latent)
    }
}

fn encode(encoder: &mut ConvEncoderStream, width: usize, samples: &[f32], alone: bool) -> Result<Vec<f32>> {
    if !samples.len().is_multiple_of(width) {
        return Err(Error::failed(
            format!("{} values are not a whole number of samples of {width} channels", samples.len()),
            "give whole samples",
        ));
    }
    match samples.iter().position(|s| !s.is_finite()) {
        Some(at) => Err(Error::failed(
            format!("sample {} of the piece is {}, not a finite number", at / width, samples[at]),
            "give finite values; samples of audio are between -1 and 1",
        )),
        None => encoder.push(samples, alone),
    }
}

/// The requested layers of frames with these latents (T, D).
fn frames(
    context: Option<&mut Box<dyn ContextStream>>,
    layers: &[Layer],
    z: Vec<f32>,
    latent: usize,
) -> Result<Frames> {
    let count = z.len() / latent;
    let outputs = context.map_or(Ok(Vec::new()), |context| context.push(&z))?;
    let layers = layers.iter().map(|layer| layer.pick(&z, latent, &outputs)).collect();
    Ok(Frames { count, layers })
}
