//! Numbers of very many columns, such as embeddings: principal components of each side, a normal copula of all columns, and columns that a
//! screening found.

use crate::error::{Error, Result};
use crate::mi::digamma::digamma;
use crate::mi::estimate::auto::components::Components;
use crate::mi::estimate::auto::{Candidate, named, numbers, original, parts, say_on};
use crate::mi::estimate::{Estimate, EstimateKind, Estimator, Settings};
use crate::mi::interval::{at_least, error_of};
use crate::mi::linear::bias;
use crate::mi::normality::are_normal;
use crate::mi::principal::principal;
use crate::mi::products::gram;
use crate::mi::ranks::normal_scores;
use crate::mi::samples::Samples;
use crate::mi::screening::{Binned, screen};
use crate::mi::series::rows_for_a_sample;
use crate::mi::variable::Variable;
use nalgebra::{Cholesky, DMatrix};

/// The number of principal components of a side that are normal together if all columns are, and the number of rows for each.
const TESTED: usize = 32;
const ROWS: usize = 20;
/// The number of standard errors by which another candidate has to be larger than the first.
const ERRORS: f64 = 3.0;

/// The estimate for many columns, which are `columns` of X and Y.
pub(super) fn of(
    x: &Samples,
    y: &Samples,
    columns: [&[usize]; 2],
    settings: &Settings,
    depth: usize,
) -> Result<Estimate> {
    let alike = if settings.protocol.blocked { rows_for_a_sample(x, y) } else { 1.0 };
    let Some(few) = Components::best(x, y, settings)? else {
        let what = "no principal components of X and Y have a copula";
        return Err(Error::failed(what, "choose columns that do not determine each other"));
    };
    let mut chosen = numbers::of(&few.x, &few.y, [&[], &[]], true, settings, depth + 1)?;
    let on = few.named();
    say_on(&mut chosen, &on);
    let mut candidates = std::mem::take(&mut chosen.candidates);
    let mut others = Vec::new();
    let mut refused = None;
    if let Some(all) = normal(x, y, alike)? {
        if components_are_normal(x, alike, settings)? && components_are_normal(y, alike, settings)? {
            others.push(all);
        } else {
            candidates.push(Candidate { name: all.method.clone(), held_out: None, nats: all.nats });
            refused = Some(all.nats);
        }
    }
    if depth == 0 {
        let findings = screen(&Binned::numbers(x), &Binned::numbers(y), alike);
        if let Some(first) = findings.first() {
            let (a, b) = (x.columns(&first.x)?, y.columns(&first.y)?);
            let mut few = parts::whole(&Variable::Numbers(a), &Variable::Numbers(b), settings, depth + 1)?;
            few.method += &format!(
                ", on {} and {}",
                named(&original(&first.x, columns[0]), "X"),
                named(&original(&first.y, columns[1]), "Y")
            );
            others.push(few);
        }
    }
    for other in others {
        candidates.push(Candidate { name: other.method.clone(), held_out: None, nats: other.nats });
        if other.nats - chosen.nats.max(0.0) > ERRORS * error_of(other.ci95) {
            chosen = other;
        }
    }
    let what = format!(
        "{} + {} columns: dependence that is neither linear, nor in {on}, nor between few columns is not seen; choose columns",
        x.dim(),
        y.dim()
    );
    chosen.warnings.push(what);
    if let Some(nats) = refused.filter(|nats| *nats - chosen.nats > ERRORS * error_of(chosen.ci95)) {
        chosen.warnings.push(format!(
            "a normal copula of all columns has {nats:.2} nats, but they are not normal together, so this is not used; held-out rows show \
             {:.2}, and the truth may be larger",
            chosen.nats
        ));
    }
    chosen.candidates = candidates;
    Ok(chosen)
}

/// Whether the first principal components of the columns are normal together, as those of normal columns are.
fn components_are_normal(side: &Samples, alike: f64, settings: &Settings) -> Result<bool> {
    let k = (side.len() / ROWS).clamp(1, TESTED);
    are_normal(&principal(&normal_scores(side)?, k, settings.seed)?, alike)
}

/// A normal copula of all columns, from determinants: faster than from canonical correlations. None if there are too few rows, or a column is
/// determined by others.
fn normal(x: &Samples, y: &Samples, alike: f64) -> Result<Option<Estimate>> {
    let (n, p, q) = (x.len(), x.dim(), y.dim());
    if 2 * n <= 3 * (p + q) {
        return Ok(None);
    }
    let both = normal_scores(&x.beside(y)?)?.standardized();
    let rows = DMatrix::from_row_slice(n, p + q, both.values());
    let covariance = gram(&rows, &rows)? / n as f64;
    let log_det =
        |c: DMatrix<f64>| Cholesky::new(c).map(|c| c.l().diagonal().iter().map(|v| 2.0 * v.ln()).sum::<f64>());
    let blocks =
        [(0, p), (p, q), (0, p + q)].map(|(at, size)| log_det(covariance.view((at, at), (size, size)).into_owned()));
    let [Some(of_x), Some(of_y), Some(of_both)] = blocks else { return Ok(None) };
    let nats = 0.5 * (of_x + of_y - of_both) - alike * bias(n, p, q);
    // The determinant of independent columns is a product of beta variables (Wilks 1932); dependence adds sum rho^2 / n, and rho^2 is at most
    // twice its information.
    let trigamma = |v: f64| (digamma(v + 1e-4) - digamma(v - 1e-4)) / 2e-4;
    let null: f64 =
        (1..=q).map(|j| trigamma((n - p - j) as f64 / 2.0) - trigamma((n - j) as f64 / 2.0)).sum::<f64>() / 4.0;
    let shared = (2.0 * nats.max(0.0)).min(p.min(q) as f64) / n as f64;
    let mut estimate = Estimate::new(Estimator::Auto, nats, EstimateKind::Estimate, n);
    estimate.method = "normal copula".into();
    estimate.ci95 = Some(at_least(None, nats, alike * (null + shared).sqrt()));
    Ok(Some(estimate))
}
