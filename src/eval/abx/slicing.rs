//! From seconds to frames, in the two published ways.
//!
//! In features with `f` frames per second, an item from `on` to `off` seconds consists of the frames
//!
//! ```text
//! libri-light   [ceil(f on - 1/2), floor(f off - 1/2))        omits the last frame
//! fastabx       [ceil(f on - 1/2), floor(f off - 1/2) + 1)    keeps it
//! ```
//!
//! Frame t is located at its center, (t + 1/2) / f, and the second form includes every frame whose center lies in [on, off].
//! Libri-light's scorer and CPC_audio compute in binary floating point (`ABX/abx_iterators.py`), fastabx in decimals (`dataset.py`,
//! `item_frontiers`). Where an edge falls on the center of a frame the two can differ; each is reproduced here. HuBERT's 3.06 % and
//! 3.38 % on LibriSpeech differ by the slicing alone.

use crate::config::from_word;
use serde::{Deserialize, Serialize};

/// Which frames belong to an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Slicing {
    /// Without the last frame, as Libri-light and CPC_audio
    LibriLight,
    /// With the last frame, as fastabx
    Fastabx,
}

from_word!(Slicing);

/// Number of digits that a [`Decimal`] keeps.
const DIGITS: usize = 18;

/// A decimal number as it was written, and the float nearest to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decimal {
    value: f64,
    mantissa: i64,
    scale: u8,
}

impl Decimal {
    /// Parses digits with or without a decimal point, such as `0.3375`; `None` for anything else. Digits after the point beyond 18
    /// significant digits affect only the float.
    pub fn parse(text: &str) -> Option<Decimal> {
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        if whole.len() + fraction.len() == 0 || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
            return None;
        }
        let whole = whole.trim_start_matches('0');
        let fraction = &fraction[..fraction.len().min(DIGITS.checked_sub(whole.len())?)];
        let fraction = fraction.trim_end_matches('0');
        let mantissa = format!("0{whole}{fraction}").parse::<i64>().ok()?;
        let sign = if unsigned.len() < text.len() { -1 } else { 1 };
        Some(Decimal { value: text.parse().ok()?, mantissa: sign * mantissa, scale: fraction.len() as u8 })
    }

    /// The shortest decimal that parses to this float; `None` if it is not finite or too large.
    pub fn from_f64(value: f64) -> Option<Decimal> {
        Decimal::parse(&value.to_string())
    }

    /// The number as a float.
    pub fn value(&self) -> f64 {
        self.value
    }

    /// The product minus one half, as (numerator, denominator), without rounding.
    fn product_less_half(self, other: Decimal) -> (i128, i128) {
        let one = 10i128.pow(u32::from(self.scale) + u32::from(other.scale));
        (2 * i128::from(self.mantissa) * i128::from(other.mantissa) - one, 2 * one)
    }
}

impl Slicing {
    /// The first frame and the one after the last, for `rate` frames per second; not yet clipped to the existing frames.
    pub fn frames(self, onset: Decimal, offset: Decimal, rate: Decimal) -> (i64, i64) {
        match self {
            Slicing::LibriLight => {
                let less_half = |seconds: Decimal| rate.value * seconds.value - 0.5;
                (less_half(onset).ceil() as i64, less_half(offset).floor() as i64)
            }
            Slicing::Fastabx => {
                let (on, one) = rate.product_less_half(onset);
                let start = -(-on).div_euclid(one);
                let (off, one) = rate.product_less_half(offset);
                (start as i64, off.div_euclid(one) as i64 + 1)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice(slicing: Slicing, on: &str, off: &str, rate: f64) -> (i64, i64) {
        slicing.frames(Decimal::parse(on).unwrap(), Decimal::parse(off).unwrap(), Decimal::from_f64(rate).unwrap())
    }

    #[test]
    fn fastabx_keeps_the_last_frame_and_libri_light_leaves_it_out() {
        // By hand: 100 x 0.22 - 0.5 = 21.5, rounded up to 22; 100 x 0.586 - 0.5 = 58.1, rounded down to 58.
        assert_eq!(slice(Slicing::LibriLight, "0.2200", "0.5860", 100.0), (22, 58));
        assert_eq!(slice(Slicing::Fastabx, "0.2200", "0.5860", 100.0), (22, 59));
        // 50 x 0.3375 - 0.5 = 16.375, rounded up to 17; 50 x 0.6125 - 0.5 = 30.125, rounded down to 30.
        assert_eq!(slice(Slicing::LibriLight, "0.3375", "0.6125", 50.0), (17, 30));
        assert_eq!(slice(Slicing::Fastabx, "0.3375", "0.6125", 50.0), (17, 31));
        // 62.5 x 0.1 - 0.5 = 5.75, rounded up to 6; 62.5 x 0.2 - 0.5 = 12 exactly.
        assert_eq!(slice(Slicing::Fastabx, "0.1", "0.2", 62.5), (6, 13));
        assert_eq!(slice(Slicing::Fastabx, "0", "0.005", 100.0), (0, 1));
    }

    #[test]
    fn an_edge_in_the_middle_of_a_frame_is_exact_in_decimals_only() {
        // 100 x 0.145 - 0.5 is 14 exactly, but 13.999999999999998 in binary; 100 x 0.285 - 0.5 is 28, or 27.999999999999996.
        assert_eq!(slice(Slicing::Fastabx, "0.285", "0.545", 100.0), (28, 55));
        assert_eq!(slice(Slicing::Fastabx, "0.045", "0.145", 100.0), (4, 15));
        assert_eq!(slice(Slicing::LibriLight, "0.045", "0.145", 100.0), (4, 13));
    }

    #[test]
    fn an_item_below_a_frame_has_none_and_times_before_the_first_middle_round_up() {
        assert_eq!(slice(Slicing::LibriLight, "0.1", "0.105", 100.0), (10, 10));
        assert_eq!(slice(Slicing::Fastabx, "0.106", "0.109", 100.0), (11, 11));
        assert_eq!(slice(Slicing::Fastabx, "0.001", "0.004", 100.0), (0, 0));
    }

    #[test]
    fn decimals_are_read_as_written() {
        for (text, mantissa, scale) in [("12.50", 125, 1), ("007", 7, 0), (".5", 5, 1), ("3.", 3, 0), ("-0.25", -25, 2)]
        {
            let d = Decimal::parse(text).unwrap();
            assert_eq!((d.mantissa, d.scale), (mantissa, scale), "{text}");
        }
        assert_eq!(Decimal::from_f64(86.1328125).unwrap().mantissa, 861_328_125);
        let long = Decimal::parse("0.30000000000000004440892098500626").unwrap();
        assert_eq!((long.mantissa, long.scale), (300_000_000_000_000_044, 18));
        for text in ["", ".", "-", "1e3", "nan", "inf", "1.2.3", "1,5", "+1", "9999999999999999999"] {
            assert!(Decimal::parse(text).is_none(), "{text}");
        }
    }
}
