//! Estimators of mutual information by name, and their results.
//!
//! Which one? Use [`Estimator::Auto`] unless there is a reason not to. `copula` is for a normal or t copula that is known to hold, `ksg` for one
//! to three columns of any form, and `infonce` for a lower bound with low variance that cannot exceed log K. `dv`, `mine`, `nwj`, `js` and
//! `tuba` are bounds that can exceed it, with more variance. `smile` and `anchor` have less variance, but are no longer bounds. `club` and `l1out` are upper
//! bounds. `cca` is for linear dependence, and `histogram` for comparison.

mod auto;
mod conditional;
mod copula;
mod held_out;
mod labels;
mod neighbors;
mod neural;
mod sum;

pub use auto::Candidate;
pub use conditional::conditional;

use crate::error::{Error, Result};
use crate::mi::neural::{CurvePoint, Protocol};
use crate::mi::series::are_series;
use crate::mi::variable::Variable;
use crate::nn::CriticKind;
use crate::objective::{Bound, Side};
use std::fmt;
use std::str::FromStr;

/// An estimator.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Estimator {
    /// Tables of labels and atoms; copulas, networks, classifiers or nearest neighbors, whichever held-out rows favor.
    Auto,
    /// A bound on held-out rows, with a critic that was trained for it.
    Neural(Bound),
    /// The nearest neighbors of Kraskov, Stoegbauer and Grassberger; for labels and numbers, those of Ross.
    Ksg,
    /// Canonical correlations of the values: exact for normal variables.
    Cca,
    /// The better of a normal and a t copula.
    Copula,
    /// Equally filled bins of two single columns.
    Histogram,
}

impl Estimator {
    /// Every estimator.
    pub fn all() -> Vec<Estimator> {
        let first = [Estimator::Auto];
        let last = [Estimator::Ksg, Estimator::Cca, Estimator::Copula, Estimator::Histogram];
        first.into_iter().chain(Bound::ALL.map(Estimator::Neural)).chain(last).collect()
    }
}

impl fmt::Display for Estimator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Estimator::Auto => "auto",
            Estimator::Neural(bound) => bound.name(),
            Estimator::Ksg => "ksg",
            Estimator::Cca => "cca",
            Estimator::Copula => "copula",
            Estimator::Histogram => "histogram",
        })
    }
}

impl FromStr for Estimator {
    type Err = String;

    fn from_str(name: &str) -> std::result::Result<Estimator, String> {
        let all = Estimator::all();
        let names: Vec<String> = all.iter().map(Estimator::to_string).collect();
        all.into_iter().find(|e| e.to_string() == name).ok_or_else(|| format!("expected one of {}", names.join(", ")))
    }
}

/// What a critic starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Start {
    /// Nothing.
    #[default]
    Nothing,
    /// A normal copula of its training rows.
    Normal,
    /// A t copula of its training rows, if there is one.
    Student,
}

/// The settings of an estimate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// How rows are assigned to training, stopping and evaluation.
    pub protocol: Protocol,
    /// The form of critics; none for the default of the bound.
    pub critic: Option<CriticKind>,
    /// What critics start from.
    pub start: Start,
    /// The maximum number of updates; none for the default.
    pub steps: Option<u64>,
    /// The number of pairs in a batch; none for the default.
    pub batch_size: Option<usize>,
    /// The number of neighbors k of `ksg`.
    pub neighbors: usize,
    /// The number of bins of `histogram`; none for as many as keep five rows per cell.
    pub bins: Option<usize>,
    /// The seed of all randomness.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            protocol: Protocol { folds: 5, blocked: false, seed: 0 },
            critic: None,
            start: Start::Nothing,
            steps: None,
            batch_size: None,
            neighbors: super::neighbors::NEIGHBORS,
            bins: None,
            seed: 0,
        }
    }
}

/// How an estimate relates to the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EstimateKind {
    /// At most the truth, in expectation.
    LowerBound,
    /// At least the truth, in expectation, if its density is correct.
    UpperBound,
    /// It may be on either side.
    Estimate,
}

impl fmt::Display for EstimateKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            EstimateKind::LowerBound => "lower bound",
            EstimateKind::UpperBound => "upper bound",
            EstimateKind::Estimate => "estimate",
        })
    }
}

impl From<Side> for EstimateKind {
    fn from(side: Side) -> EstimateKind {
        match side {
            Side::Lower => EstimateKind::LowerBound,
            Side::Upper => EstimateKind::UpperBound,
            Side::Neither => EstimateKind::Estimate,
        }
    }
}

/// An estimate of mutual information.
#[derive(Debug, Clone)]
pub struct Estimate {
    /// The estimator.
    pub estimator: Estimator,
    /// The method, in words; for `auto`, the one that was chosen.
    pub method: String,
    /// The value in nats, never NaN. It is not truncated at 0: a negative value means that no dependence was found.
    pub nats: f64,
    /// How the value relates to the truth.
    pub kind: EstimateKind,
    /// A 95 % interval: how much the value would vary with other samples of this size. Bias is not included.
    pub ci95: Option<[f64; 2]>,
    /// The number of rows that the value is computed from.
    pub n: usize,
    /// The pointwise mutual information of rows in nats, with the index of each row.
    pub pointwise: Vec<(u32, f64)>,
    /// The largest value that a trained critic can give, in nats.
    pub ceiling: Option<f64>,
    /// The bound on training rows and on held-out rows, in nats.
    pub gap: Option<[f64; 2]>,
    /// The training of critics, one curve per fold.
    pub curves: Vec<Vec<CurvePoint>>,
    /// The candidates that `auto` chose from.
    pub candidates: Vec<Candidate>,
    /// Warnings, one sentence each.
    pub warnings: Vec<String>,
}

impl Estimate {
    fn new(estimator: Estimator, nats: f64, kind: EstimateKind, n: usize) -> Estimate {
        Estimate {
            estimator,
            method: estimator.to_string(),
            nats,
            kind,
            ci95: None,
            n,
            pointwise: Vec::new(),
            ceiling: None,
            gap: None,
            curves: Vec::new(),
            candidates: Vec::new(),
            warnings: Vec::new(),
        }
    }

    fn with_pointwise(mut self, local: Vec<f64>) -> Estimate {
        self.pointwise = local.into_iter().enumerate().map(|(i, value)| (i as u32, value)).collect();
        self
    }
}

/// Mutual information between X and Y by `estimator`.
///
/// # Errors
/// They differ in length; the estimator does not support these variables, or so few rows; or a value would be NaN or infinite, as for a
/// column and its copy.
pub fn estimate(x: &Variable, y: &Variable, estimator: Estimator, settings: &Settings) -> Result<Estimate> {
    if x.len() != y.len() {
        let what = format!("X has {} rows and Y has {}", x.len(), y.len());
        return Err(Error::failed(what, "give one row of Y for each row of X, in the same order"));
    }
    let mut found = match (x, y, estimator) {
        (_, _, Estimator::Neural(bound)) => neural::neural(x, y, bound, settings),
        (_, _, Estimator::Auto) => auto::auto(x, y, settings),
        (Variable::Numbers(x), Variable::Numbers(y), Estimator::Ksg) => neighbors::ksg(x, y, settings),
        (Variable::Numbers(x), Variable::Numbers(y), Estimator::Cca) => copula::cca(x, y),
        (Variable::Numbers(x), Variable::Numbers(y), Estimator::Copula) => copula::copula(x, y, settings),
        (Variable::Numbers(x), Variable::Numbers(y), Estimator::Histogram) => neighbors::histogram(x, y, settings),
        (Variable::Labels(..), _, _) | (_, Variable::Labels(..), _) => labels::with_labels(x, y, estimator, settings),
    }?;
    found.nats += 0.0; // turns -0 into 0
    if let (false, Variable::Numbers(x), Variable::Numbers(y)) = (settings.protocol.blocked, x, y)
        && are_series(x, y)
    {
        let what = "rows resemble the rows before them on both sides: if they are in the order of time, independent series seem to share \
                    information here; use auto with --split blocked";
        found.warnings.push(what.into());
    }
    if found.nats.is_finite() {
        return Ok(found);
    }
    let what = format!("{} gives {} nats: its critic was far too confident", found.method, found.nats);
    Err(Error::failed(what, "choose infonce or auto, or give more rows"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for estimator in Estimator::all() {
            assert_eq!(estimator.to_string().parse::<Estimator>(), Ok(estimator));
        }
        assert!("mi".parse::<Estimator>().unwrap_err().contains("auto, dv"));
    }
}
