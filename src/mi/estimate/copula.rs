//! Canonical correlations and copulas.

use crate::error::Result;
use crate::mi::copula::{Elliptical, Ranked, normal, optimism, student};
use crate::mi::estimate::held_out::held_out;
use crate::mi::estimate::{Estimate, EstimateKind, Estimator, Settings};
use crate::mi::interval::of_mean;
use crate::mi::linear::{Covariance, linear};
use crate::mi::samples::Samples;
use candle_core::DType;

/// The estimate from canonical correlations of the values themselves.
pub(super) fn cca(x: &Samples, y: &Samples) -> Result<Estimate> {
    let covariance = Covariance::for_size(x.len(), x.dim() + y.dim());
    let found = linear(x, y, covariance)?;
    let mut estimate = Estimate::new(Estimator::Cca, found.mi, EstimateKind::Estimate, x.len());
    estimate.method = format!("canonical correlations of rank {} and {}", found.ranks[0], found.ranks[1]);
    if covariance == Covariance::Oas {
        let what = format!(
            "{} rows in {} dimensions: the covariance was shrunk, and the value is too low",
            x.len(),
            x.dim() + y.dim()
        );
        estimate.warnings.push(what);
    }
    estimate.ci95 = of_mean(&found.local);
    Ok(estimate.with_pointwise(found.local))
}

/// The copula that held-out rows favor.
pub(super) fn copula(x: &Samples, y: &Samples, settings: &Settings) -> Result<Estimate> {
    let ranked = Ranked::new(x, y)?;
    of_copula(&ranked, held_out(&ranked, settings)?.student_is_better, Estimator::Copula)
}

/// The information of a copula fitted to all rows, minus its average upward bias.
pub(super) fn of_copula(ranked: &Ranked, student_is_better: bool, estimator: Estimator) -> Result<Estimate> {
    let rows: Vec<usize> = (0..ranked.len()).collect();
    let copula = match student_is_better {
        true => student(ranked, &rows)?,
        false => None,
    };
    let copula = copula.map_or_else(|| normal(ranked, &rows), Ok)?;
    let nats = copula.information() - optimism(&copula, rows.len());
    let mut estimate = Estimate::new(estimator, nats, EstimateKind::Estimate, rows.len());
    estimate.method = name(&copula);
    let [p, q] = copula.ranks();
    if rows.len() <= p + q {
        let what = format!(
            "{} rows in {} dimensions: the correlations were shrunk, and the value is unreliable",
            rows.len(),
            p + q
        );
        estimate.warnings.push(what);
    }
    let local = pointwise(&copula, ranked)?;
    estimate.ci95 = of_mean(&local).map(|[low, high]| [nats - (high - low) / 2.0, nats + (high - low) / 2.0]);
    Ok(estimate.with_pointwise(local))
}

fn name(copula: &Elliptical) -> String {
    match copula.degrees() {
        None => "normal copula".into(),
        Some(degrees) => format!("t copula, {degrees:.1} degrees of freedom"),
    }
}

/// The log density ratio of every row.
fn pointwise(copula: &Elliptical, ranked: &Ranked) -> Result<Vec<f64>> {
    let ratio = copula.ratio(ranked)?;
    let mut local = Vec::with_capacity(ranked.len());
    for row in 0..ranked.len() as u32 {
        local.extend(ratio.all_pairs(&[row], &[row])?.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?);
    }
    Ok(local)
}
