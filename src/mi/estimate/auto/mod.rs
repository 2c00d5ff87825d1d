//! The estimator that chooses among others.
//!
//! 1. Copies of rows are left out, with a warning: no estimator is right for them ([`copies`](crate::mi::copies)).
//! 2. Each side is divided into atoms (labels, zeros, counts) and numbers, and the chain rule into terms whose estimators fit
//!    ([`atoms`](crate::mi::atoms)): tables that are adjusted for chance, labels and numbers (`labels`), numbers and numbers (`numbers`). More than
//!    120 columns are reduced first (`wide`).
//! 3. In each term, candidates are compared on rows that they were not trained on; one that has no held-out value has to be larger by several
//!    standard errors. Where a few of many columns inform, they are found by screening
//!    ([`screening`](crate::mi::screening)), and candidates see them alone: I(some columns; Y) <= I(X; Y).
//! 4. The estimate never exceeds the entropy of a discrete side, and its interval is at least as wide as independent data would make it.
//!
//! No choice depends on rows that were trained on, and nothing is tuned for a task.

mod components;
mod labels;
mod numbers;
mod parts;
mod sampled;
mod tables;
mod wide;

use crate::error::Result;
use crate::mi::classes::Classes;
use crate::mi::contingency::entropy;
use crate::mi::copies::without_copies;
use crate::mi::estimate::{Estimate, EstimateKind, Estimator, Settings};
use crate::mi::permutation::{Order, reordered};
use crate::mi::variable::Variable;

/// A side is discrete if all but this part of its rows have an equal row.
const SINGLE: f64 = 0.05;
/// The number of shifts of a series that show what drifting together gives.
const SHIFTS: u64 = 16;

/// A candidate that `auto` chose from.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Its name, in words.
    pub name: String,
    /// Its mean on held-out rows, in nats: InfoNCE of a critic, or the bound of a classifier; none for other estimators.
    pub held_out: Option<f64>,
    /// Its estimate, in nats.
    pub nats: f64,
}

/// The estimate that held-out rows favor.
pub(super) fn auto(x: &Variable, y: &Variable, settings: &Settings) -> Result<Estimate> {
    let kept = without_copies(x, y);
    let (one_x, one_y) = match &kept {
        Some(kept) => (x.take(&kept.rows), y.take(&kept.rows)),
        None => (x.clone(), y.clone()),
    };
    let mut found = parts::whole(&one_x, &one_y, settings, 0)?;
    if let Some(kept) = kept {
        found.pointwise.iter_mut().for_each(|part| part.0 = kept.rows[part.0 as usize] as u32);
        let what = format!(
            "{} of {} rows are copies of other rows, which are not new samples: the estimate is from the other {}; remove copies from the data, or \
             treat values that may repeat as labels (--discrete)",
            kept.of - kept.rows.len(),
            kept.of,
            kept.rows.len()
        );
        found.warnings.insert(0, what);
    }
    for (name, side) in [("X", &one_x), ("Y", &one_y)] {
        let classes = match side {
            Variable::Numbers(samples) => Classes::of(samples),
            Variable::Labels(codes, _) => Classes::of_labels(codes),
        };
        let most = entropy(&classes);
        if classes.tied() as f64 >= (1.0 - SINGLE) * side.len() as f64 && found.nats > most {
            found.warnings.push(format!(
                "{:.2} nats by {}, but {name} has only {most:.2} nats, and no more can be shared",
                found.nats, found.method
            ));
            found.ci95 = found.ci95.map(|ci| ci.map(|end| end + most - found.nats));
            found.nats = most;
        }
    }
    found.estimator = Estimator::Auto;
    Ok(found)
}

/// The estimate for a side that does not vary.
fn nothing(n: usize) -> Estimate {
    let mut estimate = Estimate::new(Estimator::Auto, 0.0, EstimateKind::Estimate, n);
    estimate.method = "none needed".into();
    estimate.ci95 = Some([0.0, 0.0]);
    estimate.with_pointwise(vec![0.0; n])
}

/// How the rows of Y are paired anew with those of X to see what chance gives.
fn order(settings: &Settings) -> Order {
    if settings.protocol.blocked { Order::Shifted } else { Order::Shuffled }
}

/// Takes from an estimate for series what they share by drifting together: the mean over shifts of Y in time. The interval becomes as wide as
/// theirs. `value` is the estimate for the given rows of Y.
fn against_shifts(found: &mut Estimate, settings: &Settings, value: impl Fn(&[usize]) -> Result<f64>) -> Result<()> {
    let values = (0..SHIFTS)
        .map(|i| value(&reordered(found.n, Order::Shifted, settings.seed, i)))
        .collect::<Result<Vec<f64>>>()?;
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let spread = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (values.len() - 1) as f64;
    found.nats -= mean;
    found.pointwise.iter_mut().for_each(|part| part.1 -= mean);
    found.ci95 = Some(crate::mi::interval::at_least(found.ci95, found.nats, spread.sqrt()));
    Ok(())
}

/// Says of an estimate and of its candidates what they are computed on.
fn say_on(found: &mut Estimate, on: &str) {
    found.method += &format!(", on {on}");
    found.candidates.iter_mut().for_each(|candidate| candidate.name += &format!(", on {on}"));
}

/// The columns of the user's data that `some` columns of a side are. Constant columns, for one, are not among them.
fn original(some: &[usize], columns: &[usize]) -> Vec<usize> {
    some.iter().map(|&j| columns.get(j).copied().unwrap_or(j)).collect()
}

/// Names of columns for messages, counted from 1.
fn named(columns: &[usize], side: &str) -> String {
    let numbers: Vec<String> = columns.iter().take(8).map(|j| (j + 1).to_string()).collect();
    let more = if columns.len() > 8 { format!(" and {} more", columns.len() - 8) } else { String::new() };
    let unit = if columns.len() == 1 { "column" } else { "columns" };
    format!("{unit} {}{more} of {side}", numbers.join(", "))
}

#[cfg(test)]
mod tests;
