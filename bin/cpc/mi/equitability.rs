//! `cpc mi selfcheck --equitability`: whether estimates depend on nothing but the information.

use super::picture;
use crate::console::bar;
use crate::terminal::Terminal;
use cpc::error::Result;
use cpc::mi::equitability::{Case, LEVELS, Map, Relation};
use cpc::mi::estimate::{Estimator, Settings};
use cpc::mi::parallel::in_parallel;
use cpc::report::plot::{Color, Figure, Panel, Series, Style};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::Path;

/// Estimates of all cases by one estimator; NaN where there is none.
struct Row {
    estimator: Estimator,
    nats: Vec<f64>,
}

impl Row {
    /// The estimates of a relation, by level.
    fn of(&self, relation: usize) -> &[f64] {
        &self.nats[Map::ALL.len() + relation * LEVELS.len()..][..LEVELS.len()]
    }

    /// The smallest and the largest estimate over all relations at a level.
    fn range(&self, level: usize) -> [f64; 2] {
        let at = |relation: usize| self.of(relation)[level];
        let all = || (0..Relation::ALL.len()).map(at);
        [all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max)]
    }
}

/// Runs the estimators on all cases, and prints and draws the results.
pub(super) fn run(
    estimators: &[Estimator],
    n: usize,
    settings: &Settings,
    svg: Option<&Path>,
    terminal: &Terminal,
) -> Result<()> {
    let cases = Case::all();
    let bar = bar(terminal, (cases.len() * estimators.len()) as u64, " estimates");
    let job = |i: usize| {
        let (estimator, case) = (estimators[i / cases.len()], cases[i % cases.len()]);
        Ok(case.estimate(estimator, n, settings).map_err(|e| format!("{estimator}: {e}")))
    };
    let found = in_parallel(cases.len() * estimators.len(), job, |_| bar.inc(1))?;
    bar.finish_and_clear();
    found.iter().filter_map(|found| found.as_ref().err()).for_each(|what| terminal.warning(what));
    let nats: Vec<f64> = found.into_iter().map(|found| found.unwrap_or(f64::NAN)).collect();
    let rows: Vec<Row> = estimators
        .iter()
        .zip(nats.chunks(cases.len()))
        .map(|(estimator, nats)| Row { estimator: *estimator, nats: nats.to_vec() })
        .collect();
    if let Some(path) = svg {
        picture::write(path, &figure(&rows, n))?;
    }
    terminal.result_or_json(&json(&rows, n), &text(&rows, n))
}

fn text(rows: &[Row], n: usize) -> String {
    let mut text = format!("{:<24}  {:>6}", "normal pair", "truth");
    for row in rows {
        write!(text, "  {:>8}", row.estimator.to_string()).ok();
    }
    for (i, map) in Map::ALL.iter().enumerate() {
        write!(text, "\n  {:<22}  {:>6.3}", map.name(), Map::truth()).ok();
        for row in rows {
            write!(text, "  {:>8.3}", row.nats[i]).ok();
        }
    }
    text.push('\n');
    for row in rows {
        write!(text, "\n{:<24}", format!("{}, y = f(x) + noise", row.estimator)).ok();
        for level in LEVELS {
            write!(text, "  {level:>6.2}").ok();
        }
        for (i, relation) in Relation::ALL.iter().enumerate() {
            write!(text, "\n  {:<22}", relation.name()).ok();
            for nats in row.of(i) {
                write!(text, "  {nats:>6.3}").ok();
            }
        }
        write!(text, "\n  {:<22}", "largest - smallest").ok();
        for level in 0..LEVELS.len() {
            let [low, high] = row.range(level);
            write!(text, "  {:>6.3}", high - low).ok();
        }
        text.push('\n');
    }
    writeln!(text, "\n{n} rows, in nats; the truth is at the head of each column").ok();
    text
}

fn json(rows: &[Row], n: usize) -> Value {
    let of = |row: &Row| {
        let maps: Vec<Value> =
            Map::ALL.iter().zip(&row.nats).map(|(map, nats)| json!({ "map": map.name(), "nats": nats })).collect();
        let relations: Vec<Value> = Relation::ALL
            .iter()
            .enumerate()
            .map(|(i, relation)| json!({ "relation": relation.name(), "nats": row.of(i) }))
            .collect();
        json!({ "estimator": row.estimator.to_string(), "maps": maps, "relations": relations })
    };
    let estimators: Vec<Value> = rows.iter().map(of).collect();
    json!({ "rows": n, "truth_of_maps": Map::truth(), "levels": LEVELS, "estimators": estimators })
}

fn figure(rows: &[Row], n: usize) -> Figure {
    let truth = LEVELS.map(|level| (level, level)).to_vec();
    let top = LEVELS[LEVELS.len() - 1] * 1.2;
    let panels = rows.iter().map(|row| {
        let line = |(i, relation): (usize, &Relation)| {
            let points = LEVELS.into_iter().zip(row.of(i).iter().copied()).collect();
            Series::new(relation.name(), points, Style::Line).colored(Color::Hue(i))
        };
        let mut series: Vec<Series> = Relation::ALL.iter().enumerate().map(line).collect();
        series.push(Series::new("truth", truth.clone(), Style::Line).colored(Color::Ink));
        Panel {
            title: row.estimator.to_string(),
            x_label: "true nats".into(),
            y_label: "estimate".into(),
            series,
            y_range: Some((0.0, top)),
            ..Panel::default()
        }
    });
    let title = format!("y = f(x) + noise, {n} rows: one estimate for one truth?");
    Figure { title: Some(title), panels: panels.collect(), columns: 4, share_y: true }
}
