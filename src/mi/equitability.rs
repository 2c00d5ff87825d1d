//! Whether an estimate depends on nothing but the information: the tests of Kinney and Atwal 2014 (*Equitability, mutual information, and the maximal
//! information coefficient*).
//!
//! - Invertible [maps](Map) of X or Y change no information.
//! - Y = f(X) + noise: with noise that leaves the same information, every [`Relation`] f should have the same estimate.

use crate::error::Result;
use crate::mi::estimate::{Estimator, Settings, estimate};
use crate::mi::samples::Samples;
use crate::mi::tasks::quadrature::{grid, information, normal};
use crate::mi::variable::Variable;
use crate::seed::stream;
use statrs::function::erf::erfc;
use std::f64::consts::{FRAC_1_SQRT_2, TAU};

/// The information that relations are tested at, in nats.
pub const LEVELS: [f64; 5] = [0.25, 0.5, 1.0, 1.5, 2.0];
/// The correlation of the pair that is mapped.
const RHO: f64 = 0.8;

/// A function f of X, which is uniform from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// x.
    Line,
    /// A parabola with its lowest point in the middle.
    Parabola,
    /// A cubic parabola that rises, falls and rises.
    Cubic,
    /// An exponential function, steep at the end.
    Exponential,
    /// Two periods of a sine.
    Sine,
    /// A sine whose frequency rises.
    Chirp,
    /// A line up and a steeper one down, twice.
    Zigzag,
}

impl Relation {
    /// Every relation.
    pub const ALL: [Relation; 7] = [
        Relation::Line,
        Relation::Parabola,
        Relation::Cubic,
        Relation::Exponential,
        Relation::Sine,
        Relation::Chirp,
        Relation::Zigzag,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Relation::Line => "line",
            Relation::Parabola => "parabola",
            Relation::Cubic => "cubic",
            Relation::Exponential => "exponential",
            Relation::Sine => "sine",
            Relation::Chirp => "chirp",
            Relation::Zigzag => "zigzag",
        }
    }

    /// f(x), from 0 to 1.
    pub fn at(self, x: f64) -> f64 {
        match self {
            Relation::Line => x,
            Relation::Parabola => 4.0 * (x - 0.5).powi(2),
            Relation::Cubic => 0.5 + 0.5 * (4.0 * (2.0 * x - 1.0).powi(3) - 3.0 * (2.0 * x - 1.0)),
            Relation::Exponential => ((6.0 * x).exp() - 1.0) / (6f64.exp() - 1.0),
            Relation::Sine => 0.5 + 0.5 * (2.0 * TAU * x).sin(),
            Relation::Chirp => 0.5 + 0.5 * (3.0 * TAU * x * x).sin(),
            Relation::Zigzag => {
                let u = (2.0 * x).fract();
                if u < 0.75 { u / 0.75 } else { (1.0 - u) / 0.25 }
            }
        }
    }

    /// The standard deviation of the noise with which X and Y share `nats`.
    pub fn noise(self, nats: f64) -> f64 {
        let x = grid(0.0, 1.0, 400);
        let shared = |deviation: f64| {
            let step = deviation / 4.0;
            let y = grid(-6.0 * deviation, 1.0 + 6.0 * deviation, ((1.0 + 12.0 * deviation) / step).ceil() as usize);
            information(x.len(), y.len(), |i, j| normal(y[j], self.at(x[i]), deviation))
        };
        // Bisection of the logarithm: less noise, more information.
        let (mut low, mut high) = (1e-3f64.ln(), 10f64.ln());
        for _ in 0..30 {
            let middle = 0.5 * (low + high);
            if shared(middle.exp()) > nats { low = middle } else { high = middle }
        }
        (0.5 * (low + high)).exp()
    }

    /// `n` rows that share `nats`.
    ///
    /// # Errors
    /// `n` is 0.
    pub fn sample(self, nats: f64, n: usize, seed: u64) -> Result<[Samples; 2]> {
        let (noise, mut rng) = (self.noise(nats), stream(seed, "mi/relations", 0));
        let pair = |_| {
            let x = rng.unit64();
            (x, self.at(x) + noise * rng.normal64())
        };
        let (x, y): (Vec<f64>, Vec<f64>) = (0..n).map(pair).unzip();
        Ok([Samples::new(x, 1)?, Samples::new(y, 1)?])
    }
}

/// An invertible map of a normal pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Map {
    /// None.
    None,
    /// e^x.
    Exponential,
    /// x^3 and y^3.
    Cubes,
    /// The distribution functions of both, which are uniform then.
    Uniform,
    /// 1 / x, which is not monotone.
    Reciprocal,
    /// The lower and the upper half of x exchanged.
    Halves,
    /// Every second of sixteen parts of x turned around.
    Turned,
}

impl Map {
    /// Every map.
    pub const ALL: [Map; 7] =
        [Map::None, Map::Exponential, Map::Cubes, Map::Uniform, Map::Reciprocal, Map::Halves, Map::Turned];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Map::None => "no map",
            Map::Exponential => "exp x",
            Map::Cubes => "x^3, y^3",
            Map::Uniform => "uniform x, y",
            Map::Reciprocal => "1 / x",
            Map::Halves => "halves of x exchanged",
            Map::Turned => "parts of x turned",
        }
    }

    fn apply(self, x: f64, y: f64) -> [f64; 2] {
        let below = |v: f64| 0.5 * erfc(-v * FRAC_1_SQRT_2);
        match self {
            Map::None => [x, y],
            Map::Exponential => [x.exp(), y],
            Map::Cubes => [x.powi(3), y.powi(3)],
            Map::Uniform => [below(x), below(y)],
            Map::Reciprocal => [1.0 / x, y],
            Map::Halves => [(below(x) + 0.5).fract(), y],
            Map::Turned => {
                let parts = 16.0 * below(x);
                let turned = if (parts as u32).is_multiple_of(2) { parts } else { 2.0 * parts.floor() + 1.0 - parts };
                [turned, y]
            }
        }
    }

    /// `n` rows of a mapped normal pair.
    ///
    /// # Errors
    /// `n` is 0.
    pub fn sample(self, n: usize, seed: u64) -> Result<[Samples; 2]> {
        let mut rng = stream(seed, "mi/maps", 0);
        let pair = |_| {
            let x = rng.normal64();
            let [x, y] = self.apply(x, RHO * x + (1.0 - RHO * RHO).sqrt() * rng.normal64());
            (x, y)
        };
        let (x, y): (Vec<f64>, Vec<f64>) = (0..n).map(pair).unzip();
        Ok([Samples::new(x, 1)?, Samples::new(y, 1)?])
    }

    /// The information of the pair, in nats.
    pub fn truth() -> f64 {
        -0.5 * (1.0 - RHO * RHO).ln()
    }
}

/// A pair of variables to test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Case {
    /// A mapped normal pair.
    Mapped(Map),
    /// A relation with this information.
    Related(Relation, f64),
}

impl Case {
    /// Every case: all maps, then all relations at all [`LEVELS`].
    pub fn all() -> Vec<Case> {
        let related = |relation| LEVELS.map(|nats| Case::Related(relation, nats));
        Map::ALL.into_iter().map(Case::Mapped).chain(Relation::ALL.into_iter().flat_map(related)).collect()
    }

    /// A description in words.
    pub fn label(self) -> String {
        match self {
            Case::Mapped(map) => map.name().into(),
            Case::Related(relation, nats) => format!("{}, {nats} nats", relation.name()),
        }
    }

    /// The estimate on `n` rows, in nats.
    ///
    /// # Errors
    /// Those of the estimator.
    pub fn estimate(self, estimator: Estimator, n: usize, settings: &Settings) -> Result<f64> {
        let [x, y] = match self {
            Case::Mapped(map) => map.sample(n, settings.seed)?,
            Case::Related(relation, nats) => relation.sample(nats, n, settings.seed)?,
        };
        Ok(estimate(&Variable::Numbers(x), &Variable::Numbers(y), estimator, settings)?.nats)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mi::neighbors::{Ksg, ksg};

    #[test]
    fn noise_leaves_the_information_that_is_asked_for() {
        for relation in Relation::ALL {
            let noise = LEVELS.map(|nats| relation.noise(nats));
            assert!(noise.windows(2).all(|pair| pair[0] > pair[1]), "{noise:?}");
            let [x, y] = relation.sample(1.0, 4000, 1).unwrap();
            let found = ksg(&x, &y, 5, Ksg::First, 0).unwrap().mi;
            assert!((found - 1.0).abs() < 0.08, "{}: {found}", relation.name());
            let ends = (0..=1000).map(|i| relation.at(f64::from(i) / 1000.0));
            assert!(ends.into_iter().all(|v| (-1e-12..=1.0 + 1e-12).contains(&v)), "{}", relation.name());
        }
    }

    #[test]
    fn maps_are_invertible_and_ranks_do_not_see_monotone_ones() {
        // Of values on both sides of 0, no two may come together.
        for map in Map::ALL {
            let mut values: Vec<f64> = (-1000..1000).map(|i| map.apply((f64::from(i) + 0.5) / 400.0, 0.0)[0]).collect();
            values.sort_unstable_by(f64::total_cmp);
            assert!(values.windows(2).all(|pair| pair[1] - pair[0] > 1e-9), "{}", map.name());
        }
        let found = |map| Case::Mapped(map).estimate(Estimator::Copula, 1000, &Settings::default()).unwrap();
        assert!((found(Map::None) - Map::truth()).abs() < 0.06);
        for map in [Map::Exponential, Map::Cubes, Map::Uniform] {
            assert_eq!(found(map), found(Map::None), "{}", map.name());
        }
        assert!(found(Map::Reciprocal) < 0.5 * Map::truth(), "a copula sees only what is monotone");
        assert_eq!(Case::all().len(), 7 + 35);
    }
}
