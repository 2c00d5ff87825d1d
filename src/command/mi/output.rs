//! The output of estimates.

use crate::command::terminal::Terminal;
use crate::durable;
use crate::error::{Error, Result};
use crate::features::NpyWriter;
use crate::mi::Estimate;
use crate::mi::discrete::Unit;
use crate::mi::input::Pair;
use crate::mi::permutation::Null;
use crate::report::plot::{Color, Figure, Panel, Series, Style};
use serde::Serialize;
use std::fmt::Write;
use std::path::Path;

/// An estimate as it is printed.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    estimator: String,
    estimate: f64,
    unit: String,
    ci95: Option<[f64; 2]>,
    /// `lower bound`, `upper bound` or `estimate`.
    bound: String,
    n: usize,
    method: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ceiling: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    train: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    held_out: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    spread_of_repeats: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p_value: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    null_mean: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    candidates: Vec<ShownCandidate>,
    warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
struct ShownCandidate {
    name: String,
    held_out: Option<f64>,
    estimate: f64,
}

impl Shown {
    pub(super) fn new(estimate: &Estimate, null: Option<&Null>, spread: Option<f64>, unit: Unit) -> Shown {
        let of = |nats: f64| unit.of(nats);
        Shown {
            estimator: estimate.estimator.to_string(),
            estimate: of(estimate.nats),
            unit: unit.to_string(),
            ci95: estimate.ci95.map(|ci| ci.map(of)),
            bound: estimate.kind.to_string(),
            n: estimate.n,
            method: estimate.method.clone(),
            ceiling: estimate.ceiling.map(of),
            train: estimate.gap.map(|gap| of(gap[0])).filter(|v| v.is_finite()),
            held_out: estimate.gap.map(|gap| of(gap[1])).filter(|v| v.is_finite()),
            spread_of_repeats: spread.map(of),
            p_value: null.map(|null| null.p_value),
            null_mean: null.map(|null| of(null.mean)),
            candidates: estimate
                .candidates
                .iter()
                .map(|c| ShownCandidate { name: c.name.clone(), held_out: c.held_out.map(of), estimate: of(c.nats) })
                .collect(),
            warnings: estimate.warnings.clone(),
        }
    }

    fn interval(&self) -> String {
        self.ci95.map_or("-".into(), |[low, high]| format!("{low:.3} .. {high:.3}"))
    }
}

/// Prints one estimate, or a table of several.
pub(super) fn show(
    terminal: &Terminal,
    pair: &Pair,
    shown: &[Shown],
    unit: Unit,
    plain: bool,
    table: bool,
) -> Result<()> {
    for one in shown {
        for warning in &one.warnings {
            terminal.warning(&format!("{}: {warning}", one.estimator));
        }
    }
    if plain {
        let lines: String = shown.iter().map(|one| format!("{}\n", one.estimate)).collect();
        return terminal.result(&lines);
    }
    match shown {
        [one] if !table => terminal.result_or_json(one, &text(pair, one)),
        _ => terminal.result_or_json(&shown, &compared(pair, shown, unit)),
    }
}

fn names(names: &[String]) -> String {
    match names.len() {
        0..=4 => names.join(", "),
        n => format!("{}, {}, ... {} ({n} columns)", names[0], names[1], names[n - 1]),
    }
}

fn heading(pair: &Pair) -> String {
    let given = if pair.z.is_some() { format!("Z  {}\n", names(&pair.names[2])) } else { String::new() };
    format!("X  {}\nY  {}\n{given}{} rows\n\n", names(&pair.names[0]), names(&pair.names[1]), pair.x.len())
}

fn text(pair: &Pair, one: &Shown) -> String {
    let mut text = heading(pair);
    let what = if pair.z.is_some() { "I(X; Y|Z)" } else { "I(X; Y)" };
    writeln!(text, "{what:<9} {:.4} {}   ({})", one.estimate, one.unit, one.bound).ok();
    if one.ci95.is_some() {
        writeln!(text, "95 %      {}", one.interval()).ok();
    }
    writeln!(text, "by        {}", one.method).ok();
    if let Some(spread) = one.spread_of_repeats {
        writeln!(text, "repeats   standard deviation {spread:.4}").ok();
    }
    if let (Some(p), Some(mean)) = (one.p_value, one.null_mean) {
        writeln!(
            text,
            "p-value   {p:.4}; {mean:.4} on average with Y shuffled{}",
            if pair.z.is_some() { " given Z" } else { "" }
        )
        .ok();
    }
    if !one.candidates.is_empty() {
        let width = one.candidates.iter().map(|c| c.name.chars().count()).max().unwrap_or(0);
        writeln!(text, "\n{:<width$}  held-out  estimate", "chosen from").ok();
        for candidate in &one.candidates {
            let held_out = candidate.held_out.map_or("-".into(), |v| format!("{v:.4}"));
            writeln!(text, "{:<width$}  {held_out:>8}  {:>8.4}", candidate.name, candidate.estimate).ok();
        }
    }
    text
}

fn compared(pair: &Pair, shown: &[Shown], unit: Unit) -> String {
    let mut text = heading(pair);
    let permuted = shown.iter().any(|one| one.p_value.is_some());
    let p_head = if permuted { "  p-value" } else { "" };
    writeln!(text, "{:<9}  {:>8}  {:<18}  {:<11}{p_head}  by", "estimator", unit.to_string(), "95 %", "kind").ok();
    for one in shown {
        let p = match one.p_value {
            Some(p) => format!("  {p:>7.4}"),
            None => String::new(),
        };
        writeln!(
            text,
            "{:<9}  {:>8.4}  {:<18}  {:<11}{p}  {}",
            one.estimator,
            one.estimate,
            one.interval(),
            one.bound,
            one.method
        )
        .ok();
    }
    text
}

/// Writes pointwise values (n, 1), NaN where a row has none.
pub(super) fn pointwise(path: &Path, estimate: &Estimate, n: usize) -> Result<()> {
    if estimate.pointwise.is_empty() {
        let what = format!("{} has no pointwise values", estimate.estimator);
        return Err(Error::usage(what, "omit --pointwise, or choose auto, ksg or a bound"));
    }
    let mut values = vec![f32::NAN; n];
    for &(row, value) in &estimate.pointwise {
        if let Some(slot) = values.get_mut(row as usize) {
            *slot = value as f32;
        }
    }
    let unfinished = durable::unfinished(path)?;
    let mut writer = NpyWriter::create(&unfinished, 1)?;
    writer.write(&values)?;
    writer.finish()?;
    durable::keep(unfinished, path)
}

/// Writes the training curves of critics as CSV, or draws them.
pub(super) fn curves(path: &Path, estimate: &Estimate) -> Result<()> {
    if estimate.curves.is_empty() {
        let what = format!("{} has no training curve", estimate.method);
        return Err(Error::usage(what, "omit --curve, or choose a bound such as infonce"));
    }
    let bytes = match path.extension().and_then(|e| e.to_str()) {
        Some("svg") => drawing(estimate)?,
        Some("csv") => {
            let mut text = String::from("fold,step,train_nats,valid_nats\n");
            for (fold, curve) in estimate.curves.iter().enumerate() {
                for point in curve {
                    writeln!(text, "{fold},{},{},{}", point.step, point.train, point.valid).ok();
                }
            }
            text
        }
        _ => {
            let what = format!("--curve {}: the name ends in neither .csv nor .svg", path.display());
            return Err(Error::usage(what, "name a .csv or a .svg file"));
        }
    };
    durable::write(path, bytes.as_bytes())
}

fn drawing(estimate: &Estimate) -> Result<String> {
    let mut series = Vec::new();
    for (fold, curve) in estimate.curves.iter().enumerate() {
        for (name, style, value) in [
            ("rows trained on", Style::Faint, curve.iter().map(|p| (p.step as f64, p.train)).collect::<Vec<_>>()),
            ("validation rows", Style::Line, curve.iter().map(|p| (p.step as f64, p.valid)).collect()),
        ] {
            let color = if name.starts_with("rows") { Color::Gray } else { Color::Hue(fold) };
            series.push(Series::new(if fold == 0 { name } else { "" }, value, style).colored(color));
        }
    }
    let panel = Panel {
        title: estimate.method.clone(),
        x_label: "updates".into(),
        y_label: "nats".into(),
        series,
        ..Panel::default()
    };
    Figure { title: None, panels: vec![panel], ..Figure::default() }.svg()
}
