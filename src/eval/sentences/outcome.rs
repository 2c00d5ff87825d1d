//! The results for sentence vectors: a table to print, and the same figures as JSON.

use crate::eval::probe::outcome::{ProbeRow as Figures, write_confused, write_figures};
use serde::Serialize;
use std::fmt;

/// The result of a task, a row for each representation.
#[derive(Debug, Clone, Serialize)]
pub struct SentenceOutcome {
    /// The name of the task.
    pub task: String,
    /// Whether pairs were classified, by [|a - b|, a * b], or sentences.
    pub pairs: bool,
    /// How many folds, if it was cross-validated.
    pub folds: Option<usize>,
    /// Sentences or pairs that were trained on (all that were, in some fold).
    pub train: usize,
    /// Sentences or pairs that were tested.
    pub test: usize,
    /// The labels, in the order of the rows and columns of the confusions.
    pub classes: Vec<String>,
    /// The accuracy of guessing with equal chances: 1 / classes.
    pub chance: f64,
    /// The accuracy of always saying the most frequent label of the training part.
    pub majority: f64,
    /// A row for each representation.
    pub rows: Vec<Row>,
    /// What a reader of the figures should know.
    pub remarks: Vec<String>,
}

/// What one representation is worth.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// Accuracy over all that was tested (the mean of the folds, whose sizes differ by one at most), its 95 % interval by
    /// bootstrap over sentences or pairs, and what a probe tells besides.
    #[serde(flatten)]
    pub figures: Figures,
    /// The accuracy in each fold.
    pub fold_accuracies: Vec<f64>,
    /// How often each class (row) was taken for which (column).
    pub confusion: Vec<Vec<u64>>,
}

impl fmt::Display for SentenceOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let figures = || self.rows.iter().map(|row| &row.figures);
        write_figures(f, figures())?;
        let what = if self.pairs { "pairs" } else { "sentences" };
        writeln!(f)?;
        writeln!(f, "chance    {:>6.2} %  ({} classes)", 100.0 * self.chance, self.classes.len())?;
        writeln!(f, "majority  {:>6.2} %", 100.0 * self.majority)?;
        match self.folds {
            Some(folds) => writeln!(f, "task      {}: {} {what}, {folds} folds", self.task, self.test)?,
            None => writeln!(f, "task      {}: {} {what} to train on, {} to test", self.task, self.train, self.test)?,
        }
        for row in self.rows.iter().filter(|row| row.fold_accuracies.len() > 1) {
            let each: Vec<String> = row.fold_accuracies.iter().map(|a| format!("{:.1}", 100.0 * a)).collect();
            writeln!(f, "folds     {}: {}", row.figures.features, each.join(" "))?;
        }
        write_confused(f, figures())?;
        for remark in &self.remarks {
            writeln!(f, "note      {remark}")?;
        }
        Ok(())
    }
}
