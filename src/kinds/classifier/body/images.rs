//! Images below a head: the encoder of Deep InfoMax.

use super::{Below, Data, Framed};
use crate::error::{Error, Problem, Result};
use crate::image::{self, Images};
use crate::kinds::classifier::examples::Examples;
use crate::kinds::dim::{DimModelConfig, ImageLayer};
use crate::nn::{ImageEncoder, Phase};
use crate::recordings::AnyCorpus;
use candle_core::{Device, Tensor};
use candle_nn::VarBuilder;
use std::path::Path;
use std::sync::Arc;

/// The prefix of the names of the encoder's parameters.
pub(super) const ENCODER: &str = "encoder.";

fn parse(layer: &str) -> Result<ImageLayer> {
    layer.parse().map_err(|what: String| Error::usage(format!("finetune.layer: {what}"), "choose conv, fc or y"))
}

/// The dimension of a layer.
pub(super) fn dim(config: &DimModelConfig, layer: &str) -> Result<usize> {
    Ok(match parse(layer)? {
        ImageLayer::Conv => ImageEncoder::conv_dim(&config.encoder, config.size)?,
        ImageLayer::Fc => config.encoder.fc_dim,
        ImageLayer::Y => config.encoder.latent_dim,
    })
}

/// The network that computes a layer.
pub(super) fn network(config: &DimModelConfig, layer: &str, vb: &VarBuilder) -> Result<Arc<dyn Below>> {
    let encoder = ImageEncoder::new(&config.encoder, config.size, &vb.pp("encoder"))?;
    Ok(Arc::new(ImageBelow { encoder, layer: parse(layer)?, config: config.clone() }))
}

struct ImageBelow {
    encoder: ImageEncoder,
    layer: ImageLayer,
    config: DimModelConfig,
}

impl Below for ImageBelow {
    fn frames(&self, examples: &Examples, phase: Phase, device: &Device) -> Result<Framed> {
        let (rows, size) = (examples.lengths.len(), self.config.size);
        let images = Tensor::from_slice(&examples.samples, (rows, size.height, size.width, size.channels), device)?;
        let frames = self.layer.of(self.encoder.forward(&images, phase)?).unsqueeze(1)?;
        Ok(Framed { frames, lengths: vec![1; rows], rows: Vec::new() })
    }
}

/// Images with their labels, those to test as the data divide them.
pub(super) fn data(config: &DimModelConfig, path: &Path) -> Result<Data> {
    let images = image::open(path)?;
    if images.train.size != config.size {
        return Err(Error::failed(
            format!(
                "{}: has images of {}; the model was trained on {}",
                path.display(),
                images.train.size,
                config.size
            ),
            "give images of the size that the model was trained on",
        ));
    }
    let parts = [(&images.train, "train"), (&images.test, "test")];
    let ids = parts.iter().flat_map(|(set, part)| (0..set.len()).map(move |i| format!("{part}/{i}"))).collect();
    let class = |&label: &u32| images.classes[label as usize].clone();
    let labels = parts.iter().flat_map(|(set, _)| set.labels.iter().map(class)).collect();
    let tested = parts.iter().flat_map(|(set, part)| vec![*part == "test"; set.len()]).collect();
    let tested = (!images.test.is_empty()).then_some(tested);
    let place = path.display().to_string();
    Ok(Data { corpus: Arc::new(ImageCorpus { images, ids, place }), labels: Some(labels), tested })
}

/// A corpus whose recordings are images, each a single sample.
struct ImageCorpus {
    images: Images,
    ids: Vec<String>,
    place: String,
}

impl AnyCorpus for ImageCorpus {
    fn count(&self) -> usize {
        self.ids.len()
    }

    fn id(&self, i: usize) -> &str {
        &self.ids[i]
    }

    fn subject(&self, _: usize) -> &str {
        ""
    }

    fn file(&self, i: usize) -> String {
        self.ids[i].clone()
    }

    fn names(&self, i: usize) -> Vec<String> {
        vec![self.ids[i].clone()]
    }

    fn place(&self, i: usize) -> String {
        format!("{}: {}", self.place, self.ids[i])
    }

    fn samples(&self, _: usize) -> u64 {
        1
    }

    fn width(&self) -> usize {
        self.images.train.size.numbers()
    }

    fn problems(&self) -> &[Problem] {
        &[]
    }

    fn digest(&self) -> Vec<u8> {
        format!("{}{}", self.images.train.sha256(), self.images.test.sha256()).into_bytes()
    }

    fn read(&self, i: usize, _: u64, out: &mut [f32]) -> std::result::Result<(), Problem> {
        let (train, test) = (&self.images.train, &self.images.test);
        let image = if i < train.len() { train.image(i) } else { test.image(i - train.len()) };
        out.iter_mut().zip(image).for_each(|(value, &pixel)| *value = f32::from(pixel) / 255.0);
        Ok(())
    }
}
