//! Labels on one side or on both.

use crate::error::{Error, Result};
use crate::mi::discrete::{Column, Counts, Estimator as Discrete, Variable as Named};
use crate::mi::estimate::{Estimate, EstimateKind, Estimator, Settings};
use crate::mi::interval::by_halves;
use crate::mi::neighbors;
use crate::mi::ranks::normal_scores;
use crate::mi::samples::Samples;
use crate::mi::variable::Variable;

/// Mutual information where X, Y or both are labels, by an estimator other than `auto` and bounds.
pub(super) fn with_labels(x: &Variable, y: &Variable, estimator: Estimator, settings: &Settings) -> Result<Estimate> {
    match (x, y, estimator) {
        (_, _, Estimator::Cca | Estimator::Copula) => {
            let what = format!("{estimator} is for numbers, but there are labels");
            Err(Error::usage(what, "choose auto, ksg or infonce"))
        }
        (Variable::Labels(x, x_names), Variable::Labels(y, y_names), _) => {
            tables(estimator, [x, y], [x_names, y_names], settings)
        }
        (Variable::Labels(codes, _), Variable::Numbers(numbers), _)
        | (Variable::Numbers(numbers), Variable::Labels(codes, _), _) => {
            if estimator == Estimator::Histogram {
                let what = "a histogram is for two columns of numbers, or two of labels";
                return Err(Error::usage(what, "choose auto, ksg or infonce"));
            }
            ross(estimator, codes, numbers, settings)
        }
        _ => Err(Error::usage("there are no labels", "report this as a bug in cpc")),
    }
}

/// Two columns of labels: their table, with the Miller-Madow correction.
fn tables(
    estimator: Estimator,
    codes: [&Vec<u32>; 2],
    names: [&Vec<String>; 2],
    settings: &Settings,
) -> Result<Estimate> {
    let value = |rows: Option<&[usize]>| {
        let column = |side: usize| Column {
            variable: Named { name: ["X", "Y"][side].into(), values: names[side].clone() },
            codes: match rows {
                None => codes[side].clone(),
                Some(rows) => rows.iter().map(|&i| codes[side][i]).collect(),
            },
        };
        Counts::of_columns(&[column(0), column(1)])
    };
    let counts = value(None)?;
    let of = |counts: &Counts| counts.mutual_information(&[0], &[1], Discrete::MillerMadow);
    let nats = of(&counts)?;
    let n = codes[0].len();
    let mut estimate = Estimate::new(estimator, nats, EstimateKind::Estimate, n);
    estimate.method = "table of labels, miller-madow".into();
    estimate.warnings = counts.warnings(&[0, 1])?;
    estimate.ci95 = by_halves(n, nats, settings.seed, |rows| of(&value(Some(rows))?)).ok().map(|halves| halves.ci95);
    Ok(estimate)
}

/// Labels and numbers: Ross's nearest neighbors among the rows with the same label.
pub(super) fn ross(estimator: Estimator, codes: &[u32], numbers: &Samples, settings: &Settings) -> Result<Estimate> {
    let numbers = normal_scores(numbers)?;
    let value = |codes: &[u32], numbers: &Samples| neighbors::labels(codes, numbers, settings.neighbors, settings.seed);
    let found = value(codes, &numbers)?;
    let mut estimate = Estimate::new(estimator, found.mi, EstimateKind::Estimate, found.local.len());
    estimate.method = format!("neighbors of the same label (Ross 2014), {}", settings.neighbors);
    estimate.warnings = found.warnings();
    let halves = |rows: &[usize]| {
        let some: Vec<u32> = rows.iter().map(|&i| codes[i]).collect();
        Ok(value(&some, &numbers.take(rows))?.mi)
    };
    estimate.ci95 = by_halves(codes.len(), found.mi, settings.seed, halves).ok().map(|halves| halves.ci95);
    let mut local = found.local.into_iter();
    estimate.pointwise = (0..codes.len() as u32)
        .filter(|&row| found.left_out.binary_search(&(row as usize)).is_err())
        .zip(&mut local)
        .collect();
    Ok(estimate)
}
