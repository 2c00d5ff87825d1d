//! `cpc mi selfcheck --equitability`: whether estimates depend on nothing but the information.

use crate::command::console::bar;
use crate::command::terminal::Terminal;
use crate::error::Result;
use crate::mi::equitability::{Case, LEVELS, Map, Relation};
use crate::mi::estimate::{Estimator, Settings};
use crate::mi::parallel::{go_on, in_parallel};
use crate::report::plot::{Color, Figure, Panel, Series, Style};
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

    /// The largest less the smallest estimate over all relations at a level; NaN if one has none.
    fn spread(&self, level: usize) -> f64 {
        let mut all: Vec<f64> = (0..Relation::ALL.len()).map(|relation| self.of(relation)[level]).collect();
        all.sort_by(f64::total_cmp); // what is not a number comes last
        all[all.len() - 1] - all[0]
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
    let bar = bar(terminal, (cases.len() * estimators.len()) as u64, "estimates");
    let job = |i: usize| {
        let (estimator, case) = (estimators[i / cases.len()], cases[i % cases.len()]);
        let found = case.estimate(estimator, n, settings);
        go_on()?;
        Ok(found.map_err(|e| format!("{estimator}, {}: {e}", case.label())))
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
    terminal.picture(svg, || figure(&rows, n).svg())?;
    terminal.result_or_json(&json(&rows, n), &text(&rows, n))
}

fn text(rows: &[Row], n: usize) -> String {
    let names: Vec<String> = rows.iter().map(|row| row.estimator.to_string()).collect();
    let cell = names.iter().map(String::len).max().unwrap_or(0).max(6);
    let head = |name: &str| format!("{name}, y = f(x) + noise");
    let first = names.iter().map(|name| head(name).len()).max().unwrap_or(0).max(24);
    let shown = |nats: f64| if nats.is_nan() { "-".into() } else { format!("{nats:.3}") };
    let mut text = format!("{:<first$}  {:>6}", "normal pair", "truth");
    for name in &names {
        write!(text, "  {name:>cell$}").ok();
    }
    for (i, map) in Map::ALL.iter().enumerate() {
        write!(text, "\n{:<first$}  {:>6.3}", format!("  {}", map.name()), Map::truth()).ok();
        for row in rows {
            write!(text, "  {:>cell$}", shown(row.nats[i])).ok();
        }
    }
    text.push('\n');
    for (name, row) in names.iter().zip(rows) {
        write!(text, "\n{:<first$}", head(name)).ok();
        for level in LEVELS {
            write!(text, "  {level:>6.2}").ok();
        }
        let mut line = |name: &str, values: &mut dyn Iterator<Item = f64>| {
            write!(text, "\n{:<first$}", format!("  {name}")).ok();
            for nats in values {
                write!(text, "  {:>6}", shown(nats)).ok();
            }
        };
        for (i, relation) in Relation::ALL.iter().enumerate() {
            line(relation.name(), &mut row.of(i).iter().copied());
        }
        line("largest - smallest", &mut (0..LEVELS.len()).map(|level| row.spread(level)));
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
