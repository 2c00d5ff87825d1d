//! Copulas evaluated on rows that they were not fitted to.

use crate::error::Result;
use crate::mi::copula::{Ranked, normal, student};
use crate::mi::estimate::Settings;
use crate::mi::interval::{error_of, of_rows};
use crate::mi::neural::HeldOutRows;
use crate::mi::parallel::in_parallel;
use crate::objective::Bound;

/// The number of rows in a block of scores, the same as for a separable critic.
const BLOCK: usize = 1000;

/// The number of standard errors by which a candidate has to be better on held-out rows to count as better.
pub(super) const ERRORS: f64 = 2.0;

/// At the end of the range of degrees of freedom, nothing shows that tails are heavy. In many dimensions the t copula may still be better on
/// held-out rows, because it is less sure of correlations that were overfitted.
const NEARLY_NORMAL: f64 = 80.0;

/// The results of copulas on rows that they were not fitted to.
pub(super) struct HeldOut {
    /// Whether the t copula is better than the normal one, by more than two standard errors of the difference.
    pub student_is_better: bool,
    /// InfoNCE of the better one for each held-out row, with the row's index.
    pub parts: Vec<(u32, f64)>,
    /// The means of both on held-out rows; the t copula may be missing.
    pub means: [Option<f64>; 2],
    /// The mean of the better one on rows it was fitted to.
    pub train: f64,
}

impl HeldOut {
    /// The mean of the better one on held-out rows.
    pub fn mean(&self) -> f64 {
        mean(&self.parts)
    }

    /// What it cost to have estimated it: half of what it is worse on held-out rows than on training rows.
    pub fn cost(&self) -> f64 {
        (self.train - self.mean()).max(0.0) / 2.0
    }
}

/// Evaluates both copulas on the held-out rows of every fold.
pub(super) fn held_out(ranked: &Ranked, settings: &Settings) -> Result<HeldOut> {
    let parts = settings.protocol.parts(ranked.len())?;
    let job = |k: usize| {
        let [train, _, test] = &parts[k];
        let fitted: Vec<usize> = train.iter().map(|&i| i as usize).collect();
        let mut found = Vec::new();
        let student = student(ranked, &fitted)?.filter(|t| t.degrees().is_some_and(|degrees| degrees < NEARLY_NORMAL));
        for copula in [Some(normal(ranked, &fitted)?), student] {
            let Some(copula) = copula else {
                found.push(None);
                continue;
            };
            let rows = HeldOutRows::copula(copula.ratio(ranked)?)?;
            let value = |of: &[u32]| Bound::InfoNce.contributions(&rows.scores(None, of, BLOCK, Bound::InfoNce)?, None);
            let train = value(&train[..train.len().min(test.len())])?;
            found.push(Some((value(test)?, train.iter().sum::<f64>() / train.len() as f64)));
        }
        Ok(found)
    };
    let found = in_parallel(parts.len(), job, |_| {})?;
    let of = |which: usize| -> Option<(Vec<(u32, f64)>, f64)> {
        let (mut all, mut train) = (Vec::new(), 0.0);
        for ([_, _, test], copulas) in parts.iter().zip(&found) {
            let (values, mean) = copulas[which].as_ref()?;
            all.extend(test.iter().copied().zip(values.iter().copied()));
            train += mean / found.len() as f64;
        }
        all.sort_unstable_by_key(|part| part.0);
        Some((all, train))
    };
    let copulas = [of(0), of(1)];
    let means = copulas.each_ref().map(|c| c.as_ref().map(|(parts, _)| mean(parts)));
    let student_is_better = match &copulas {
        [Some((normal, _)), Some((student, _))] => {
            let gains: Vec<f64> = student.iter().zip(normal).map(|(student, normal)| student.1 - normal.1).collect();
            is_more(&gains, ERRORS, settings.protocol.blocked)
        }
        _ => false,
    };
    let [normal, student] = copulas;
    let (parts, train) = if student_is_better { student } else { normal }.unwrap_or_default();
    Ok(HeldOut { student_is_better, parts, means, train })
}

/// Whether the mean of `gains` is above 0 by more than `errors` standard errors. Gains of rows in the order of time depend on each other.
pub(super) fn is_more(gains: &[f64], errors: f64, in_time: bool) -> bool {
    let interval = of_rows(gains, in_time);
    let mean = gains.iter().sum::<f64>() / gains.len() as f64;
    mean > errors * error_of(interval)
}

fn mean(parts: &[(u32, f64)]) -> f64 {
    parts.iter().map(|part| part.1).sum::<f64>() / parts.len().max(1) as f64
}
