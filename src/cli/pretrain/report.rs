//! What a run says when it is done.

use super::subject::Subject;
use crate::cli::Terminal;
use crate::error::Result;
use crate::train::Finished;
use crate::train::metrics::Figures;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// What a run prints when it is done.
#[derive(Serialize)]
struct Report<'a> {
    run: &'a Path,
    model: &'a Path,
    steps: u64,
    /// Where the figures come from: `validation` (the best one) or `training` (the last line).
    on: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    frame_seconds: Option<f64>,
    figures: &'a Figures,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    concluded: &'a BTreeMap<&'static str, f64>,
    skipped: Vec<String>,
}

/// The figures to tell: what they were taken on, after how many updates, and they themselves.
pub(super) fn best(finished: &Finished) -> Option<(&'static str, u64, &Figures)> {
    match (&finished.valid, &finished.train) {
        (Some(valid), _) => Some(("validation", valid.step, &valid.figures)),
        (None, Some(train)) => Some(("training", train.step, &train.figures)),
        (None, None) => None,
    }
}

pub(super) fn report<S: Subject>(
    config: &S,
    run: &Path,
    finished: &Finished,
    concluded: &BTreeMap<&'static str, f64>,
    terminal: &Terminal,
) -> Result<()> {
    let skipped: Vec<String> = finished.skipped.iter().map(ToString::to_string).collect();
    if !skipped.is_empty() {
        terminal.warning(&format!("{} files could not be read and were left out", skipped.len()));
    }
    let Some((on, step, figures)) = best(finished) else {
        return terminal.result(&format!("nothing left to do: {} steps are made\n", finished.steps));
    };
    let report = Report {
        run,
        model: &finished.model,
        steps: finished.steps,
        on,
        frame_seconds: config.frame_seconds(),
        figures,
        concluded,
        skipped,
    };
    let named = match on {
        "validation" => format!("The best validation, after {step} steps"),
        _ => format!("Training, the last steps up to {step}"),
    };
    let mut table =
        if figures.loss_per_step.is_empty() { by_name(&named, figures) } else { by_step(&named, config, figures) };
    if !concluded.is_empty() {
        table.push_str("\nThe model after the last step:\n");
        concluded.iter().for_each(|(name, value)| table.push_str(&named_line(name, *value)));
    }
    let _ = writeln!(table, "\nmodel: {}", finished.model.display());
    terminal.result_or_json(&report, &table)
}

/// The figures of a model without steps.
fn by_name(named: &str, figures: &Figures) -> String {
    let mut table = format!("{named}: loss {:.4}\n\n", figures.loss);
    figures.named.iter().for_each(|(name, value)| table.push_str(&named_line(name, *value)));
    table
}

/// A figure in a line, with the unit that its name implies.
fn named_line(name: &str, value: f64) -> String {
    let words = name.replace('_', " ");
    if name.ends_with("accuracy") || name.ends_with("error") {
        format!("  {words:<20} {:>9.2} %\n", 100.0 * value)
    } else if value.fract() == 0.0 && value.abs() >= 1.0 {
        format!("  {words:<20} {value:>6}\n")
    } else {
        format!("  {words:<20} {value:>9.4}\n")
    }
}

/// The figures of every step k.
fn by_step<S: Subject>(named: &str, config: &S, figures: &Figures) -> String {
    let mut table = String::new();
    let _ = writeln!(table, "{named}: mean loss {:.4} nats\n", figures.loss);
    let _ = writeln!(table, "  k   ahead    loss   bound  accuracy  times chance");
    for (i, (loss, accuracy)) in figures.loss_per_step.iter().zip(&figures.accuracy_per_step).enumerate() {
        let _ = writeln!(
            table,
            "{:>3}  {:>7}  {loss:>6.3}  {:>6.3}  {:>7.2} %  {:>11.1} x",
            i + 1,
            config.ahead(i + 1),
            figures.bound_per_step[i],
            accuracy * 100.0,
            accuracy / figures.chance
        );
    }
    let candidates = (1.0 / figures.chance).round();
    let _ = writeln!(
        table,
        "\nloss and bound in nats; chance, one of {candidates:.0}: loss {:.3}, accuracy {:.2} %",
        (1.0 / figures.chance).ln(),
        figures.chance * 100.0
    );
    let _ = writeln!(
        table,
        "bound: log({candidates:.0}) - loss, so much information or more has c about z that far ahead (an estimate: negatives of one batch are alike)"
    );
    table
}
