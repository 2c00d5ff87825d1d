//! A problem with a known answer, in any of the suites.

use crate::error::{Error, Result};
use crate::mi::samples::Samples;
use crate::mi::tasks::{BenchTask, all, conditional, images, mixtures};
use crate::mi::variable::Variable;
use crate::seed::{Stream, stream};
use std::fmt;
use std::str::FromStr;

/// A collection of problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suite {
    /// The forty tasks of Czyz et al. 2023.
    BeyondNormal,
    /// What copulas do not contain: mixtures of normal variables (Czyz et al. 2025, *The mixtures and the neural critics*), atoms beside numbers (Gao et
    /// al. 2017, *Estimating mutual information for discrete-continuous mixtures*), counts, and conditional information.
    Mixtures,
    /// Many columns that hide few causes: drawn digits, spots and letters (as in Lee and Rhee 2024, *A benchmark suite for evaluating neural mutual
    /// information estimators on unstructured datasets*).
    Images,
}

impl Suite {
    /// Every suite.
    pub const ALL: [Suite; 3] = [Suite::BeyondNormal, Suite::Mixtures, Suite::Images];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Suite::BeyondNormal => "beyond-normal",
            Suite::Mixtures => "mixtures",
            Suite::Images => "images",
        }
    }

    /// Its problems.
    pub fn problems(self) -> Vec<Problem> {
        match self {
            Suite::BeyondNormal => all().into_iter().map(Problem::from).collect(),
            Suite::Mixtures => mixtures::problems().into_iter().chain(conditional::problems()).collect(),
            Suite::Images => images::problems(),
        }
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Suite {
    type Err = String;

    fn from_str(name: &str) -> std::result::Result<Suite, String> {
        let names = Suite::ALL.map(Suite::name).join(", ");
        Suite::ALL.into_iter().find(|s| s.name() == name).ok_or_else(|| format!("expected one of {names}"))
    }
}

/// Rows of a problem.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawn {
    /// X.
    pub x: Variable,
    /// Y.
    pub y: Variable,
    /// What is given, if the information is conditional.
    pub z: Option<Variable>,
}

type Draw = Box<dyn Fn(usize, u64) -> Result<Drawn> + Send + Sync>;

/// Variables whose mutual information is known.
pub struct Problem {
    name: String,
    label: String,
    truth: f64,
    draw: Draw,
}

impl Problem {
    /// A problem with a name for the command line, a label in words, and the information in nats.
    pub(super) fn new(
        name: &str,
        label: &str,
        truth: f64,
        draw: impl Fn(usize, u64) -> Result<Drawn> + Send + Sync + 'static,
    ) -> Problem {
        Problem { name: name.into(), label: label.into(), truth, draw: Box::new(draw) }
    }

    /// A problem of independent rows. `row` draws one: numbers for X, Y and Z, of which Z may have none.
    pub(super) fn of_rows(
        name: &str,
        label: &str,
        truth: f64,
        row: impl Fn(&mut Stream) -> [Vec<f64>; 3] + Send + Sync + 'static,
    ) -> Problem {
        Problem::new(name, label, truth, move |n, seed| {
            let mut rng = stream(seed, "mi/problems", 0);
            let mut sides: [Vec<f64>; 3] = Default::default();
            let mut dims = [0; 3];
            for _ in 0..n {
                for ((side, dim), values) in sides.iter_mut().zip(&mut dims).zip(row(&mut rng)) {
                    *dim = values.len();
                    side.extend(values);
                }
            }
            let [x, y, z] = sides;
            let numbers = |values: Vec<f64>, dim: usize| Ok::<_, Error>(Variable::Numbers(Samples::new(values, dim)?));
            let z = if dims[2] == 0 { None } else { Some(numbers(z, dims[2])?) };
            Ok(Drawn { x: numbers(x, dims[0])?, y: numbers(y, dims[1])?, z })
        })
    }

    /// The same problem with sides that are labels: the integers of their only column. `named` are the sides, 0 for X to 2 for Z.
    pub(super) fn with_labels(self, named: &'static [usize]) -> Problem {
        let Problem { name, label, truth, draw } = self;
        let draw = move |n: usize, seed: u64| {
            let drawn = draw(n, seed)?;
            let turned = |side: usize, of: Variable| match of {
                Variable::Numbers(numbers) if named.contains(&side) => {
                    let codes: Vec<u32> = numbers.values().iter().map(|v| *v as u32).collect();
                    let count = codes.iter().max().map_or(0, |most| most + 1);
                    Variable::Labels(codes, (0..count).map(|code| code.to_string()).collect())
                }
                of => of,
            };
            Ok(Drawn { x: turned(0, drawn.x), y: turned(1, drawn.y), z: drawn.z.map(|z| turned(2, z)) })
        };
        Problem { name, label, truth, draw: Box::new(draw) }
    }

    /// The name for the command line.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A description in words.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// I(X; Y), or I(X; Y | Z), in nats.
    pub fn truth(&self) -> f64 {
        self.truth
    }

    /// `n` independent rows.
    ///
    /// # Errors
    /// `n` is 0.
    pub fn sample(&self, n: usize, seed: u64) -> Result<Drawn> {
        (self.draw)(n, seed)
    }
}

impl From<BenchTask> for Problem {
    fn from(task: BenchTask) -> Problem {
        let (name, label, truth) = (task.name().to_string(), task.label(), task.truth());
        Problem::new(&name, &label, truth, move |n, seed| {
            let (x, y) = task.sample(n, seed)?;
            Ok(Drawn { x: Variable::Numbers(x), y: Variable::Numbers(y), z: None })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn problems_have_names_of_their_own_finite_rows_and_repeat() {
        let mut names = HashSet::new();
        for suite in Suite::ALL {
            assert_eq!(suite.name().parse::<Suite>(), Ok(suite));
            for problem in suite.problems() {
                assert!(names.insert(problem.name().to_string()), "{} twice", problem.name());
                assert!(problem.truth() >= 0.0 && problem.truth().is_finite() && !problem.label().is_empty());
                let drawn = problem.sample(40, 3).unwrap();
                assert_eq!((drawn.x.len(), drawn.y.len()), (40, 40), "{}", problem.name());
                assert!(drawn.z.as_ref().is_none_or(|z| z.len() == 40));
                assert_eq!(drawn, problem.sample(40, 3).unwrap());
                assert_ne!(drawn, problem.sample(40, 4).unwrap());
            }
        }
    }
}
