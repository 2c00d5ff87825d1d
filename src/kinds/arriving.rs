//! Samples as they arrive, brought to what a model takes.

use super::model::LiveSignal;
use crate::audio::LiveResampler;
use crate::error::{Error, Result};

/// Brings samples that arrive in pieces to a model's rate and scale.
pub struct Arriving(Way);

enum Way {
    Audio(Box<LiveResampler>),
    /// Of each channel, what is subtracted, and what the difference is multiplied by; and the channel that comes next.
    Series(Vec<(f32, f32)>, usize),
}

impl Arriving {
    /// For a signal whose samples come at `rate`; `None` is the model's rate.
    ///
    /// # Errors
    /// Audio cannot have this rate, or a series has another than the model's.
    pub fn new(signal: LiveSignal, rate: Option<f64>) -> Result<Arriving> {
        match signal {
            LiveSignal::Audio(own) => {
                let rate = rate.unwrap_or(f64::from(own));
                if rate.fract() != 0.0 || !(1000.0..=192_000.0).contains(&rate) {
                    return Err(Error::usage(
                        format!("--rate {rate}: not a rate of audio"),
                        "give a whole number from 1000 to 192000",
                    ));
                }
                Ok(Arriving(Way::Audio(Box::new(LiveResampler::new(rate as u32, own)?))))
            }
            LiveSignal::Series { rate: own, scale } => match rate {
                Some(rate) if rate != own => Err(Error::usage(
                    format!(
                        "--rate {rate}: samples of series that arrive are read at the model's rate, {own} per second"
                    ),
                    "leave out --rate, and send samples at that rate; a file is brought to it",
                )),
                _ => Ok(Arriving(Way::Series(scale, 0))),
            },
        }
    }

    /// The longest time that a sample is held, in milliseconds.
    pub fn delay_ms(&self) -> f64 {
        match &self.0 {
            Way::Audio(resampler) => resampler.delay_ms(),
            Way::Series(..) => 0.0,
        }
    }

    /// Accepts values, those of all channels of a sample after each other, and returns those that they make final.
    ///
    /// # Errors
    /// Resampling fails.
    pub fn push(&mut self, values: &[f32]) -> Result<Vec<f32>> {
        match &mut self.0 {
            Way::Audio(resampler) => resampler.push(values),
            Way::Series(scale, next) => {
                let from = *next;
                *next = (from + values.len()) % scale.len().max(1);
                let each = values.iter().zip(scale.iter().cycle().skip(from));
                Ok(each.map(|(value, (mean, factor))| (value - mean) * factor).collect())
            }
        }
    }

    /// Ends the signal, and returns the last values.
    ///
    /// # Errors
    /// Resampling fails.
    pub fn finish(&mut self) -> Result<Vec<f32>> {
        match &mut self.0 {
            Way::Audio(resampler) => resampler.finish(),
            Way::Series(..) => Ok(Vec::new()),
        }
    }
}
