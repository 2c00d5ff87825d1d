//! Features of images from a trained model, one row per image.

use crate::error::Result;
use crate::features::Chunk;
use crate::image::ImageSet;
use crate::kinds::dim::{Dim, DimModel};
use crate::nn::{ParamStore, Phase, Views};
use candle_core::{DType, Device, Tensor};
use std::fmt;
use std::str::FromStr;

/// Number of images encoded at once.
const AT_ONCE: usize = 256;

/// The encoder output used as features.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageLayer {
    /// The last convolution, all locations concatenated.
    Conv,
    /// The fully connected layer.
    Fc,
    /// Y.
    Y,
}

impl ImageLayer {
    /// The layer, of all outputs.
    pub(crate) fn of(self, views: Views) -> Tensor {
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

/// Extracts features of images.
#[derive(Debug)]
pub struct ImageExtractor {
    model: Dim,
    device: Device,
}

impl ImageExtractor {
    /// A trained model on a device.
    ///
    /// # Errors
    /// Its tensors do not match its sizes.
    pub fn open(model: &DimModel, device: &Device) -> Result<Self> {
        let store = ParamStore::new(0, device);
        let extractor = ImageExtractor::build(model, &store)?;
        store.load(&model.tensors, None, &model.reference)?;
        Ok(extractor)
    }

    /// The same network with the initial weights of training, as a baseline.
    ///
    /// # Errors
    /// No model can be built with these sizes.
    pub fn untrained(model: &DimModel, seed: u64, device: &Device) -> Result<Self> {
        ImageExtractor::build(model, &ParamStore::new(seed, device))
    }

    fn build(model: &DimModel, store: &ParamStore) -> Result<Self> {
        let (c, frozen) = (&model.config, store.frozen());
        let model = Dim::new(&c.encoder, &c.objective, c.size, c.classes, &frozen, &frozen)?;
        Ok(ImageExtractor { model, device: store.device().clone() })
    }

    /// Extracts the features of every image, in chunks that `get` may take from elsewhere instead of computing them. `each` is called with the
    /// rows of a chunk, row-major.
    ///
    /// # Errors
    /// The images do not have the size that the model expects; the errors of `get` and `each`.
    pub fn extract(
        &self,
        set: &ImageSet,
        layer: ImageLayer,
        get: impl Fn(u64, &dyn Fn() -> Result<Chunk>) -> Result<Option<Chunk>>,
        mut each: impl FnMut(&[f32], usize) -> Result<()>,
    ) -> Result<()> {
        let all: Vec<usize> = (0..set.len()).collect();
        for (i, some) in all.chunks(AT_ONCE).enumerate() {
            let compute = || {
                let views = self.model.views(&set.tensor(some, &self.device)?, Phase::Eval)?;
                let rows = layer.of(views).to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
                Ok(Chunk { rows, counts: [0; 2] })
            };
            if let Some(Chunk { rows, .. }) = get(i as u64, &compute)? {
                each(&rows, rows.len() / some.len())?;
            }
        }
        Ok(())
    }

    /// The most likely label of every image. `None` if the model was not trained with labels.
    ///
    /// # Errors
    /// The images do not have the size that the model expects.
    pub fn labels(&self, set: &ImageSet) -> Result<Option<Vec<u32>>> {
        let (all, mut labels): (Vec<usize>, _) = ((0..set.len()).collect(), Vec::new());
        for some in all.chunks(AT_ONCE) {
            let Some(told) = self.model.labels(&set.tensor(some, &self.device)?)? else { return Ok(None) };
            labels.extend(told.to_vec1::<u32>()?);
        }
        Ok(Some(labels))
    }

    /// The result of [`ImageExtractor::extract`], kept in memory: rows and their dimension.
    ///
    /// # Errors
    /// Those of [`ImageExtractor::extract`].
    pub fn rows(&self, set: &ImageSet, layer: ImageLayer) -> Result<(Vec<f32>, usize)> {
        let (mut all, mut width) = (Vec::new(), 0);
        let here = |_: u64, compute: &dyn Fn() -> Result<Chunk>| compute().map(Some);
        self.extract(set, layer, here, |rows, dim| {
            all.extend_from_slice(rows);
            width = dim;
            Ok(())
        })?;
        Ok((all, width))
    }
}
