//! Two columns of labels, or the atoms of both sides.

use crate::error::Result;
use crate::mi::classes::Classes;
use crate::mi::contingency::contingency;
use crate::mi::estimate::auto::order;
use crate::mi::estimate::{Estimate, EstimateKind, Estimator, Settings};
use crate::mi::interval::{at_least, error_of, of_rows};

/// The part of an entropy that chance gives, above which there is a warning.
const SPARSE: f64 = 0.2;

/// The information in a table, adjusted for chance.
pub(super) fn of(x: &Classes, y: &Classes, settings: &Settings) -> Result<Estimate> {
    let n = x.codes().len();
    let found = contingency(x, y, order(settings), settings.seed)?;
    let mut estimate = Estimate::new(Estimator::Auto, found.mi, EstimateKind::Estimate, n);
    estimate.method = "table of labels".into();
    let interval = of_rows(&found.local, settings.protocol.blocked);
    let error = error_of(interval);
    let error = if error.is_finite() { error.hypot(found.null) } else { found.null };
    estimate.ci95 = Some(at_least(None, found.mi, error));
    for (name, side) in [("X", x), ("Y", y)] {
        if side.counts().len() == n {
            let remedy = "choose a column whose values repeat, or group its values";
            estimate
                .warnings
                .push(format!("{name} has a value of its own in each of {n} rows, which shows nothing: {remedy}"));
        }
    }
    if found.chance > SPARSE {
        estimate.method += ", adjusted for chance";
        let what = format!(
            "{} x {} values in {n} rows: chance alone gives {:.0} % of what can be shared, and was subtracted; join rare values, or give more rows",
            x.counts().len(),
            y.counts().len(),
            100.0 * found.chance
        );
        estimate.warnings.push(what);
    }
    Ok(estimate.with_pointwise(found.local))
}
