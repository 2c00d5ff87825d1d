//! Canonical correlations and copulas.

use crate::error::Result;
use crate::mi::copula::{Elliptical, Ranked, normal, optimism, student};
use crate::mi::estimate::held_out::held_out;
use crate::mi::estimate::{Estimate, EstimateKind, Estimator, Settings};
use crate::mi::interval::{at_least, of_mean, of_rows};
use crate::mi::linear::{Covariance, linear};
use crate::mi::samples::Samples;
use crate::mi::series::rows_for_a_sample;
use candle_core::DType;

/// The estimate from canonical correlations of the values themselves.
pub(super) fn cca(x: &Samples, y: &Samples) -> Result<Estimate> {
    let covariance = Covariance::for_size(x.len(), x.dim() + y.dim());
    let found = linear(x, y, covariance)?;
    let mut estimate = Estimate::new(Estimator::Cca, found.mi, EstimateKind::Estimate, x.len());
    estimate.method = format!("canonical correlations of rank {} and {}", found.ranks[0], found.ranks[1]);
    if covariance == Covariance::Oas {
        let what = format!(
            "{} rows in {} dimensions: the covariance was shrunk, and the value is too low; give more rows, or fewer columns",
            x.len(),
            x.dim() + y.dim()
        );
        estimate.warnings.push(what);
    }
    let null = chance(found.bias, found.ranks, 1.0, x.len());
    estimate.ci95 = Some(at_least(of_mean(&found.local), found.mi, null));
    Ok(estimate.with_pointwise(found.local))
}

/// The standard deviation of the information of normal variables if nothing is shared, when local values hardly vary: 2n I is chi-squared with pq
/// degrees of freedom, and `bias` is its mean.
fn chance(bias: f64, [p, q]: [usize; 2], alike: f64, n: usize) -> f64 {
    bias * (2.0 / (p * q).max(1) as f64).sqrt() * (1.0 + 2.0 * alike / n as f64)
}

/// The copula that held-out rows favor.
pub(super) fn copula(x: &Samples, y: &Samples, settings: &Settings) -> Result<Estimate> {
    let ranked = Ranked::new(x, y)?;
    let student_is_better = held_out(&ranked, settings)?.student_is_better;
    let alike = if settings.protocol.blocked { rows_for_a_sample(x, y) } else { 1.0 };
    of_copula(&ranked, student_is_better, alike, Estimator::Copula)
}

/// The information of a copula fitted to all rows, minus its average upward bias. `alike` rows count as one sample.
pub(super) fn of_copula(
    ranked: &Ranked,
    student_is_better: bool,
    alike: f64,
    estimator: Estimator,
) -> Result<Estimate> {
    let rows: Vec<usize> = (0..ranked.len()).collect();
    let copula = match student_is_better {
        true => student(ranked, &rows)?,
        false => None,
    };
    let copula = copula.map_or_else(|| normal(ranked, &rows), Ok)?;
    let bias = alike * optimism(&copula, rows.len());
    let nats = copula.information() - bias;
    let mut estimate = Estimate::new(estimator, nats, EstimateKind::Estimate, rows.len());
    estimate.method = name(&copula);
    let [p, q] = copula.ranks();
    if rows.len() <= p + q {
        let what = format!(
            "{} rows in {} dimensions: the correlations were shrunk, and the value is unreliable; give more rows, or fewer columns",
            rows.len(),
            p + q
        );
        estimate.warnings.push(what);
    }
    let local = pointwise(&copula, ranked)?;
    let null = chance(bias, [p, q], alike, rows.len());
    let interval = of_rows(&local, alike > 1.0);
    estimate.ci95 = Some(at_least(interval, nats, null));
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
