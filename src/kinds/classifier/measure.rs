//! How well a classifier does on recordings that it was not trained on.

use super::examples::Shop;
use super::files::ClassifierModelConfig;
use super::network::ClassifierNetwork;
use crate::error::Result;
use crate::eval::probe::bootstrap::interval_of;
use crate::eval::ranking::macro_auroc;
use crate::nn::Phase;
use candle_core::{D, DType, Device};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Windows that are classified at once.
const AT_ONCE: usize = 64;

/// How often the tested units are resampled.
const DRAWS: u64 = 1000;

/// A figure, with its 95 % interval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// Its name: accuracy, macro_f1 or macro_auroc; phone_error_rate, character_error_rate or word_error_rate of transcripts.
    pub name: String,
    /// Its value, from 0 to 1; an error rate may be more than 1.
    pub value: f64,
    /// By bootstrap over subjects, or over recordings of one subject; none of a single one.
    pub ci95: Option<[f64; 2]>,
}

/// What a classifier does on tested recordings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// What was classified: recordings, images or sentences.
    #[serde(default = "recordings")]
    pub items: String,
    /// The number of those tested.
    #[serde(alias = "recordings")]
    pub tested: usize,
    /// The number of those trained on, those for validation included.
    pub trained_on: usize,
    /// The classes.
    pub classes: Vec<String>,
    /// The figures; the first is the one to compare.
    pub figures: Vec<Figure>,
}

/// What earlier versions classified.
fn recordings() -> String {
    "recordings".into()
}

/// A figure as it is printed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shown(pub f64, pub Option<[f64; 2]>);

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let percent = |x: f64| format!("{:.1}", 100.0 * x);
        match self.1 {
            Some([low, high]) => write!(f, "{} % ({} - {})", percent(self.0), percent(low), percent(high)),
            None => write!(f, "{} %", percent(self.0)),
        }
    }
}

/// The probabilities of the classes of recordings: the mean over the windows of each.
///
/// # Errors
/// A recording cannot be read.
pub(super) fn probabilities(
    network: &ClassifierNetwork,
    model: &ClassifierModelConfig,
    shop: &Shop,
    recordings: &[usize],
    device: &Device,
    progress: &dyn Fn(usize),
) -> Result<Vec<Vec<f64>>> {
    let classes = model.classes.len();
    let mut sums = vec![vec![0.0; classes]; recordings.len()];
    let mut windows: Vec<usize> = vec![0; recordings.len()];
    let mut waiting: Vec<(usize, (usize, u64))> = Vec::new();
    let mut flush = |waiting: &mut Vec<(usize, (usize, u64))>| -> Result<()> {
        if waiting.is_empty() {
            return Ok(());
        }
        let rows: Vec<(usize, u64)> = waiting.iter().map(|(_, row)| *row).collect();
        let scores = network.scores(&shop.at(&rows)?, Phase::Eval, device)?.scores;
        let shares = match model.multi_label {
            true => candle_nn::ops::sigmoid(&scores)?,
            false => candle_nn::ops::softmax(&scores, D::Minus1)?,
        };
        for ((n, _), row) in waiting.drain(..).zip(shares.to_dtype(DType::F64)?.to_vec2::<f64>()?) {
            windows[n] += 1;
            sums[n].iter_mut().zip(row).for_each(|(sum, p)| *sum += p);
        }
        Ok(())
    };
    for (n, &i) in recordings.iter().enumerate() {
        for row in shop.covering(i) {
            waiting.push((n, row));
            if waiting.len() == AT_ONCE {
                flush(&mut waiting)?;
            }
        }
        progress(n + 1);
    }
    flush(&mut waiting)?;
    for (sums, n) in sums.iter_mut().zip(windows) {
        sums.iter_mut().for_each(|p| *p /= n.max(1) as f64);
    }
    Ok(sums)
}

/// Figures of tested recordings. `units` names what each belongs to, which is resampled for the intervals.
pub(super) fn figures(
    probabilities: &[Vec<f64>],
    truth: &[Vec<bool>],
    units: &[String],
    multi_label: bool,
    seed: u64,
) -> Vec<Figure> {
    type Of = fn(&[usize], &[Vec<f64>], &[Vec<bool>]) -> Option<f64>;
    let wanted: &[(&str, Of)] = match multi_label {
        true => &[("macro_auroc", area), ("macro_f1", several_f1)],
        false => &[("accuracy", accuracy), ("macro_f1", one_f1), ("macro_auroc", area)],
    };
    wanted
        .iter()
        .filter_map(|(name, of)| Figure::new(name, units, seed, |rows| of(rows, probabilities, truth)))
        .collect()
}

impl Figure {
    /// A figure of rows, `of` their numbers, with its interval by bootstrap over the `units` that the rows belong to; none if it is not defined.
    pub(super) fn new(name: &str, units: &[String], seed: u64, of: impl Fn(&[usize]) -> Option<f64>) -> Option<Figure> {
        let mut by_unit: BTreeMap<&String, Vec<usize>> = BTreeMap::new();
        units.iter().enumerate().for_each(|(i, unit)| by_unit.entry(unit).or_default().push(i));
        let by_unit: Vec<Vec<usize>> = by_unit.into_values().collect();
        let value = of(&(0..units.len()).collect::<Vec<_>>())?;
        let drawn = |units: &[usize]| {
            let rows: Vec<usize> = units.iter().flat_map(|&unit| by_unit[unit].iter().copied()).collect();
            of(&rows)
        };
        let ci95 = interval_of(by_unit.len(), DRAWS, "finetune/bootstrap", seed, drawn);
        Some(Figure { name: name.into(), value, ci95 })
    }
}

fn largest(row: &[f64]) -> usize {
    row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(&a.0))).map_or(0, |(k, _)| k)
}

fn accuracy(rows: &[usize], p: &[Vec<f64>], truth: &[Vec<bool>]) -> Option<f64> {
    let right = rows.iter().filter(|&&i| truth[i][largest(&p[i])]).count();
    (!rows.is_empty()).then(|| right as f64 / rows.len() as f64)
}

fn area(rows: &[usize], p: &[Vec<f64>], truth: &[Vec<bool>]) -> Option<f64> {
    let scores: Vec<&[f64]> = rows.iter().map(|&i| p[i].as_slice()).collect();
    let has: Vec<&[bool]> = rows.iter().map(|&i| truth[i].as_slice()).collect();
    macro_auroc(&scores, &has)
}

fn one_f1(rows: &[usize], p: &[Vec<f64>], truth: &[Vec<bool>]) -> Option<f64> {
    f1(rows, truth, |i, k| largest(&p[i]) == k)
}

fn several_f1(rows: &[usize], p: &[Vec<f64>], truth: &[Vec<bool>]) -> Option<f64> {
    f1(rows, truth, |i, k| p[i][k] > 0.5)
}

/// The mean over the classes of 2 right / (has + said), of the classes that some row has or is said to have.
fn f1(rows: &[usize], truth: &[Vec<bool>], said: impl Fn(usize, usize) -> bool) -> Option<f64> {
    let classes = truth.first().map_or(0, Vec::len);
    let of = |k: usize| {
        let (mut right, mut all) = (0, 0);
        for &i in rows {
            let (has, said) = (truth[i][k], said(i, k));
            right += usize::from(has && said);
            all += usize::from(has) + usize::from(said);
        }
        (all > 0).then(|| 2.0 * right as f64 / all as f64)
    };
    let each: Vec<f64> = (0..classes).filter_map(of).collect();
    (!each.is_empty()).then(|| each.iter().sum::<f64>() / each.len() as f64)
}

/// The truth of recordings, as booleans of the classes.
pub(super) fn truth(shop: &Shop, recordings: &[usize]) -> Vec<Vec<bool>> {
    recordings.iter().map(|&i| shop.targets.row(i).iter().map(|v| *v > 0.5).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_those_of_the_rows_and_their_intervals_of_the_units() {
        let p = vec![vec![0.9, 0.1], vec![0.4, 0.6], vec![0.3, 0.7], vec![0.6, 0.4]];
        let truth: Vec<Vec<bool>> = [0, 0, 1, 1].iter().map(|&k| (0..2).map(|j| j == k).collect()).collect();
        let units: Vec<String> = ["a", "a", "b", "b"].map(String::from).into();
        let found = figures(&p, &truth, &units, false, 1);
        let names: Vec<&str> = found.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["accuracy", "macro_f1", "macro_auroc"]);
        assert_eq!((found[0].value, found[0].ci95), (0.5, Some([0.5, 0.5])));
        assert_eq!(found[2].value, 0.75);
        let one = figures(&p, &truth, &vec!["a".to_string(); 4], true, 1);
        assert_eq!((one[0].name.as_str(), one[0].ci95), ("macro_auroc", None));
        assert_eq!(Shown(0.5, Some([0.4, 0.61])).to_string(), "50.0 % (40.0 - 61.0)");
    }
}
