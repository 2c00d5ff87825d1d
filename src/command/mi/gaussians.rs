//! `cpc mi gaussians`: estimators compared with the truth, as a function of the correlation.

use crate::command::console::bar;
use crate::command::picture::svg_file;
use crate::command::terminal::Terminal;
use crate::error::Result;
use crate::mi::estimate::{Estimator, Settings, estimate};
use crate::mi::parallel::in_parallel;
use crate::mi::tasks::staircase::Pairs;
use crate::mi::variable::Variable;
use crate::report::plot::{Color, Figure, Panel, Series, Style};
use crate::seed::stream;
use clap::Args;
use serde_json::json;
use std::fmt::Write;
use std::path::PathBuf;

/// Correlations, used with both signs.
const CORRELATIONS: [f64; 8] = [0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99];

/// Options of `cpc mi gaussians`.
#[derive(Debug, Args)]
#[command(
    about = "Compare estimators with the truth for normal columns of any correlation",
    long_about = "Compare estimators with the truth for normal columns. Column i of X and column i of Y have a correlation from -.99 to .99 \
        (Belghazi et al. 2018, figure 1).",
    after_help = "Examples:\n  cpc mi gaussians --svg gaussians.svg\n  cpc mi gaussians --dims 2,5,20 --estimator auto,mine,ksg"
)]
pub(crate) struct Gaussians {
    /// Numbers of columns of X and of Y
    #[arg(long, default_value = "2,20", value_name = "N", value_delimiter = ',')]
    dims: Vec<usize>,
    /// Estimators to compare
    #[arg(long, default_value = "mine,ksg,auto", value_name = "NAME", value_delimiter = ',')]
    estimator: Vec<Estimator>,
    /// Rows per problem
    #[arg(long, default_value = "5000", value_name = "N", value_parser = clap::value_parser!(u32).range(100..=10_000_000))]
    rows: u32,
    /// The random seed
    #[arg(long, default_value = "0", value_name = "N")]
    seed: u64,
    /// Draw the estimates against the correlation to a .svg file
    #[arg(long, value_name = "FILE", value_parser = svg_file())]
    svg: Option<PathBuf>,
}

impl Gaussians {
    pub(crate) fn run(&self, terminal: &Terminal) -> Result<()> {
        let mut rhos: Vec<f64> = CORRELATIONS.iter().rev().map(|r| -r).chain([0.0]).chain(CORRELATIONS).collect();
        rhos.dedup();
        let each = rhos.len() * self.estimator.len();
        let total = self.dims.len() * each;
        let bar = bar(terminal, total as u64, "runs");
        let truth = |dim: usize, rho: f64| -0.5 * dim as f64 * (1.0 - rho * rho).ln();
        let job = |i: usize| {
            let (d, rest) = (i / each, i % each);
            let (r, e) = (rest / self.estimator.len(), rest % self.estimator.len());
            let (dim, rho) = (self.dims[d], rhos[r]);
            let pairs = Pairs::of_correlation(dim, rho)?;
            let (x, y) = pairs
                .sample(self.rows as usize, &mut stream(self.seed, "mi/gaussians", (d * rhos.len() + r) as u64))?;
            let settings = Settings { seed: self.seed, ..Settings::default() };
            Ok(estimate(&Variable::Numbers(x), &Variable::Numbers(y), self.estimator[e], &settings)
                .map_or_else(|e| Err(e.to_string()), |found| Ok(found.nats)))
        };
        let found = in_parallel(total, job, |_| bar.inc(1))?;
        bar.finish_and_clear();
        let value = |d: usize, r: usize, e: usize| &found[d * each + r * self.estimator.len() + e];
        let (mut text, mut rows, mut panels) = (String::new(), Vec::new(), Vec::new());
        for (d, &dim) in self.dims.iter().enumerate() {
            write!(text, "{:<14}{:>8}", format!("{dim} + {dim} columns"), "truth").ok();
            self.estimator.iter().for_each(|e| {
                write!(text, "  {:>9}", e.to_string()).ok();
            });
            text.push('\n');
            for (r, &rho) in rhos.iter().enumerate() {
                write!(text, "  rho {rho:>6.2}  {:>8.3}", truth(dim, rho)).ok();
                for e in 0..self.estimator.len() {
                    match value(d, r, e) {
                        Ok(nats) => write!(text, "  {nats:>9.3}").ok(),
                        Err(what) => {
                            terminal
                                .warning(&format!("{} at rho {rho}, {dim} + {dim} columns: {what}", self.estimator[e]));
                            write!(text, "  {:>9}", "-").ok()
                        }
                    };
                    rows.push(json!({ "dim": dim, "rho": rho, "truth": truth(dim, rho), "estimator": self.estimator[e].to_string(),
                        "estimate": value(d, r, e).as_ref().ok() }));
                }
                text.push('\n');
            }
            text.push('\n');
            let fine = (-99..=99).map(|i| (f64::from(i) / 100.0, truth(dim, f64::from(i) / 100.0)));
            let mut series = vec![Series::new("truth", fine.collect(), Style::Line).colored(Color::Ink)];
            for (e, estimator) in self.estimator.iter().enumerate() {
                let points =
                    rhos.iter().enumerate().map(|(r, &rho)| (rho, *value(d, r, e).as_ref().unwrap_or(&f64::NAN)));
                series.push(Series::new(estimator.to_string(), points.collect(), Style::Marked));
            }
            panels.push(Panel {
                title: format!("{dim} + {dim} columns"),
                x_label: "correlation".into(),
                y_label: "I(X; Y) in nats".into(),
                series,
                ..Panel::default()
            });
        }
        let columns = panels.len();
        let title = Some(format!("Normal columns, {} rows", self.rows));
        terminal.picture(self.svg.as_deref(), || Figure { title, panels, columns, ..Figure::default() }.svg())?;
        terminal.result_or_json(&json!({ "rows": self.rows, "unit": "nats", "estimates": rows }), &text)
    }
}
