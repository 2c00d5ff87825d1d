//! Units of information.

use std::fmt;
use std::str::FromStr;

/// A unit of information, by the base of its logarithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unit {
    /// Base e.
    #[default]
    Nats,
    /// Base 2.
    Bits,
    /// Base 10.
    Hartleys,
}

impl Unit {
    /// Converts a value in nats to this unit.
    pub fn of(self, nats: f64) -> f64 {
        match self {
            Unit::Nats => nats,
            Unit::Bits => nats / std::f64::consts::LN_2,
            Unit::Hartleys => nats / std::f64::consts::LN_10,
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unit::Nats => "nats",
            Unit::Bits => "bits",
            Unit::Hartleys => "hartleys",
        })
    }
}

impl FromStr for Unit {
    type Err = String;

    fn from_str(text: &str) -> Result<Unit, String> {
        let all = [Unit::Nats, Unit::Bits, Unit::Hartleys];
        all.into_iter().find(|unit| unit.to_string() == text).ok_or("write nats, bits or hartleys".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fair_coin_has_one_bit_and_a_digit_one_hartley() {
        assert_eq!(Unit::Bits.of(2f64.ln()), 1.0);
        assert_eq!(Unit::Hartleys.of(10f64.ln()), 1.0);
        assert_eq!(Unit::Nats.of(0.3), 0.3);
        assert_eq!("bits".parse(), Ok(Unit::Bits));
        assert!("bit".parse::<Unit>().is_err());
    }
}
