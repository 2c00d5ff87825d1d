//! A label and numbers: nearest neighbors of the same label, classifiers, and a critic.

use crate::error::Result;
use crate::mi::classes::Classes;
use crate::mi::classifier::classify;
use crate::mi::estimate::auto::{Candidate, against_shifts, named, original, parts, sampled};
use crate::mi::estimate::labels::ross;
use crate::mi::estimate::{Estimate, EstimateKind, Estimator, Settings, neural};
use crate::mi::interval::{at_least, error_of, of_rows, of_series};
use crate::mi::neighbors;
use crate::mi::neural::Protocol;
use crate::mi::principal::principal;
use crate::mi::ranks::normal_scores;
use crate::mi::samples::Samples;
use crate::mi::screening::{Binned, screen};
use crate::mi::series::rows_for_a_sample;
use crate::mi::variable::Variable;
use crate::objective::Bound;

/// Up to this number of columns, neighbors are nearly right.
const FEW: usize = 3;
/// Beyond this number of columns, neighbors are too far away to say anything.
const NEAR: usize = 20;
/// The largest number of labels for a classifier.
const CLASSES: usize = 200;
/// Beyond this number of columns, a critic sees as many principal components as half of it.
const WIDE: usize = 64;
/// The number of standard errors by which another candidate has to be larger than the first.
const ERRORS: f64 = 3.0;
/// The number of findings of the screening that neighbors try.
const TRIED: usize = 8;

/// The estimate for labels and numbers, which are `names`; the numbers are `columns` of their side.
pub(super) fn of(
    labels: &Classes,
    numbers: &Samples,
    columns: &[usize],
    names: [&str; 2],
    settings: &Settings,
    depth: usize,
) -> Result<Estimate> {
    let (n, dim, classes) = (labels.codes().len(), numbers.dim(), labels.counts().len());
    let blocked = settings.protocol.blocked;
    let mut found: Vec<(Estimate, Option<f64>)> = Vec::new();
    if dim <= NEAR || classes > CLASSES {
        found.push((near(labels, numbers, settings)?, None));
    }
    let folds = settings.protocol.parts(n);
    if let (Ok(_), true) = (&folds, classes <= CLASSES) {
        // A classifier is cheap, and each row that it learns from counts: there are twice as many folds if there are rows for them.
        let folds = settings.protocol.folds;
        let protocol =
            Protocol { folds: if folds > 1 && n >= 20 * folds { 2 * folds } else { folds }, ..settings.protocol };
        let classified = classify(labels.codes(), classes, &normal_scores(numbers)?, protocol)?;
        let mut estimate = Estimate::new(Estimator::Auto, classified.value, EstimateKind::Estimate, n);
        estimate.method = "linear classifier, cross-fitted".into();
        let values: Vec<f64> = classified.parts.iter().map(|part| part.1).collect();
        let interval = of_rows(&values, blocked);
        // What it lost from training to other rows is the cost of having been estimated, half of it on either side of the truth.
        if classified.value > ERRORS * error_of(interval) {
            estimate.nats += (classified.train - classified.value).max(0.0) / 2.0;
        }
        estimate.ci95 = Some(at_least(interval, estimate.nats, 0.0));
        estimate.gap = Some([classified.train, classified.value]);
        estimate.pointwise = classified.parts;
        found.push((estimate, Some(classified.value)));
    }
    if let (Ok(_), true) = (&folds, depth == 0 && dim > FEW) {
        let seen =
            if dim > WIDE { principal(&normal_scores(numbers)?, WIDE / 2, settings.seed)? } else { numbers.clone() };
        let label = Variable::Labels(labels.codes().to_vec(), Vec::new());
        let seen = Variable::Numbers(seen);
        let mut learned = match sampled::rows(seen.len(), settings) {
            None => neural::neural(&seen, &label, Bound::InfoNce, settings)?,
            Some(rows) => {
                let mut learned = neural::neural(&seen.take(&rows), &label.take(&rows), Bound::InfoNce, settings)?;
                sampled::told(&mut learned, &rows, seen.len());
                learned
            }
        };
        learned.kind = EstimateKind::Estimate;
        learned.warnings.clear();
        if dim > WIDE {
            learned.method += &format!(", on {} principal components", WIDE / 2);
        }
        if blocked {
            let values: Vec<f64> = learned.pointwise.iter().map(|part| part.1).collect();
            learned.ci95 = of_series(&values);
        }
        let held_out = learned.nats;
        found.push((learned, Some(held_out)));
    }
    let mut shown: Option<(String, f64)> = None;
    if depth == 0 && dim > 1 {
        let alike = if blocked { rows_for_a_sample(&codes(labels)?, numbers) } else { 1.0 };
        let findings = screen(&Binned::numbers(numbers), &Binned::labels(labels), alike);
        if let Some(first) = findings.first() {
            shown = Some((named(&original(&first.x, columns), names[1]), first.chance));
        }
        let mut best: Option<(Estimate, Vec<usize>)> = None;
        let mut tried: Vec<Vec<usize>> = findings.iter().take(TRIED).map(|finding| finding.x.clone()).collect();
        let mut singles: Vec<usize> = findings.iter().filter(|f| f.x.len() == 1).map(|f| f.x[0]).take(FEW).collect();
        singles.sort_unstable();
        tried.push(singles);
        for some in tried.into_iter().filter(|some| !some.is_empty() && some.len() < dim) {
            let label = Variable::Labels(labels.codes().to_vec(), Vec::new());
            let few = parts::whole(&Variable::Numbers(numbers.columns(&some)?), &label, settings, depth + 1)?;
            if best.as_ref().is_none_or(|best| few.nats > best.0.nats) {
                best = Some((few, some));
            }
        }
        if let Some((mut few, some)) = best {
            few.method += &format!(", on {}", named(&original(&some, columns), names[1]));
            found.push((few, None));
        }
    }
    let candidates: Vec<Candidate> = found
        .iter()
        .map(|(f, held_out)| Candidate { name: f.method.clone(), held_out: *held_out, nats: f.nats })
        .collect();
    let mut rest = found.into_iter().map(|f| f.0);
    let Some(mut chosen) = rest.next() else {
        return near(labels, numbers, settings);
    };
    for other in rest {
        // In few dimensions neighbors are nearly right; in many they, and every other candidate, are too low where they are wrong.
        let sure = dim > FEW && chosen.nats > ERRORS * error_of(chosen.ci95);
        let margin = if sure { 0.0 } else { ERRORS * error_of(other.ci95) };
        if other.nats > chosen.nats.max(0.0) + margin {
            chosen = other;
        }
    }
    if let (Some((which, chance)), Some([low, _])) = (shown, chosen.ci95)
        && low <= 0.0
    {
        let what = format!(
            "{which} and {} depend on each other (probability by chance {chance:.1e}): the value is too low; estimate them alone",
            names[0]
        );
        chosen.warnings.push(what);
    }
    if dim > NEAR && n < 20 * dim && classes <= CLASSES {
        let remedy = "give more rows, or fewer columns";
        chosen.warnings.push(format!(
            "{n} rows are few for {dim} columns: dependence that is not linear may not be seen; {remedy}"
        ));
    }
    if candidates.len() > 1 {
        chosen.candidates = candidates;
    }
    Ok(chosen)
}

/// Nearest neighbors; for series, beyond what drifting together gives.
fn near(labels: &Classes, numbers: &Samples, settings: &Settings) -> Result<Estimate> {
    let mut found = ross(Estimator::Auto, labels.codes(), numbers, settings)?;
    if settings.protocol.blocked {
        let scores = normal_scores(numbers)?;
        let shifted = found.n == labels.codes().len();
        if shifted {
            against_shifts(&mut found, settings, |rows| {
                Ok(neighbors::labels(labels.take(rows).codes(), &scores, settings.neighbors, settings.seed)?.mi)
            })?;
        }
    }
    Ok(found)
}

/// Labels as columns of zeros and ones, at most eight.
fn codes(labels: &Classes) -> Result<Samples> {
    let dim = labels.counts().len().min(8);
    let values = labels.codes().iter().flat_map(|&code| (0..dim).map(move |j| f64::from(code as usize % dim == j)));
    Samples::new(values.collect(), dim)
}
