//! Estimators of mutual information by name, and what they answer.
//!
//! Which one? [`Estimator::Auto`] unless there is a reason. `copula` if a normal or t copula is known to hold, `ksg` for one to three columns of any form,
//! `infonce` for a lower bound with little variance that cannot exceed log K, `dv`, `mine`, `nwj`, `js`, `tuba` for bounds that can, with more
//! variance, `smile` for less of it at the price of the bound, `club` and `l1out` for an upper side, `cca` for linear dependence, `histogram` to
//! compare with.

mod auto;
mod copula;
mod held_out;
mod labels;
mod neighbours;
mod neural;

pub use auto::Candidate;

use super::neural::{CurvePoint, Protocol};
use super::variable::Variable;
use crate::error::{Error, Result};
use crate::nn::CriticKind;
use crate::objective::{Bound, Side};
use std::fmt;
use std::str::FromStr;

/// An estimator.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Estimator {
    /// Copulas, a network that starts from the better one, neighbours: what rows that were held out speak for.
    Auto,
    /// A bound on held-out rows, of a critic that was trained for it.
    Neural(Bound),
    /// Kraskov, Stoegbauer and Grassberger's nearest neighbours; of a label and numbers, Ross's.
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
        all.into_iter().find(|e| e.to_string() == name).ok_or_else(|| format!("one of {} is wanted", names.join(", ")))
    }
}

/// What a critic starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Start {
    /// Nothing.
    #[default]
    Nothing,
    /// A normal copula of the rows that it learns from.
    Normal,
    /// A t copula of them, where there is one.
    Student,
}

/// How estimates are made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// How rows are dealt to training, stopping and valuing.
    pub protocol: Protocol,
    /// The form of critics; none for what is usual with the bound.
    pub critic: Option<CriticKind>,
    /// What critics start from.
    pub start: Start,
    /// Updates at most; none for what is usual.
    pub steps: Option<u64>,
    /// Pairs in a batch; none for what is usual.
    pub batch_size: Option<usize>,
    /// k of `ksg`.
    pub neighbours: usize,
    /// Bins of `histogram`; none for as many as keep five rows a cell.
    pub bins: Option<usize>,
    /// The seed of all chance.
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
            neighbours: super::neighbours::NEIGHBOURS,
            bins: None,
            seed: 0,
        }
    }
}

/// What an estimate says about the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// At most the truth, in expectation.
    LowerBound,
    /// At least the truth, in expectation, if its density is right.
    UpperBound,
    /// On either side.
    Estimate,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::LowerBound => "lower bound",
            Kind::UpperBound => "upper bound",
            Kind::Estimate => "estimate",
        })
    }
}

impl From<Side> for Kind {
    fn from(side: Side) -> Kind {
        match side {
            Side::Lower => Kind::LowerBound,
            Side::Upper => Kind::UpperBound,
            Side::Neither => Kind::Estimate,
        }
    }
}

/// An estimate of mutual information.
#[derive(Debug, Clone)]
pub struct Estimate {
    /// The estimator.
    pub estimator: Estimator,
    /// What it was made by, in words: of `auto`, what was chosen.
    pub method: String,
    /// The value in nats, never NaN. It is not cut off at 0: below it, nothing was found.
    pub nats: f64,
    /// What it says about the truth.
    pub kind: Kind,
    /// An interval of 95 %: what other samples of this size would change. Bias is not in it.
    pub ci95: Option<[f64; 2]>,
    /// Rows that the value rests on.
    pub n: usize,
    /// For rows by number their pointwise mutual information, in nats.
    pub pointwise: Vec<(u32, f64)>,
    /// What a trained critic can say at most, in nats.
    pub ceiling: Option<f64>,
    /// The bound on rows that critics learnt from, and on held-out rows, in nats.
    pub gap: Option<[f64; 2]>,
    /// The training of critics, a curve a fold.
    pub curves: Vec<Vec<CurvePoint>>,
    /// What `auto` chose from.
    pub candidates: Vec<Candidate>,
    /// What a reader should know, a sentence each.
    pub warnings: Vec<String>,
}

impl Estimate {
    fn new(estimator: Estimator, nats: f64, kind: Kind, n: usize) -> Estimate {
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
/// They differ in length; the estimator is not for these variables, or for so few rows; a value would be NaN or infinite, such as that of a column and its copy.
pub fn estimate(x: &Variable, y: &Variable, estimator: Estimator, settings: &Settings) -> Result<Estimate> {
    if x.len() != y.len() {
        let what = format!("X has {} rows and Y has {}", x.len(), y.len());
        return Err(Error::failed(what, "give one row of Y for each row of X, in the same order"));
    }
    let mut found = match (x, y, estimator) {
        (_, _, Estimator::Neural(bound)) => neural::neural(x, y, bound, settings),
        (Variable::Numbers(x), Variable::Numbers(y), _) => match estimator {
            Estimator::Auto => auto::auto(x, y, settings),
            Estimator::Ksg => neighbours::ksg(x, y, settings),
            Estimator::Cca => copula::cca(x, y),
            Estimator::Copula => copula::copula(x, y, settings),
            _ => neighbours::histogram(x, y, settings),
        },
        _ => labels::with_labels(x, y, estimator, settings),
    }?;
    found.nats += 0.0; // so that nothing is 0, not -0
    if found.nats.is_finite() {
        return Ok(found);
    }
    let what = format!("{} says {} nats: its critic was far too sure of itself", found.method, found.nats);
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
