//! The probe of several labels a recording: for each label, a logistic regression tells the recordings that have it from those that lack it, and
//! the figure is the mean of the areas under their ROC curves.

use crate::error::{Error, Result};
use crate::eval::probe::bootstrap::interval_of;
use crate::eval::probe::lbfgs::Stop;
use crate::eval::probe::linear::Linear;
use crate::eval::probe::split::Split;
use crate::eval::probe::standardize::standardize;
use crate::eval::probe::study::ProbeTask;
use crate::eval::probe::table::{CHUNK, Table};
use crate::eval::probe::{logistic, penalty};
use crate::eval::ranking::{auroc, macro_auroc};
use crate::features::FeatureSet;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

/// How often the test recordings are resampled.
const DRAWS: u64 = 1000;

/// The labels in a cell, separated by commas, semicolons or bars; `-` is none.
pub fn several(cell: &str) -> Vec<String> {
    let each = cell.split([',', ';', '|']).map(str::trim).filter(|label| !label.is_empty() && *label != "-");
    let set: BTreeSet<&str> = each.collect();
    set.into_iter().map(String::from).collect()
}

/// The result of the probe.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SeveralOutcome {
    /// Where the labels come from.
    pub labels: String,
    /// Training recordings.
    pub train: usize,
    /// Test recordings.
    pub test: usize,
    /// A row for each set of features.
    pub rows: Vec<SeveralRow>,
    /// What a reader of the figures should know.
    pub remarks: Vec<String>,
}

/// What one set of features is worth.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SeveralRow {
    /// The name of the features.
    pub features: String,
    /// Values of a row.
    pub dim: usize,
    /// The mean area under the ROC curves of the labels.
    pub macro_auroc: f64,
    /// Its 95 % interval, by bootstrap over test recordings.
    pub ci95: Option<[f64; 2]>,
    /// The area of each label, and the number of test recordings that have it.
    pub by_label: BTreeMap<String, (Option<f64>, usize)>,
}

/// Probes sets of features, each with a name: the mean of the frames of each recording.
///
/// # Errors
/// The split has folds; a recording has no features or no labels; no label is learned.
pub fn probe_several(
    task: &ProbeTask,
    labels: &HashMap<String, String>,
    sets: &[(String, FeatureSet)],
) -> Result<SeveralOutcome> {
    let Split::Lists { train, test } = &task.split else {
        return Err(Error::usage("--folds is not for --multi-label", "give two lists, --train and --test"));
    };
    let ids: Vec<&String> = train.iter().chain(test).collect();
    let mut has = Vec::with_capacity(ids.len());
    for id in &ids {
        let Some(cell) = labels.get(*id) else {
            return Err(Error::failed(
                format!("{}: has no labels of {id}", task.labels.name()),
                "write `-` for a recording without labels, or take it out of the lists",
            ));
        };
        has.push(several(cell));
    }
    let names: BTreeSet<&String> = has.iter().flatten().collect();
    let (n, mut remarks) = (train.len(), Vec::new());
    let mut wanted = Vec::new();
    for name in names {
        let with = has[..n].iter().filter(|labels| labels.contains(name)).count();
        match with {
            0 => remarks.push(format!("{name}: no training recording has it; it does not count")),
            all if all == n => remarks.push(format!("{name}: all training recordings have it; it does not count")),
            _ => wanted.push(name),
        }
    }
    if wanted.is_empty() {
        return Err(Error::failed(
            format!("{}: no label tells the training recordings apart", task.labels.name()),
            "a label is learned from recordings that have it and others that lack it",
        ));
    }
    let truth: Vec<Vec<bool>> =
        has[n..].iter().map(|labels| wanted.iter().map(|name| labels.contains(name)).collect()).collect();
    if !(0..wanted.len()).any(|k| truth.iter().any(|has| has[k]) && truth.iter().any(|has| !has[k])) {
        return Err(Error::failed(
            format!("{}: no label is had by some test recordings and lacked by others", task.labels.name()),
            "name more recordings in --test",
        ));
    }
    let mut rows = Vec::new();
    for (features, set) in sets {
        let (dim, means) = means(set, &ids)?;
        let mut scores = vec![vec![0.0; wanted.len()]; test.len()];
        for (k, name) in wanted.iter().enumerate() {
            let words: Vec<String> =
                has.iter().map(|labels| if labels.contains(name) { "has" } else { "lacks" }.to_string()).collect();
            let table = Table::of_rows(dim, means.clone(), &words, task.stop.clone())?;
            let items: Vec<usize> = (0..n).collect();
            let standard = standardize(&table, &items)?;
            let (l2, start) = match task.l2 {
                Some(l2) => (l2, logistic::start(&table, &items)),
                None => {
                    let choice = penalty::choose(&table, &items, &standard, task.seed, &|_| {})?;
                    (choice.l2, choice.parameters)
                }
            };
            let stop = Stop { gradient: logistic::TOLERANCE, iterations: logistic::ITERATIONS };
            let found = logistic::fit(&table, &items, &standard, l2, start, stop)?;
            let (model, mut room) = (Linear::new(found.x, dim), Vec::new());
            for (i, scores) in scores.iter_mut().enumerate() {
                let row = table.rows(n + i, &standard)?;
                model.scores(&row, &mut room)?;
                scores[k] = f64::from(room[0]) - f64::from(room[CHUNK]);
            }
        }
        rows.push(row(features, dim, &scores, &truth, &wanted, task.seed));
    }
    Ok(SeveralOutcome { labels: task.labels.name(), train: n, test: test.len(), rows, remarks })
}

/// The mean of the frames of each recording, and their dimension.
fn means(set: &FeatureSet, ids: &[&String]) -> Result<(usize, Vec<f32>)> {
    let (dim, mut all, mut rows) = (set.dim(), Vec::with_capacity(ids.len() * set.dim()), Vec::new());
    for id in ids {
        let Some(at) = set.find(id) else {
            return Err(Error::failed(
                format!("{}: has no features of {id}", set.path().display()),
                "extract them, or take the recording out of the lists",
            ));
        };
        set.read(at, &mut rows)?;
        let frames = (rows.len() / dim).max(1) as f64;
        all.extend((0..dim).map(|j| {
            let sum: f64 = rows.iter().skip(j).step_by(dim).map(|v| f64::from(*v)).sum();
            (sum / frames) as f32
        }));
    }
    Ok((dim, all))
}

fn row(
    features: &str,
    dim: usize,
    scores: &[Vec<f64>],
    truth: &[Vec<bool>],
    names: &[&String],
    seed: u64,
) -> SeveralRow {
    let area = |rows: &[usize]| {
        let scores: Vec<&[f64]> = rows.iter().map(|&i| scores[i].as_slice()).collect();
        let has: Vec<&[bool]> = rows.iter().map(|&i| truth[i].as_slice()).collect();
        macro_auroc(&scores, &has)
    };
    let all: Vec<usize> = (0..scores.len()).collect();
    let by_label = names.iter().enumerate().map(|(k, name)| {
        let column: Vec<f64> = scores.iter().map(|row| row[k]).collect();
        let has: Vec<bool> = truth.iter().map(|row| row[k]).collect();
        ((*name).clone(), (auroc(&column, &has), has.iter().filter(|has| **has).count()))
    });
    SeveralRow {
        features: features.into(),
        dim,
        macro_auroc: area(&all).unwrap_or(f64::NAN),
        ci95: interval_of(all.len(), DRAWS, "probe/bootstrap", seed, area),
        by_label: by_label.collect(),
    }
}

impl fmt::Display for SeveralOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.rows.iter().map(|row| row.features.chars().count()).max().unwrap_or(0).max(8);
        writeln!(f, "{:<width$}  {:>5}  macro AUROC  95 % interval", "features", "dim")?;
        for row in &self.rows {
            let ci = row.ci95.map_or("-".into(), |[a, b]| format!("{a:.3} - {b:.3}"));
            writeln!(f, "{:<width$}  {:>5}  {:>11.3}  {ci}", row.features, row.dim, row.macro_auroc)?;
        }
        let Some(first) = self.rows.first() else { return Ok(()) };
        writeln!(f, "\n{} labels; {} training and {} test recordings", first.by_label.len(), self.train, self.test)?;
        writeln!(f, "{}, by label (test recordings that have it):", first.features)?;
        for (name, (area, count)) in &first.by_label {
            writeln!(f, "  {name}  {} ({count})", area.map_or("-".into(), |area| format!("{area:.3}")))?;
        }
        self.remarks.iter().try_for_each(|remark| writeln!(f, "{remark}"))
    }
}
