//! Augmentations: changes of a window of audio that preserve what is said. One trait, one file per augmentation, one line in
//! [`AUGMENTATIONS`].
//!
//! The loader applies the augmentations of `data.augment` to every training window after it is read and resampled, in the order in which
//! they are listed. The randomness of a window is a function of the seed and of the window's position, so a run that resumes augments like
//! an uninterrupted one. Validation windows are never augmented.

mod gain;

use crate::error::Problem;
use crate::seed::Stream;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

/// All augmentations.
pub static AUGMENTATIONS: &[&dyn Augmentation] = &[&gain::Gain];

/// A change of a window of audio.
pub trait Augmentation: Sync {
    /// Its name in a configuration.
    fn name(&self) -> &'static str;

    /// A one-line description, with the range that it draws from.
    fn about(&self) -> &'static str;

    /// Changes a window of mono samples at `rate` Hz in place.
    fn apply(&self, samples: &mut [f32], rate: u32, random: &mut Stream);
}

/// One of [`AUGMENTATIONS`].
#[derive(Clone, Copy)]
pub struct AugmentationKind(&'static dyn Augmentation);

impl std::ops::Deref for AugmentationKind {
    type Target = dyn Augmentation;

    fn deref(&self) -> &Self::Target {
        self.0
    }
}

impl fmt::Debug for AugmentationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl PartialEq for AugmentationKind {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Serialize for AugmentationKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for AugmentationKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let found = AUGMENTATIONS.iter().find(|augmentation| augmentation.name() == name);
        found.map(|augmentation| AugmentationKind(*augmentation)).ok_or_else(|| {
            let names: Vec<&str> = AUGMENTATIONS.iter().map(|augmentation| augmentation.name()).collect();
            de::Error::custom(format!("unknown augmentation `{name}`, expected some of {}", names.join(", ")))
        })
    }
}

/// Adds a problem to `faults` for each augmentation that is listed twice.
pub(crate) fn validate(list: &[AugmentationKind], faults: &mut Vec<Problem>) {
    for (i, augmentation) in list.iter().enumerate() {
        if list[..i].contains(augmentation) {
            faults.push(Problem::new("data.augment", format!("lists {} twice", augmentation.name())));
        }
    }
}

/// Applies augmentations in the given order.
pub(crate) fn apply(list: &[AugmentationKind], samples: &mut [f32], rate: u32, random: &mut Stream) {
    list.iter().for_each(|augmentation| augmentation.apply(samples, rate, random));
}
