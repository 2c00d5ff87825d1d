//! What a trained model sees in images: a row an image.

use crate::error::Result;
use crate::image::ImageSet;
use crate::model::Dim;
use crate::nn::{ParamStore, Phase, Views};
use crate::weights::DimModel;
use candle_core::{DType, Device, Tensor};
use std::fmt;
use std::str::FromStr;

/// Images that are encoded at once.
const AT_ONCE: usize = 256;

/// What of the encoder is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageLayer {
    /// The last convolution, all places one behind the other.
    Conv,
    /// The fully connected layer.
    Fc,
    /// Y.
    Y,
}

impl ImageLayer {
    fn of(self, views: Views) -> Tensor {
        match self {
            ImageLayer::Conv => views.conv,
            ImageLayer::Fc => views.fc,
            ImageLayer::Y => views.y,
        }
    }
}

impl fmt::Display for ImageLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ImageLayer::Conv => "conv",
            ImageLayer::Fc => "fc",
            ImageLayer::Y => "y",
        })
    }
}

impl FromStr for ImageLayer {
    type Err = String;

    fn from_str(s: &str) -> std::result::Result<Self, String> {
        let all = [ImageLayer::Conv, ImageLayer::Fc, ImageLayer::Y];
        all.into_iter().find(|layer| layer.to_string() == s).ok_or_else(|| format!("`{s}` is none of conv, fc, y"))
    }
}

/// Makes features of images.
#[derive(Debug)]
pub struct ImageExtractor {
    model: Dim,
    device: Device,
}

impl ImageExtractor {
    /// A trained model on a device.
    ///
    /// # Errors
    /// Its tensors are not those of its sizes.
    pub fn open(model: &DimModel, device: &Device) -> Result<Self> {
        let store = ParamStore::new(0, device);
        let extractor = ImageExtractor::build(model, &store)?;
        store.load(&model.tensors, None, &model.reference)?;
        Ok(extractor)
    }

    /// The same network with the weights that training begins with, to compare with.
    ///
    /// # Errors
    /// The sizes cannot be built.
    pub fn untrained(model: &DimModel, seed: u64, device: &Device) -> Result<Self> {
        ImageExtractor::build(model, &ParamStore::new(seed, device))
    }

    fn build(model: &DimModel, store: &ParamStore) -> Result<Self> {
        let (c, frozen) = (&model.config, store.frozen());
        let model = Dim::new(&c.encoder, &c.objective, c.size, c.classes, &frozen, &frozen)?;
        Ok(ImageExtractor { model, device: store.device().clone() })
    }

    /// The features of every image, one behind the other, and how many numbers each has; `each` is told of rows as they come.
    ///
    /// # Errors
    /// The images have another size than the model's; what `each` returns.
    pub fn extract(
        &self,
        set: &ImageSet,
        layer: ImageLayer,
        mut each: impl FnMut(&[f32], usize) -> Result<()>,
    ) -> Result<()> {
        let all: Vec<usize> = (0..set.len()).collect();
        for some in all.chunks(AT_ONCE) {
            let views = self.model.views(&set.tensor(some, &self.device)?, Phase::Eval)?;
            let rows = layer.of(views).to_dtype(DType::F32)?;
            let dim = rows.dim(1)?;
            each(&rows.flatten_all()?.to_vec1::<f32>()?, dim)?;
        }
        Ok(())
    }

    /// The likeliest label of every image; none if the model was not trained with labels.
    ///
    /// # Errors
    /// The images have another size than the model's.
    pub fn labels(&self, set: &ImageSet) -> Result<Option<Vec<u32>>> {
        let (all, mut labels): (Vec<usize>, _) = ((0..set.len()).collect(), Vec::new());
        for some in all.chunks(AT_ONCE) {
            let Some(told) = self.model.labels(&set.tensor(some, &self.device)?)? else { return Ok(None) };
            labels.extend(told.to_vec1::<u32>()?);
        }
        Ok(Some(labels))
    }

    /// [`ImageExtractor::extract`], kept in memory.
    ///
    /// # Errors
    /// As there.
    pub fn rows(&self, set: &ImageSet, layer: ImageLayer) -> Result<(Vec<f32>, usize)> {
        let (mut all, mut width) = (Vec::new(), 0);
        self.extract(set, layer, |rows, dim| {
            all.extend_from_slice(rows);
            width = dim;
            Ok(())
        })?;
        Ok((all, width))
    }
}
