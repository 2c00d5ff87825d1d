//! The two networks of a generative adversarial network, for points and for images.

use crate::config::ImageSize;
use crate::error::{Error, Result};
use crate::nn::Phase;
use crate::nn::batch_norm::BatchNorm;
use crate::nn::conv2d::Conv2d;
use crate::nn::linear::{Linear, Mlp};
use crate::ops::conv2d::Window;
use candle_core::Tensor;
use candle_nn::VarBuilder;

/// The kind of samples that are generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Samples {
    /// Points with the given number of dimensions.
    Points(usize),
    /// Images with pixel values from -1 to 1, each flattened into one row.
    Images(ImageSize),
}

impl Samples {
    /// Number of dimensions of a sample.
    pub fn numbers(self) -> usize {
        match self {
            Samples::Points(numbers) => numbers,
            Samples::Images(size) => size.numbers(),
        }
    }
}

/// Maps noise to samples.
#[derive(Debug, Clone)]
pub enum Generator {
    /// Fully connected layers.
    Points(Mlp),
    /// A fully connected layer, then convolutions that double the sides.
    Images(Upwards),
}

/// 3 x 3 convolutions whose output channels are rearranged into 2 x 2 pixels, with batch norm after all except the last (as in Radford et al.
/// 2016, with sub-pixel instead of transposed convolutions).
#[derive(Debug, Clone)]
pub struct Upwards {
    first: Linear,
    norm: BatchNorm,
    convs: Vec<Conv2d>,
    from: [usize; 3], // height, width, channels
}

impl Generator {
    /// A generator of `samples` from `inputs`-dimensional noise. `hidden_dims` are units for points, and channels for images, starting at the
    /// smallest side.
    ///
    /// Names: for points `{i}`; for images `first`, `norm`, `conv{i}` and `norm{i}`.
    ///
    /// # Errors
    /// If images have a side that cannot be halved that many times, or the parameters have other shapes.
    pub fn new(samples: Samples, inputs: usize, hidden_dims: &[usize], vb: &VarBuilder) -> Result<Self> {
        let size = match samples {
            Samples::Points(numbers) => {
                return Ok(Generator::Points(Mlp::new(&widths(inputs, hidden_dims, numbers), vb)?));
            }
            Samples::Images(size) => size,
        };
        let [height, width] = sides(size, hidden_dims)?;
        let channels = hidden_dims.first().copied().unwrap_or(size.channels);
        let window = Window { kernel: 3, stride: 1, padding: 1 };
        let mut convs = Vec::new();
        for (i, &from) in hidden_dims.iter().enumerate() {
            let to = 4 * hidden_dims.get(i + 1).copied().unwrap_or(size.channels);
            let conv = Conv2d::new(from, to, window, &vb.pp(format!("conv{i}")))?;
            convs.push(if i + 1 < hidden_dims.len() { conv.normed(&vb.pp(format!("norm{i}")))? } else { conv });
        }
        let numbers = height * width * channels;
        Ok(Generator::Images(Upwards {
            first: Linear::new(inputs, numbers, inputs, &vb.pp("first"))?,
            norm: BatchNorm::new(channels, &vb.pp("norm"))?,
            convs,
            from: [height, width, channels],
        }))
    }

    /// Returns samples (N, dimensions) for noise (N, inputs).
    ///
    /// # Errors
    /// If the number of columns does not match.
    pub fn forward(&self, noise: &Tensor, phase: Phase) -> Result<Tensor> {
        match self {
            Generator::Points(mlp) => mlp.forward(noise),
            Generator::Images(upwards) => upwards.forward(noise, phase),
        }
    }
}

impl Upwards {
    fn forward(&self, noise: &Tensor, phase: Phase) -> Result<Tensor> {
        let (n, [height, width, channels]) = (noise.dim(0)?, self.from);
        let rows = self.first.forward(noise)?.reshape((n * height * width, channels))?;
        let mut x = self.norm.forward(&rows, phase)?.relu()?.reshape((n, height, width, channels))?;
        for (i, conv) in self.convs.iter().enumerate() {
            let last = i + 1 == self.convs.len();
            x = doubled(&if last { conv.forward(&x, phase)? } else { conv.forward_relu(&x, phase)? })?;
        }
        Ok(x.flatten_from(1)?.tanh()?)
    }
}

/// Maps (B, H, W, 4 C) to (B, 2 H, 2 W, C): each position becomes 2 x 2 positions.
fn doubled(x: &Tensor) -> Result<Tensor> {
    let (b, h, w, c) = x.dims4()?;
    let parts = x.reshape(&[b, h, w, 2, 2, c / 4][..])?.permute([0, 1, 3, 2, 4, 5])?.contiguous()?;
    Ok(parts.reshape((b, 2 * h, 2 * w, c / 4))?)
}

/// Distinguishes samples of the data from generated ones.
#[derive(Debug, Clone)]
pub enum Discriminator {
    /// Fully connected layers.
    Points(Mlp),
    /// 5 x 5 convolutions that halve the sides, and a fully connected layer.
    Images {
        /// The convolutions.
        convs: Vec<Conv2d>,
        /// The layer that follows the last convolution.
        last: Linear,
        /// The size of the images.
        size: ImageSize,
    },
}

impl Discriminator {
    /// A discriminator of `samples`. `hidden_dims` are units for points, and channels for images.
    ///
    /// Names: for points `{i}`; for images `conv{i}` and `last`.
    ///
    /// # Errors
    /// If images have a side that cannot be halved that many times, or the parameters have other shapes.
    pub fn new(samples: Samples, hidden_dims: &[usize], vb: &VarBuilder) -> Result<Self> {
        let size = match samples {
            Samples::Points(numbers) => {
                return Ok(Discriminator::Points(Mlp::new(&widths(numbers, hidden_dims, 1), vb)?));
            }
            Samples::Images(size) => size,
        };
        let [height, width] = sides(size, hidden_dims)?;
        let (mut convs, mut channels) = (Vec::new(), size.channels);
        for (i, &to) in hidden_dims.iter().enumerate() {
            let window = Window { kernel: 5, stride: 2, padding: 2 };
            convs.push(Conv2d::new(channels, to, window, &vb.pp(format!("conv{i}")))?);
            channels = to;
        }
        let numbers = height * width * channels;
        Ok(Discriminator::Images { convs, last: Linear::new(numbers, 1, numbers, &vb.pp("last"))?, size })
    }

    /// Returns scores (N, 1) for samples (N, dimensions), high for samples that look like the data.
    ///
    /// # Errors
    /// If the number of columns does not match.
    pub fn forward(&self, samples: &Tensor) -> Result<Tensor> {
        match self {
            Discriminator::Points(mlp) => mlp.forward(samples),
            Discriminator::Images { convs, last, size } => {
                let mut x = samples.reshape((samples.dim(0)?, size.height, size.width, size.channels))?;
                for conv in convs {
                    x = conv.forward_relu(&x, Phase::Train)?;
                }
                last.forward(&x.flatten_from(1)?)
            }
        }
    }
}

/// The widths of fully connected layers.
fn widths(from: usize, hidden: &[usize], to: usize) -> Vec<usize> {
    std::iter::once(from).chain(hidden.iter().copied()).chain([to]).collect()
}

/// The sides of images after they were halved once for each of `hidden_dims`.
fn sides(size: ImageSize, hidden_dims: &[usize]) -> Result<[usize; 2]> {
    let by = 1usize << hidden_dims.len().min(16);
    if !size.height.is_multiple_of(by) || !size.width.is_multiple_of(by) {
        return Err(Error::usage(
            format!("images of {size}: their sides cannot be halved {} times", hidden_dims.len()),
            "list fewer channels in generator.hidden_dims and objective.discriminator_dims",
        ));
    }
    Ok([size.height / by, size.width / by])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::ParamStore;
    use crate::ops::check::{finite_differences, random};
    use candle_core::{DType, Device};

    const SIZE: ImageSize = ImageSize { height: 8, width: 4, channels: 3 };

    #[test]
    fn a_place_becomes_two_by_two() {
        let x = Tensor::arange(0f32, 16.0, &Device::Cpu).unwrap().reshape((1, 1, 2, 8)).unwrap();
        let y = doubled(&x).unwrap();
        assert_eq!(y.dims(), [1, 2, 4, 2]);
        let rows = y.reshape((2, 8)).unwrap().to_vec2::<f32>().unwrap();
        assert_eq!(rows, [[0., 1., 2., 3., 8., 9., 10., 11.], [4., 5., 6., 7., 12., 13., 14., 15.]]);
        finite_differences(|t| doubled(&t[0]), &[random(&[2, 3, 2, 8], 1)]);
    }

    #[test]
    fn images_are_made_and_told_in_rows_of_numbers() {
        let store = ParamStore::new(1, &Device::Cpu);
        let vb = store.builder();
        let generator = Generator::new(Samples::Images(SIZE), 5, &[6, 4], &vb.pp("g")).unwrap();
        let discriminator = Discriminator::new(Samples::Images(SIZE), &[4, 6], &vb.pp("d")).unwrap();
        let noise = random(&[7, 5], 1).to_dtype(DType::F32).unwrap();
        let made = generator.forward(&noise, Phase::Train).unwrap();
        assert_eq!(made.dims(), [7, SIZE.numbers()]);
        assert_eq!(discriminator.forward(&made).unwrap().dims(), [7, 1]);
        let odd = ImageSize { height: 6, ..SIZE };
        assert!(Generator::new(Samples::Images(odd), 5, &[6, 4], &vb.pp("odd")).is_err());
        assert!(Discriminator::new(Samples::Images(odd), &[6, 4], &vb.pp("odd")).is_err());
    }
}
