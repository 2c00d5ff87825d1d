//! The configuration of Deep InfoMax (Hjelm et al. 2019), which maps each image to a vector.

use crate::config::model::check_dim;
use crate::error::Problem;
use serde::{Deserialize, Serialize};

/// The convolutional architecture of an encoder, named as in the authors' code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Architecture {
    /// The architecture that fits the size of the images.
    #[serde(rename = "auto")]
    Auto,
    /// Convolutions of 64 and 128 channels, kernel/stride/padding 5/2/2.
    #[serde(rename = "basic28x28")]
    Basic28x28,
    /// Convolutions of 64, 128 and 256 channels, kernel/stride/padding 4/2/1, with batch norm.
    #[serde(rename = "basic32x32")]
    Basic32x32,
    /// Convolutions of 64, 128, 256 and 512 channels, kernel/stride/padding 4/2/1, with batch norm.
    #[serde(rename = "basic64x64")]
    Basic64x64,
}

impl Architecture {
    /// The architecture that [`Architecture::Auto`] stands for, given the height and width of the images. `None` if no architecture fits.
    pub fn of(self, size: [usize; 2]) -> Option<Architecture> {
        let side = |n| size == [n, n];
        let fitting = [(28, Self::Basic28x28), (32, Self::Basic32x32), (64, Self::Basic64x64)];
        fitting.into_iter().find(|&(n, kind)| side(n) && (self == Self::Auto || self == kind)).map(|(_, kind)| kind)
    }

    /// The channels of each convolution.
    pub fn channels(self) -> &'static [usize] {
        match self {
            Self::Auto => &[],
            Self::Basic28x28 => &[64, 128],
            Self::Basic32x32 => &[64, 128, 256],
            Self::Basic64x64 => &[64, 128, 256, 512],
        }
    }

    /// Kernel, stride and padding of every convolution.
    pub fn window(self) -> [usize; 3] {
        match self {
            Self::Basic28x28 | Self::Auto => [5, 2, 2],
            Self::Basic32x32 | Self::Basic64x64 => [4, 2, 1],
        }
    }

    /// Whether each convolution and the fully connected layer have batch norm.
    pub fn batch_norm(self) -> bool {
        matches!(self, Self::Basic32x32 | Self::Basic64x64)
    }

    /// The index, from 0, of the convolution whose output provides the local features, at 7 x 7 or 8 x 8 locations.
    pub fn local(self) -> usize {
        if self == Self::Basic64x64 { 2 } else { 1 }
    }
}

/// The `[encoder]` section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ImageEncoderConfig {
    /// The convolutions.
    pub architecture: Architecture,
    /// Units of the fully connected layer after the convolutions.
    pub fc_dim: usize,
    /// Dimension of Y, the encoder's output for an image: 64 in the paper.
    pub latent_dim: usize,
}

impl Default for ImageEncoderConfig {
    fn default() -> Self {
        ImageEncoderConfig { architecture: Architecture::Auto, fc_dim: 1024, latent_dim: 64 }
    }
}

impl ImageEncoderConfig {
    /// Adds every value out of range to `faults`.
    pub fn validate(&self, faults: &mut Vec<Problem>) {
        check_dim("encoder.fc_dim", self.fc_dim, faults);
        check_dim("encoder.latent_dim", self.latent_dim, faults);
    }
}

/// The form of the local critic (Hjelm et al. 2019, section 3.3 and appendix A.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LocalCriticKind {
    /// Encode and dot product: the features of each location and Y are mapped to a common space.
    Dot,
    /// Concatenate and convolve: a network applied to the features of a location concatenated with Y.
    Concat,
}

/// The `[data]` section.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ImageDataConfig {
    /// DATA.
    pub path: String,
    /// The fraction of the training images that is held out for validation.
    pub valid_share: f64,
    /// The maximum number of validation images.
    pub valid_images: usize,
}

impl Default for ImageDataConfig {
    fn default() -> Self {
        ImageDataConfig { path: String::new(), valid_share: 0.02, valid_images: 1024 }
    }
}

impl ImageDataConfig {
    /// Adds every value out of range to `faults`.
    pub fn validate(&self, faults: &mut Vec<Problem>) {
        if !(0.0..0.9).contains(&self.valid_share) {
            faults.push(Problem::new("data.valid_share", format!("{} is not from 0 to 0.9", self.valid_share)));
        }
        if self.valid_images == 0 {
            faults.push(Problem::new(
                "data.valid_images",
                "must be at least 1; set data.valid_share=0 for no validation",
            ));
        }
    }
}
