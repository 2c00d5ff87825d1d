//! The image encoder of Deep InfoMax (Hjelm et al. 2019, appendix A.3): strided convolutions, a fully connected layer, and Y.

use crate::config::{Architecture, ImageEncoderConfig, ImageSize};
use crate::error::{Error, Result};
use crate::nn::Phase;
use crate::nn::batch_norm::BatchNorm;
use crate::nn::conv2d::Conv2d;
use crate::nn::linear::Linear;
use crate::ops::conv2d::Window;
use candle_core::Tensor;
use candle_nn::VarBuilder;

/// The outputs of the layers of an encoder for a batch of images.
#[derive(Debug, Clone)]
pub struct Views {
    /// The features of each location (B, M * M, C).
    pub local: Tensor,
    /// The last convolution's features of all locations, concatenated (B, F).
    pub conv: Tensor,
    /// The fully connected layer (B, `fc_dim`).
    pub fc: Tensor,
    /// Y (B, `latent_dim`).
    pub y: Tensor,
}

/// The encoder.
#[derive(Debug, Clone)]
pub struct ImageEncoder {
    convs: Vec<Conv2d>,
    local: usize,
    fc: Linear,
    fc_norm: Option<BatchNorm>,
    y: Linear,
    sizes: Sizes,
}

/// Sizes of the views.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sizes {
    /// Number of locations, and of features of each.
    local: [usize; 2],
    conv: usize,
}

impl Sizes {
    fn of(architecture: Architecture, size: ImageSize) -> Sizes {
        let [kernel, stride, padding] = architecture.window();
        let window = Window { kernel, stride, padding };
        let (mut sizes, mut side) = (Sizes { local: [0, 0], conv: 0 }, size.height);
        for (i, &channels) in architecture.channels().iter().enumerate() {
            side = window.out(side);
            if i == architecture.local() {
                sizes.local = [side * side, channels];
            }
            sizes.conv = side * side * channels;
        }
        sizes
    }
}

impl ImageEncoder {
    /// An encoder for images of the given size.
    ///
    /// Names: `conv{i}.weight` (O, C, k, k) and `.bias`, `norm{i}` of batch norm, `fc`, `fc_norm` and `y`, each as in PyTorch's modules. The
    /// columns of `fc.weight` are in the order row, column, channel.
    ///
    /// # Errors
    /// If there is no architecture for this size.
    pub fn new(cfg: &ImageEncoderConfig, size: ImageSize, vb: &VarBuilder) -> Result<Self> {
        let architecture = Self::architecture(cfg, size)?;
        let [kernel, stride, padding] = architecture.window();
        let window = Window { kernel, stride, padding };
        let (mut convs, mut channels) = (Vec::new(), size.channels);
        for (i, &outputs) in architecture.channels().iter().enumerate() {
            let conv = Conv2d::new(channels, outputs, window, &vb.pp(format!("conv{i}")))?;
            convs.push(if architecture.batch_norm() { conv.normed(&vb.pp(format!("norm{i}")))? } else { conv });
            channels = outputs;
        }
        let sizes = Sizes::of(architecture, size);
        let fc_norm = architecture.batch_norm().then(|| BatchNorm::new(cfg.fc_dim, &vb.pp("fc_norm"))).transpose()?;
        Ok(ImageEncoder {
            convs,
            local: architecture.local(),
            fc: Linear::new(sizes.conv, cfg.fc_dim, sizes.conv, &vb.pp("fc"))?,
            fc_norm,
            y: Linear::new(cfg.fc_dim, cfg.latent_dim, cfg.fc_dim, &vb.pp("y"))?,
            sizes,
        })
    }

    /// The architecture of the convolutions for images of the given size.
    ///
    /// # Errors
    /// If there is none.
    pub fn architecture(cfg: &ImageEncoderConfig, size: ImageSize) -> Result<Architecture> {
        cfg.architecture.of([size.height, size.width]).ok_or_else(|| {
            Error::usage(
                format!("images of {size}: there is no encoder.architecture for this size"),
                "images of 28 x 28, 32 x 32 and 64 x 64 can be encoded: resize the images to one of these sizes, and leave \
                 encoder.architecture at auto",
            )
        })
    }

    /// F of an encoder for images of the given size.
    ///
    /// # Errors
    /// If there is no architecture for this size.
    pub fn conv_dim(cfg: &ImageEncoderConfig, size: ImageSize) -> Result<usize> {
        Ok(Sizes::of(Self::architecture(cfg, size)?, size).conv)
    }

    /// Number of locations of the local features, and of features of each.
    pub fn local(&self) -> [usize; 2] {
        self.sizes.local
    }

    /// F, the number of features of the last convolution over all locations.
    pub fn conv(&self) -> usize {
        self.sizes.conv
    }

    /// Returns the views of images (B, H, W, C) with pixel values from 0 to 1.
    ///
    /// # Errors
    /// If the images have another size.
    pub fn forward(&self, images: &Tensor, phase: Phase) -> Result<Views> {
        let batch = images.dim(0)?;
        let (mut x, mut local) = (images.clone(), None);
        for (i, conv) in self.convs.iter().enumerate() {
            x = conv.forward_relu(&x, phase)?;
            if i == self.local {
                local = Some(x.reshape((batch, self.sizes.local[0], self.sizes.local[1]))?);
            }
        }
        let conv = x.reshape((batch, self.sizes.conv))?;
        let fc = match &self.fc_norm {
            None => self.fc.forward_relu(&conv)?,
            Some(norm) => norm.forward(&self.fc.forward(&conv)?, phase)?.relu()?,
        };
        let y = self.y.forward(&fc)?;
        let local = local.unwrap_or_else(|| conv.clone());
        Ok(Views { local, conv, fc, y })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::ParamStore;
    use crate::ops::check::random;
    use candle_core::{DType, Device};

    #[test]
    fn each_architecture_has_the_sizes_of_the_paper() {
        for (side, channels, local, conv) in
            [(28, 1, [49, 128], 6272), (32, 3, [64, 128], 4096), (64, 3, [64, 256], 8192)]
        {
            let store = ParamStore::new(1, &Device::Cpu);
            let size = ImageSize { height: side, width: side, channels };
            let encoder = ImageEncoder::new(&ImageEncoderConfig::default(), size, &store.builder()).unwrap();
            assert_eq!((encoder.local(), encoder.conv()), (local, conv));
            let images = random(&[2, side, side, channels], 1).to_dtype(DType::F32).unwrap();
            let views = encoder.forward(&images, Phase::Train).unwrap();
            assert_eq!(views.local.dims(), [2, local[0], local[1]]);
            assert_eq!((views.fc.dims(), views.y.dims()), (&[2, 1024][..], &[2, 64][..]));
        }
    }

    #[test]
    fn images_of_another_size_are_refused_with_those_that_are_not() {
        let size = ImageSize { height: 30, width: 28, channels: 1 };
        let store = ParamStore::new(1, &Device::Cpu);
        let error = ImageEncoder::new(&ImageEncoderConfig::default(), size, &store.builder()).unwrap_err();
        assert!(error.to_string().contains("30 x 28") && error.remedy().contains("32 x 32"), "{error}");
    }
}
