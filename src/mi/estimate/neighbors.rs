//! Estimates from nearest neighbors and from bins.

use crate::error::Result;
use crate::mi::estimate::{Estimate, EstimateKind, Estimator, Settings};
use crate::mi::histogram;
use crate::mi::interval::by_halves;
use crate::mi::neighbors::{self, Ksg};
use crate::mi::ranks::normal_scores;
use crate::mi::samples::Samples;

/// KSG on normal scores: all distances are on one scale, which heavy tails do not stretch.
pub(super) fn ksg(x: &Samples, y: &Samples, settings: &Settings) -> Result<Estimate> {
    let (x, y) = (normal_scores(x)?, normal_scores(y)?);
    let value = |x: &Samples, y: &Samples| neighbors::ksg(x, y, settings.neighbors, Ksg::First, settings.seed);
    let found = value(&x, &y)?;
    let mut estimate = Estimate::new(Estimator::Ksg, found.mi, EstimateKind::Estimate, x.len());
    estimate.method = format!("ksg, {} neighbors", settings.neighbors);
    estimate.warnings = found.warnings();
    if x.dim() + y.dim() > 10 {
        let what = format!(
            "neighbors are far apart in {} + {} dimensions, and the value is far too low: choose auto",
            x.dim(),
            y.dim()
        );
        estimate.warnings.push(what);
    }
    let halves = |rows: &[usize]| Ok(value(&x.take(rows), &y.take(rows))?.mi);
    let halves = by_halves(x.len(), found.mi, settings.seed, halves).ok();
    estimate.ci95 = halves.map(|halves| halves.ci95);
    estimate.warnings.extend(halves.and_then(|halves| halves.warning()));
    Ok(estimate.with_pointwise(found.local))
}

/// The histogram estimate for two columns.
pub(super) fn histogram(x: &Samples, y: &Samples, settings: &Settings) -> Result<Estimate> {
    let bins = settings.bins.unwrap_or_else(|| histogram::bins(x.len()));
    let value = |x: &Samples, y: &Samples| histogram::histogram(x, y, bins);
    let found = value(x, y)?;
    let mut estimate = Estimate::new(Estimator::Histogram, found, EstimateKind::Estimate, x.len());
    estimate.method = format!("histogram, {bins} x {bins} bins");
    let halves = |rows: &[usize]| value(&x.take(rows), &y.take(rows));
    estimate.ci95 = by_halves(x.len(), found, settings.seed, halves).ok().map(|halves| halves.ci95);
    Ok(estimate)
}
