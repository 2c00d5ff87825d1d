//! The estimator that chooses among others.
//!
//! 1. A normal and a t copula are fitted to each fold's training rows, and evaluated on its held-out rows by InfoNCE, like any critic. The better
//!    one is the base.
//! 2. A network starts from the base and learns the residual, with the same folds. Its gain on held-out rows is tested: is it more than
//!    two standard errors, computed row by row?
//! 3. If not, the copula holds, as far as these rows show. The estimate is its information in closed form, with the bias of the sample
//!    covariance subtracted.
//! 4. If so, the estimate is the bound on held-out rows, plus half of what the base lost from its training rows to held-out rows. That is the
//!    cost of having estimated the base (for d parameters fitted by maximum likelihood, the value is d/2n too high on training rows and
//!    d/2n too low on others; Akaike 1973). In few dimensions, nearest neighbors are used too. Both are too low where they are wrong, so the
//!    larger value counts.
//!
//! No choice depends on rows that were trained on, and nothing is tuned for a task.

use crate::error::Result;
use crate::mi::copula::Ranked;
use crate::mi::estimate::copula::of_copula;
use crate::mi::estimate::held_out::held_out;
use crate::mi::estimate::neural::{of_crossed, start, training};
use crate::mi::estimate::{Estimate, EstimateKind, Estimator, Settings, Start, neighbors};
use crate::mi::neural::{HeldOutRows, cross_fit};
use crate::mi::ranks::normal_scores;
use crate::mi::samples::Samples;
use crate::objective::Bound;

/// The number of standard errors by which a candidate has to be better on held-out rows to count as better.
const ERRORS: f64 = 2.0;
/// The largest number of dimensions of X and Y together for which nearest neighbors are used.
const FEW: usize = 4;

/// A candidate that `auto` chose from.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Its name, in words.
    pub name: String,
    /// InfoNCE on held-out rows, in nats; none for a candidate that is not a critic.
    pub held_out: Option<f64>,
    /// Its estimate, in nats.
    pub nats: f64,
}

/// The estimate that held-out rows favor.
pub(super) fn auto(x: &Samples, y: &Samples, settings: &Settings) -> Result<Estimate> {
    let ranked = Ranked::new(x, y)?;
    let base = held_out(&ranked, settings)?;
    let (normal_x, normal_y) = (normal_scores(x)?, normal_scores(y)?);
    let training = training(Bound::InfoNce, settings);
    let begin = if base.student_is_better { Start::Student } else { Start::Normal };
    let rows = |train: &[u32]| HeldOutRows::new(&normal_x, &normal_y, start(Some(&ranked), train, begin)?);
    let crossed = cross_fit(x.len(), settings.protocol, &training, rows)?;

    let copula = of_copula(&ranked, base.student_is_better, Estimator::Auto)?;
    let cost = (base.train - base.mean()).max(0.0) / 2.0;
    let mut learned = of_crossed(Estimator::Auto, &crossed, &training);
    learned.nats += cost;
    learned.ci95 = learned.ci95.map(|ci| ci.map(|end| end + cost));
    learned.kind = EstimateKind::Estimate;
    learned.method =
        format!("network that starts from a {}", if base.student_is_better { "t copula" } else { "normal copula" });

    let names = ["normal copula", "t copula"];
    let mut candidates: Vec<Candidate> = Vec::new();
    for (which, held_out) in base.means.into_iter().enumerate().filter(|(_, held_out)| held_out.is_some()) {
        let nats = of_copula(&ranked, which == 1, Estimator::Auto)?.nats;
        candidates.push(Candidate { name: names[which].into(), held_out, nats });
    }
    candidates.push(Candidate { name: learned.method.clone(), held_out: Some(crossed.value), nats: learned.nats });
    let gains: Vec<f64> = crossed.parts.iter().zip(&base.parts).map(|(network, copula)| network.1 - copula.1).collect();
    if !is_more(&gains) {
        return Ok(Estimate { candidates, ..copula });
    }
    let mut chosen = learned;
    if x.dim() + y.dim() <= FEW {
        let near = neighbors::ksg(x, y, settings)?;
        candidates.push(Candidate { name: near.method.clone(), held_out: None, nats: near.nats });
        if near.nats > chosen.nats {
            chosen = Estimate { estimator: Estimator::Auto, ..near };
        }
    }
    Ok(Estimate { candidates, ..chosen })
}

/// Whether the mean of `gains` is above 0 by more than [`ERRORS`] standard errors.
fn is_more(gains: &[f64]) -> bool {
    let n = gains.len() as f64;
    let mean = gains.iter().sum::<f64>() / n;
    let variance = gains.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    mean > ERRORS * (variance / n).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mi::estimate::estimate;
    use crate::mi::fixtures;
    use crate::mi::variable::Variable;

    fn run((x, y): (Samples, Samples)) -> Estimate {
        estimate(&Variable::Numbers(x), &Variable::Numbers(y), Estimator::Auto, &Settings::default()).unwrap()
    }

    #[test]
    fn a_copula_that_holds_is_taken_and_one_that_does_not_is_not() {
        let normal = run(fixtures::normal(1000, 3, 0.6, 7));
        assert_eq!(normal.method, "normal copula", "{:?}", normal.candidates);
        let truth = -1.5 * (1.0 - 0.36f64).ln();
        assert!((normal.nats - truth).abs() < 0.1, "{} {truth}", normal.nats);
        let ci = normal.ci95.unwrap();
        assert!(ci[0] < truth && truth < ci[1]);

        let student = run(fixtures::student(1000, 1, 8));
        assert!(student.method.starts_with("t copula"), "{:?}", student.candidates);
        assert!((student.nats - 0.4319).abs() < 0.1, "{}", student.nats); // Czyz et al. 2023, Student 2 + 2 with 1 degree

        let parabola = run(fixtures::parabola(1000, 9));
        assert!(!parabola.method.contains("copula,") && parabola.nats > 0.6, "{:?}", parabola.candidates);
        assert!(parabola.candidates[0].nats < 0.1);
    }

    #[test]
    fn independent_columns_have_nothing() {
        let nothing = run(fixtures::normal(500, 2, 0.0, 10));
        assert!(nothing.nats.abs() < 0.03, "{}", nothing.nats);
        let ci = nothing.ci95.unwrap();
        assert!(ci[0] < 0.02 && ci[1] > -0.02, "{ci:?}");
    }
}
