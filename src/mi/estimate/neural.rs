//! Bounds of trained critics.

use crate::error::Result;
use crate::mi::copula::{Ranked, Ratio, normal, student};
use crate::mi::estimate::{Estimate, EstimateKind, Estimator, Settings, Start};
use crate::mi::interval::of_mean;
use crate::mi::neural::{Crossed, HeldOutRows, Training, cross_fit};
use crate::mi::variable::Variable;
use crate::nn::CriticKind;
use crate::objective::Bound;

/// A bound within this many nats of its ceiling is called saturated.
const SATURATED: f64 = 0.5;
/// A gap between training and held-out rows causes a warning if it exceeds this many nats and this fraction of the value.
const GAP: [f64; 2] = [0.2, 0.25];
/// With fewer rows per dimension than this, a critic can hardly learn.
const ROWS_FOR_A_DIMENSION: usize = 20;

/// The bound on rows that were used for neither training nor stopping.
pub(super) fn neural(x: &Variable, y: &Variable, bound: Bound, settings: &Settings) -> Result<Estimate> {
    let training = training(bound, settings);
    let (encoded_x, encoded_y) = (x.encoded()?, y.encoded()?);
    let ranked = match (x, y, settings.start) {
        (Variable::Numbers(x), Variable::Numbers(y), Start::Normal | Start::Student) => Some(Ranked::new(x, y)?),
        _ => None,
    };
    let rows = |train: &[u32]| HeldOutRows::new(&encoded_x, &encoded_y, start(ranked.as_ref(), train, settings.start)?);
    let crossed = cross_fit(x.len(), settings.protocol, &training, rows)?;
    let mut estimate = of_crossed(Estimator::Neural(bound), &crossed, &training);
    estimate.method = format!("{bound}, {} critic", training.critic);
    if settings.start != Start::Nothing {
        match ranked {
            Some(_) => estimate.method += " that starts from a copula",
            None => estimate.warnings.push("labels have no copula: the critic started from nothing".into()),
        }
    }
    if bound.wants_density() {
        let what = "an upper bound only if X given Y is normal, with a mean and variance that depend on Y; else it may be far below the truth";
        estimate.warnings.push(what.into());
    }
    let dim = encoded_x.dim() + encoded_y.dim();
    if x.len() < ROWS_FOR_A_DIMENSION * dim {
        estimate.warnings.push(format!(
            "{} rows are too few for {dim} dimensions, and the value is far too low: give more rows, or choose auto",
            x.len()
        ));
    }
    Ok(estimate)
}

/// The defaults of a bound, with the overrides in the settings.
pub(super) fn training(bound: Bound, settings: &Settings) -> Training {
    let usual = if bound.wants_density() { CriticKind::Density } else { CriticKind::Separable };
    let critic = if bound.wants_density() { usual } else { settings.critic.unwrap_or(usual) };
    let mut training = Training::new(bound, critic, settings.seed);
    training.steps = settings.steps.unwrap_or(training.steps);
    training.batch_size = settings.batch_size.unwrap_or(training.batch_size);
    training
}

/// The copula of the rows `train`.
pub(super) fn start(ranked: Option<&Ranked>, train: &[u32], start: Start) -> Result<Option<Ratio>> {
    let Some(ranked) = ranked else { return Ok(None) };
    let rows: Vec<usize> = train.iter().map(|&i| i as usize).collect();
    let student = if start == Start::Student { student(ranked, &rows)? } else { None };
    let copula = student.map_or_else(|| normal(ranked, &rows), Ok)?;
    copula.ratio(ranked).map(Some)
}

/// The result of cross-fitting, as an estimate with its warnings.
pub(super) fn of_crossed(estimator: Estimator, crossed: &Crossed, training: &Training) -> Estimate {
    let bound = training.bound;
    let parts: Vec<f64> = crossed.parts.iter().map(|part| part.1).collect();
    let mut estimate = Estimate::new(estimator, crossed.value, EstimateKind::from(bound.side()), parts.len());
    estimate.ci95 = of_mean(&parts).filter(|ci| ci.iter().all(|v| v.is_finite()));
    estimate.pointwise.clone_from(&crossed.pointwise);
    estimate.ceiling = bound.ceiling(crossed.others);
    estimate.gap = Some([crossed.train, crossed.value]);
    estimate.curves.clone_from(&crossed.curves);
    if let Some(ceiling) = estimate.ceiling.filter(|ceiling| crossed.value > ceiling - SATURATED) {
        let what = format!(
            "near its ceiling, log {} = {ceiling:.2} nats: the truth may be far above; choose another bound or give more rows",
            crossed.others + 1
        );
        estimate.warnings.push(what);
    }
    let gap = crossed.train - crossed.value;
    if gap > GAP[0] && gap > GAP[1] * crossed.value.abs() {
        let what = format!(
            "{:.2} nats on training rows, {:.2} on held-out rows: more rows would raise the value",
            crossed.train, crossed.value
        );
        estimate.warnings.push(what);
    }
    if crossed.rising > 0 {
        let what = format!(
            "still rising after {} steps in {} of {} folds: give more --steps",
            training.steps,
            crossed.rising,
            crossed.curves.len()
        );
        estimate.warnings.push(what);
    }
    estimate
}
