//! Augmentations: changes of a window of audio that preserve what is said. One file per augmentation, one line in [`AUGMENTATIONS`].
//!
//! The loader applies the augmentations of `data.augment` to training windows after they are read and resampled, in the order in which they
//! are listed. The randomness of a window is a function of the seed and of the window's position, so a run that resumes augments like an
//! uninterrupted one. Validation windows are never augmented.

mod band_reject;
mod gain;
mod noise;
mod pitch;
mod reverb;
mod time_dropout;
mod tools;

pub use tools::Tools;

use crate::error::Problem;
use crate::seed::Stream;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

/// All augmentations.
pub static AUGMENTATIONS: &[&Augmentation] = &[
    &pitch::PITCH,
    &noise::NOISE,
    &reverb::REVERB,
    &band_reject::BAND_REJECT,
    &time_dropout::TIME_DROPOUT,
    &gain::GAIN,
];

/// A change of a window of audio.
#[derive(Debug)]
pub struct Augmentation {
    /// Its name in a configuration.
    pub name: &'static str,
    /// A one-line description, with the range that it draws from.
    pub about: &'static str,
    /// How strong it is.
    pub amount: Amount,
    /// Changes a window of mono samples at a rate in place, by an amount.
    apply: fn(&mut [f32], u32, f32, &mut Stream, &mut Tools),
}

/// The strength of an augmentation.
#[derive(Debug)]
pub struct Amount {
    /// What it is if none is given.
    pub default: f32,
    /// The least.
    pub low: f32,
    /// The greatest.
    pub high: f32,
    /// The unit.
    pub unit: &'static str,
}

/// One of [`AUGMENTATIONS`] with its strength: `pitch`, or `pitch:200`.
#[derive(Debug, Clone, Copy)]
pub struct Augment {
    augmentation: &'static Augmentation,
    amount: f32,
}

impl Augment {
    /// The augmentation.
    pub fn augmentation(&self) -> &'static Augmentation {
        self.augmentation
    }

    /// Changes a window of mono samples at `rate` Hz in place.
    pub fn apply(&self, samples: &mut [f32], rate: u32, random: &mut Stream, tools: &mut Tools) {
        (self.augmentation.apply)(samples, rate, self.amount, random, tools);
    }
}

impl PartialEq for Augment {
    fn eq(&self, other: &Self) -> bool {
        self.augmentation.name == other.augmentation.name && self.amount == other.amount
    }
}

impl fmt::Display for Augment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.augmentation.name)?;
        if self.amount == self.augmentation.amount.default { Ok(()) } else { write!(f, ":{}", self.amount) }
    }
}

impl std::str::FromStr for Augment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, given) = text.split_once(':').map_or((text, None), |(name, amount)| (name, Some(amount)));
        let augmentation = AUGMENTATIONS.iter().find(|a| a.name == name).ok_or_else(|| {
            let names: Vec<&str> = AUGMENTATIONS.iter().map(|a| a.name).collect();
            format!("unknown augmentation `{name}`, expected some of {}", names.join(", "))
        })?;
        let Amount { default, low, high, unit } = augmentation.amount;
        let amount = match given.map(|given| given.trim().parse::<f32>()) {
            None => default,
            Some(Ok(amount)) if (low..=high).contains(&amount) => amount,
            Some(_) => {
                return Err(format!("`{text}`: {name} takes {low} to {high} {unit} (such as `{name}:{default}`)"));
            }
        };
        Ok(Augment { augmentation, amount })
    }
}

impl Serialize for Augment {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Augment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Which side of the contrast is augmented (Kharitonov et al. 2020; CPC_audio's `--augment_past` and `--augment_future`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AugmentSide {
    /// What c is computed from; the latents that it predicts are those of the window as it is.
    Past,
    /// The latents that are predicted; c is computed from the window as it is.
    Future,
    /// Both, by one change of the whole window.
    Both,
    /// Each by a change of its own.
    Each,
}

/// Adds a problem to `faults` for each augmentation that is listed twice.
pub(crate) fn validate(list: &[Augment], faults: &mut Vec<Problem>) {
    for (i, augment) in list.iter().enumerate() {
        if list[..i].iter().any(|other| other.augmentation.name == augment.augmentation.name) {
            faults.push(Problem::new("data.augment", format!("lists {} twice", augment.augmentation.name)));
        }
    }
}

/// Whether noise is among these augmentations.
pub(crate) fn has_noise(list: &[Augment]) -> bool {
    list.iter().any(|augment| augment.augmentation.name == noise::NOISE.name)
}

/// Applies augmentations in the given order.
pub(crate) fn apply(list: &[Augment], samples: &mut [f32], rate: u32, random: &mut Stream, tools: &mut Tools) {
    list.iter().for_each(|augment| augment.apply(samples, rate, random, tools));
}

/// The mean square.
fn power(samples: &[f32]) -> f32 {
    samples.iter().map(|x| x * x).sum::<f32>() / samples.len().max(1) as f32
}

#[cfg(test)]
mod tests;
