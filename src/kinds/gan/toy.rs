//! Distributions of points in the plane for testing generators: samples from them, and how well other samples cover them.

use crate::seed::Stream;
use std::f64::consts::TAU;
use std::fmt;
use std::str::FromStr;

/// The prefix of a DATA argument that names one of them.
pub const PREFIX: &str = "toy:";

/// A distribution in the plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Toy {
    /// 25 Gaussians of standard deviation 0.05 on a grid from -4 to 4 (Srivastava et al. 2017, "VEEGAN"; Belghazi et al. 2018, section 5.1).
    Gaussians,
    /// A spiral of two and a half turns around the origin, with points scattered around it with a standard deviation of 0.1 (Belghazi et al.
    /// 2018, section 5.1, give no sizes).
    Spiral,
}

/// The standard deviation of each Gaussian.
const SPREAD: f64 = 0.05;

/// The distance from the origin of the outermost modes, and of the end of the spiral.
const REACH: f64 = 4.0;

/// Number of turns of the spiral, and the standard deviation of points around it.
const TURNS: f64 = 2.5;
const OFF: f64 = 0.1;

/// Number of pieces that the spiral is cut into. They are equally long in angle times radius, and count as its modes.
const PIECES: usize = 25;

/// How well samples cover a distribution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Coverage {
    /// Number of modes that are reached: the samples within three standard deviations are at least [`LEAST`] of the mode's due share.
    pub reached: usize,
    /// Number of modes.
    pub modes: usize,
    /// The share of samples within three standard deviations of a mode, or of the spiral.
    pub near: f64,
}

/// The fraction of a mode's due share of samples from which on it counts as reached.
pub const LEAST: f64 = 0.1;

impl Toy {
    /// Every distribution.
    pub const ALL: [Toy; 2] = [Toy::Gaussians, Toy::Spiral];

    /// Draws a point.
    pub fn draw(self, stream: &mut Stream) -> [f32; 2] {
        match self {
            Toy::Gaussians => {
                let [x, y] = [stream.below(5), stream.below(5)].map(|i| 2.0 * f64::from(i) - 4.0);
                [x, y].map(|center| (center + SPREAD * stream.normal64()) as f32)
            }
            Toy::Spiral => {
                let [x, y] = spiral(stream.unit64());
                [x, y].map(|at| (at + OFF * stream.normal64()) as f32)
            }
        }
    }

    /// How well samples cover the distribution.
    pub fn coverage(self, samples: &[[f32; 2]]) -> Coverage {
        let modes = match self {
            Toy::Gaussians => 25,
            Toy::Spiral => PIECES,
        };
        let mut counts = vec![0usize; modes];
        samples.iter().filter_map(|&point| self.mode(point)).for_each(|mode| counts[mode] += 1);
        let due = LEAST * samples.len() as f64 / modes as f64;
        Coverage {
            reached: counts.iter().filter(|&&n| n > 0 && n as f64 >= due).count(),
            modes,
            near: counts.iter().sum::<usize>() as f64 / samples.len().max(1) as f64,
        }
    }

    /// The mode within three standard deviations of a point.
    fn mode(self, point: [f32; 2]) -> Option<usize> {
        let [x, y] = point.map(f64::from);
        match self {
            Toy::Gaussians => {
                let [i, j] = [x, y].map(|at| ((at + 4.0) / 2.0).round().clamp(0.0, 4.0));
                let off = (x - 2.0 * i + 4.0).hypot(y - 2.0 * j + 4.0);
                (off <= 3.0 * SPREAD).then_some((i * 5.0 + j) as usize)
            }
            Toy::Spiral => {
                let fine = 40 * PIECES;
                let off = |piece: usize| {
                    let [a, b] = spiral((piece as f64 + 0.5) / fine as f64);
                    (x - a).hypot(y - b)
                };
                let nearest = (0..fine).min_by(|&a, &b| off(a).total_cmp(&off(b)))?;
                (off(nearest) <= 3.0 * OFF).then_some(nearest / 40)
            }
        }
    }
}

/// The point on the spiral at a fraction of its length, approximately: the length grows with the square of the angle.
fn spiral(share: f64) -> [f64; 2] {
    let turned = share.sqrt();
    let (angle, radius) = (TAU * TURNS * turned, REACH * turned);
    [radius * angle.cos(), radius * angle.sin()]
}

impl fmt::Display for Toy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Toy::Gaussians => "25-gaussians",
            Toy::Spiral => "spiral",
        })
    }
}

impl FromStr for Toy {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let name = name.strip_prefix(PREFIX).unwrap_or(name);
        let found = Toy::ALL.into_iter().find(|toy| toy.to_string() == name);
        found.ok_or_else(|| format!("`{name}` is neither toy:25-gaussians nor toy:spiral"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::stream;

    #[test]
    fn samples_of_a_distribution_cover_it() {
        for toy in Toy::ALL {
            let mut s = stream(1, "toy", 0);
            let samples: Vec<[f32; 2]> = (0..10_000).map(|_| toy.draw(&mut s)).collect();
            let all = toy.coverage(&samples);
            assert_eq!((all.reached, all.modes), (25, 25), "{toy}");
            assert!(all.near > 0.97, "{toy}: {}", all.near);
            // Samples from one part of the distribution reach few modes; samples from elsewhere reach none.
            let right: Vec<[f32; 2]> = samples.iter().copied().filter(|p| p[0] > 3.0).collect();
            let part = toy.coverage(&right);
            assert!(part.reached <= 8 && part.near > 0.9, "{toy}: {part:?}");
            let far = toy.coverage(&[[9.0, 9.0]; 50]);
            assert_eq!((far.reached, far.near), (0, 0.0));
            assert_eq!(format!("toy:{toy}").parse(), Ok(toy));
        }
        assert!("toy:ring".parse::<Toy>().is_err());
        assert_eq!(Toy::Gaussians.coverage(&[]).near, 0.0);
    }

    #[test]
    fn the_gaussians_are_as_wide_as_they_say() {
        let mut s = stream(2, "toy", 0);
        let off: Vec<f64> = (0..20_000)
            .map(|_| {
                let [x, _] = Toy::Gaussians.draw(&mut s).map(f64::from);
                x - 2.0 * (x / 2.0).round()
            })
            .collect();
        let deviation = (off.iter().map(|x| x * x).sum::<f64>() / off.len() as f64).sqrt();
        assert!((deviation - SPREAD).abs() < 0.001, "{deviation}");
    }
}
