//! Pairs of variables whose mutual information is known, to test estimators.
//!
//! These are the 40 tasks of Czyz, Grabowski, Vogt, Beerenwinkel and Marx (2023), *Beyond normal: on the evaluation of
//! mutual information estimators*, with the names and the order of their package (benchmark-mi 0.1.3). A task is a joint
//! distribution with a closed form of I(X; Y), and invertible maps f of X and g of Y, which do not change it:
//! I(f(X); g(Y)) = I(X; Y). So tasks can have tails, spirals and folds, and the truth is still known.
//!
//! [`Suite`] has these and other problems, of mixtures, labels, conditional information and images; [`staircase`] has the pairs of Poole et al. (2019), whose information can be chosen.
//!
//! ```
//! use cpc::mi::neighbors::{Ksg, ksg};
//!
//! let task = cpc::mi::tasks::find("wiggly-1v1-normal-0.75").unwrap();
//! let (x, y) = task.sample(1000, 1)?;
//! let estimate = ksg(&x, &y, 5, Ksg::First, 0)?;
//! assert!((estimate.mi - task.truth()).abs() < 0.1);
//! # cpc::error::Result::Ok(())
//! ```

mod conditional;
mod distribution;
mod images;
mod mixtures;
mod problem;
pub(super) mod quadrature;
pub mod staircase;
#[cfg(test)]
mod tests;
mod transform;

pub use problem::{Drawn, Problem, Suite};

use crate::error::Result;
use crate::mi::samples::Samples;
use crate::seed::stream;
use distribution::{Distribution, Normal, collect};
use transform::Transform;

/// A joint distribution of X and Y, and the maps applied to both.
#[derive(Debug, Clone, PartialEq)]
pub struct BenchTask {
    name: String,
    distribution: Distribution,
    /// In the order of application.
    transforms: Vec<Transform>,
}

impl BenchTask {
    /// The reference's name, such as `spiral-multinormal-sparse-3-3-2-2.0`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A description in words: `Spiral @ normal, 2 pairs, 3 + 3`, where the last numbers are the dimensions of X and Y.
    pub fn label(&self) -> String {
        let mut parts: Vec<String> = self.transforms.iter().rev().map(|t| t.label().into()).collect();
        parts.push(self.distribution.label());
        let label = parts.join(" @ ");
        let first = label.chars().take(1).flat_map(char::to_uppercase);
        let label: String = first.chain(label.chars().skip(1)).collect();
        format!("{label}, {} + {}", self.dim_x(), self.dim_y())
    }

    /// The number of columns of X.
    pub fn dim_x(&self) -> usize {
        self.transforms.iter().fold(self.distribution.dims()[0], |dim, t| dim + t.more_x())
    }

    /// The number of columns of Y.
    pub fn dim_y(&self) -> usize {
        self.distribution.dims()[1]
    }

    /// The mutual information of X and Y in nats, by the closed form of the distribution.
    pub fn truth(&self) -> f64 {
        self.distribution.information()
    }

    /// `n` independent pairs, X (n, dim_x) and Y (n, dim_y).
    ///
    /// A smaller sample is a prefix of a larger one. Tasks that differ only in their maps transform the same draws for a given seed, as in
    /// the reference, so that the effect of a map on an estimator is not hidden by randomness.
    ///
    /// # Errors
    /// `n` is 0.
    pub fn sample(&self, n: usize, seed: u64) -> Result<(Samples, Samples)> {
        let mut rng = stream(seed, "mi/tasks", 0);
        collect(n, [self.dim_x(), self.dim_y()], |x, y| {
            self.distribution.draw(&mut rng, x, y);
            self.transforms.iter().for_each(|t| t.apply(x, y));
        })
    }

    fn new(name: String, distribution: Distribution) -> BenchTask {
        BenchTask { name, distribution, transforms: Vec::new() }
    }

    /// This task with one more map after the others.
    fn under(&self, transform: Transform) -> BenchTask {
        let transforms = self.transforms.iter().copied().chain([transform]).collect();
        let name = format!("{}-{}", transform.name(), self.name);
        BenchTask { name, transforms, distribution: self.distribution.clone() }
    }
}

/// The 40 tasks, in the reference's order: one dimension, an embedding, normal, Student t, and maps of these.
pub fn all() -> Vec<BenchTask> {
    use Transform::*;
    let normal = BenchTask::new("1v1-normal-0.75".into(), Distribution::Normal(Normal::pairs(1, 1, 0.75)));
    let (uniform, cauchy) = (normal.under(NormalCdf), student(1, 1));
    let mut tasks = vec![
        normal.clone(),
        uniform.clone(),
        additive(0.1),
        additive(0.75),
        BenchTask { name: "1v1-bimodal-0.75".into(), ..normal.under(Bimodal) },
        normal.under(Wiggly),
        normal.under(HalfCube),
        cauchy.clone(),
        cauchy.under(Asinh),
        uniform.under(SwissRoll),
    ];
    tasks.extend([2, 3, 5, 25, 50].map(dense));
    tasks.extend([2, 3, 5, 25].map(two_pairs));
    tasks.extend([(2, 1), (2, 2), (3, 2), (3, 3), (5, 2), (5, 3)].map(|(dim, degrees)| student(dim, degrees)));
    for transforms in [&[NormalCdf][..], &[HalfCube], &[Spiral], &[NormalCdf, Spiral]] {
        tasks.extend([3, 5, 25].map(|dim| transforms.iter().fold(two_pairs(dim), |task, &t| task.under(t))));
    }
    tasks.extend([(2, 1), (3, 2), (5, 2)].map(|(dim, degrees)| student(dim, degrees).under(Asinh)));
    tasks
}

/// The task with the reference's name `name`, if there is one.
pub fn find(name: &str) -> Option<BenchTask> {
    all().into_iter().find(|task| task.name == name)
}

/// Y is X plus uniform noise from -`noise` to `noise`.
fn additive(noise: f64) -> BenchTask {
    BenchTask::new(format!("1v1-additive-{noise:?}"), Distribution::Additive { noise })
}

/// Any two columns have correlation 0.5.
fn dense(dim: usize) -> BenchTask {
    BenchTask::new(format!("multinormal-dense-{dim}-{dim}-0.5"), Distribution::Normal(Normal::dense(dim, 0.5)))
}

/// The first two columns of X and of Y are pairs that share a hidden cause. It is twice as large as their own noise, so it makes up
/// 2^2 / (1 + 2^2) of their variance.
fn two_pairs(dim: usize) -> BenchTask {
    BenchTask::new(format!("multinormal-sparse-{dim}-{dim}-2-2.0"), Distribution::Normal(Normal::pairs(dim, 2, 0.8)))
}

/// Columns are uncorrelated, but all are stretched by the same random number.
fn student(dim: usize, degrees: u32) -> BenchTask {
    let scaled = Normal::pairs(dim, 0, 0.0);
    BenchTask::new(format!("student-identity-{dim}-{dim}-{degrees}"), Distribution::Student { scaled, degrees })
}
