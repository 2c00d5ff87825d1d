//! Audio and series below a head: the encoder and the context network of CPC.

use super::{Below, Data, Framed};
use crate::config::ConvEncoderConfig;
use crate::error::{Error, Result};
use crate::kinds::audio::AudioModelConfig;
use crate::kinds::classifier::examples::Examples;
use crate::kinds::series::SeriesModelConfig;
use crate::nn::Phase;
use crate::recordings::{Columns, Corpus, Shelf};
use crate::report::spans::seconds;
use crate::signal::{Layer, Sizes, Trunk};
use candle_core::{Device, Tensor};
use candle_nn::VarBuilder;
use std::path::Path;
use std::sync::Arc;

/// Frames of the longest window that is chosen; for whole recordings, 20 seconds of usual models of audio.
const LONGEST: [usize; 2] = [512, 2048];

fn parse(layer: &str) -> Result<Layer> {
    layer.parse().map_err(|what: String| Error::usage(format!("finetune.layer: {what}"), "choose c, z or c+z"))
}

/// The dimension of a layer.
pub(super) fn dim(sizes: &Sizes, layer: &str) -> Result<usize> {
    fn of(layer: &Layer, sizes: &Sizes) -> Result<usize> {
        match layer {
            Layer::Context(_) => Err(Error::usage(
                format!("finetune.layer: {layer} is below the last layer of the context network"),
                "choose c, z or c+z",
            )),
            Layer::Concatenated(layers) => layers.iter().map(|layer| of(layer, sizes)).sum(),
            Layer::Z | Layer::C => layer.dim(sizes),
        }
    }
    of(&parse(layer)?, sizes)
}

/// The length of most recordings, or of all if they are to be `whole`, and the shortest window that has a frame, in samples.
pub(super) fn window(encoder: &ConvEncoderConfig, mut lengths: Vec<u64>, whole: bool) -> (usize, usize) {
    lengths.sort_unstable();
    let most = if whole { lengths.last() } else { lengths.get(lengths.len() * 9 / 10) }.copied().unwrap_or(0);
    let longest = LONGEST[usize::from(whole)] * encoder.hop();
    let least = encoder.receptive_field().max(encoder.hop());
    (usize::try_from(most).unwrap_or(longest).min(longest).max(least), encoder.receptive_field())
}

/// The length of a window, as it is told to people.
pub(super) fn span(sizes: &Sizes, window: usize) -> String {
    format!("windows of {}", seconds(window as f64 / sizes.rate))
}

/// What it takes, as it is told to people.
pub(super) fn input(what: &str, sizes: &Sizes) -> String {
    let s = if sizes.channels == 1 { "" } else { "s" };
    format!("{what}, {} channel{s}, {} samples per second", sizes.channels, sizes.rate)
}

/// Recordings of audio.
pub(super) fn audio(config: &AudioModelConfig, path: &Path) -> Result<Data> {
    let corpus = Corpus::inspect_columns(path, &Columns::default(), config.sample_rate, &|_| {})?;
    Ok(Data { corpus: Arc::new(Shelf::new(corpus)), labels: None, tested: None })
}

/// Recordings of series.
pub(super) fn series(config: &SeriesModelConfig, path: &Path, rate: f64) -> Result<Data> {
    let (corpus, _) = Corpus::sensors(&config.input(rate), path, Some(&config.expected()), &|_| {})?;
    Ok(Data { corpus: Arc::new(Shelf::new(corpus)), labels: None, tested: None })
}

/// The network that computes a layer.
pub(super) fn network(sizes: Sizes, layer: &str, vb: &VarBuilder) -> Result<Arc<dyn Below>> {
    Ok(Arc::new(SignalBelow { trunk: Trunk::new(&sizes, vb)?, layer: parse(layer)?, sizes }))
}

struct SignalBelow {
    trunk: Trunk,
    layer: Layer,
    sizes: Sizes,
}

impl Below for SignalBelow {
    fn frames(&self, examples: &Examples, phase: Phase, device: &Device) -> Result<Framed> {
        let (rows, width) = (examples.lengths.len(), self.sizes.channels);
        let window = examples.samples.len() / (rows * width);
        let samples = Tensor::from_slice(&examples.samples, (rows, window, width), device)?;
        let latents = self.trunk.forward(&samples, phase)?;
        let frames = pick(&self.layer, &latents.z, &latents.c)?;
        let time = frames.dim(1)?;
        let lengths = examples.lengths.iter().map(|&n| self.sizes.encoder.frames(n).clamp(1, time)).collect();
        Ok(Framed { frames, lengths, rows: Vec::new() })
    }
}

fn pick(layer: &Layer, z: &Tensor, c: &Tensor) -> Result<Tensor> {
    match layer {
        Layer::Z => Ok(z.clone()),
        Layer::Concatenated(layers) => {
            let each = layers.iter().map(|layer| pick(layer, z, c)).collect::<Result<Vec<_>>>()?;
            Ok(Tensor::cat(&each, 2)?)
        }
        Layer::C | Layer::Context(_) => Ok(c.clone()),
    }
}
