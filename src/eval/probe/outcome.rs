//! The results of a probe: figures to print and to write as JSON.

use crate::eval::probe::bootstrap::interval;
use crate::eval::probe::metrics::{Confused, Confusion};
use crate::eval::probe::projection::Map;
use crate::eval::probe::protocol::Protocol;
use serde::Serialize;
use std::fmt;

/// The result of a probe, one row for each set of features.
#[derive(Debug, Clone, Serialize)]
pub struct ProbeOutcome {
    /// What was classified.
    pub protocol: Protocol,
    /// What is counted: `utterances`, or `images`.
    pub unit: &'static str,
    /// The probe: `linear`, or `hidden 128`.
    pub probe: String,
    /// Where the labels come from: a file, or `speaker`.
    pub labels: String,
    /// How many folds, if it was cross-validated.
    pub folds: Option<usize>,
    /// What was trained on (all that was, in some fold).
    pub train: Part,
    /// What was tested.
    pub test: Part,
    /// How many classes there are.
    pub classes: usize,
    /// The accuracy of guessing with equal chances: 1 / classes.
    pub chance: f64,
    /// The accuracy of always saying the most frequent class of the training rows.
    pub majority: f64,
    /// A row for each set of features.
    pub rows: Vec<ProbeRow>,
    /// What a reader of the figures should know.
    pub remarks: Vec<String>,
}

/// How much was trained on or tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Part {
    /// Utterances.
    pub utterances: usize,
    /// Rows of them.
    pub rows: usize,
}

/// What one set of features is worth.
#[derive(Debug, Clone, Serialize)]
pub struct ProbeRow {
    /// The name of the features.
    pub features: String,
    /// Values of a frame.
    pub dim: usize,
    /// The share of test rows that were classified rightly.
    pub accuracy: f64,
    /// Its 95 % interval, by bootstrap over utterances; none of a single utterance.
    pub ci95: Option<[f64; 2]>,
    /// The mean F1 of the classes.
    pub macro_f1: f64,
    /// The penalty (the median over folds).
    pub l2: f64,
    /// Steps of the optimizer (over all folds).
    pub iterations: usize,
    /// Whether training converged.
    pub converged: bool,
    /// The recall of each class.
    pub recalls: Vec<Recall>,
    /// The pairs that were confused most often.
    pub confused: Vec<Confused>,
    /// How often each class (row) was classified as each class (column), in the order of `recalls`.
    #[serde(skip)]
    pub confusion: Vec<Vec<u64>>,
    /// A map of test rows, if requested.
    #[serde(skip)]
    pub map: Option<Map>,
}

impl ProbeRow {
    /// The figures of a confusion matrix of the classes `names`. `items` holds, for each utterance, the number of correctly classified
    /// rows and of all rows. `penalties`, `iterations` and `converged` describe the training.
    pub(crate) fn new(
        features: &str,
        dim: usize,
        (confusion, names): (&Confusion, &[String]),
        (items, seed): (&[(u64, u64)], u64),
        (mut penalties, iterations, converged): (Vec<f64>, usize, bool),
    ) -> ProbeRow {
        penalties.sort_by(f64::total_cmp);
        let recalls = names.iter().enumerate();
        ProbeRow {
            features: features.to_string(),
            dim,
            accuracy: confusion.accuracy(),
            ci95: interval(items, seed),
            macro_f1: confusion.macro_f1(),
            l2: penalties.get(penalties.len() / 2).copied().unwrap_or_default(),
            iterations,
            converged,
            recalls: recalls
                .map(|(c, name)| Recall { class: name.clone(), recall: confusion.recall(c), count: confusion.count(c) })
                .collect(),
            confused: confusion.confused(names, 10),
            confusion: confusion.rows(),
            map: None,
        }
    }
}

/// How often one class was recognized.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Recall {
    /// The class.
    pub class: String,
    /// The share of its test rows that were classified correctly; none if it has no test rows.
    pub recall: Option<f64>,
    /// Number of its test rows.
    pub count: u64,
}

/// Number of confused pairs shown in the text for each set of features.
const PAIRS: usize = 5;

impl fmt::Display for ProbeOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_figures(f, self.rows.iter())?;
        let folds = self.folds.map_or(String::new(), |k| format!(", {k} folds"));
        let part = |p: &Part| match self.unit {
            "utterances" => format!("{} utterances, {} rows", p.utterances, p.rows),
            unit => format!("{} {unit}", p.rows),
        };
        writeln!(f)?;
        writeln!(f, "chance    {:>6.2} %  ({} classes)", 100.0 * self.chance, self.classes)?;
        writeln!(f, "majority  {:>6.2} %", 100.0 * self.majority)?;
        match self.unit {
            "utterances" => {
                writeln!(f, "protocol  {}, {} probe{folds}; labels {}", self.protocol.name(), self.probe, self.labels)?;
            }
            _ => writeln!(f, "probe     {}; labels {}", self.probe, self.labels)?,
        }
        writeln!(f, "train     {}", part(&self.train))?;
        writeln!(f, "test      {}", part(&self.test))?;
        write_confused(f, self.rows.iter())?;
        for remark in &self.remarks {
            writeln!(f, "note      {remark}")?;
        }
        Ok(())
    }
}

/// Writes the table of the figures, one line for each set of features.
pub(crate) fn write_figures<'r>(
    f: &mut fmt::Formatter<'_>,
    rows: impl Iterator<Item = &'r ProbeRow> + Clone,
) -> fmt::Result {
    let width = rows.clone().map(|r| r.features.chars().count()).max().unwrap_or(0).max("features".len());
    writeln!(f, "{:width$}  {:>5}  accuracy  95 % interval  macro-F1        l2", "features", "dim")?;
    for row in rows {
        let interval = row.ci95.map_or("-".into(), |[low, high]| format!("{:.2} - {:.2}", 100.0 * low, 100.0 * high));
        writeln!(
            f,
            "{:width$}  {:>5}  {:>6.2} %  {interval:>13}  {:>6.2} %  {:>8}",
            row.features,
            row.dim,
            100.0 * row.accuracy,
            100.0 * row.macro_f1,
            format!("{}", row.l2),
        )?;
    }
    Ok(())
}

/// Writes the pairs that were confused most often, one line for each set of features.
pub(crate) fn write_confused<'r>(f: &mut fmt::Formatter<'_>, rows: impl Iterator<Item = &'r ProbeRow>) -> fmt::Result {
    for row in rows.filter(|r| !r.confused.is_empty()) {
        let pair = |c: &Confused| format!("{} as {} {:.1} %", c.truth, c.predicted, 100.0 * c.share);
        let pairs: Vec<String> = row.confused.iter().take(PAIRS).map(pair).collect();
        writeln!(f, "confused  {}: {}", row.features, pairs.join(", "))?;
    }
    Ok(())
}
