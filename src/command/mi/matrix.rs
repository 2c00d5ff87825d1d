//! `cpc mi matrix`: what the columns of a table share.

use crate::command::console::bar;
use crate::command::picture::svg_file;
use crate::command::terminal::Terminal;
use crate::error::{Error, Result};
use crate::features::TextTable;
use crate::mi::discrete::Unit;
use crate::mi::estimate::{Estimator, Settings};
use crate::mi::input::read_columns;
use crate::mi::matrix::{Link, Prepared, all_pairs};
use crate::mi::neighbors::NEIGHBORS;
use crate::mi::neural::Protocol;
use crate::mi::parallel::go_on;
use crate::report::heat::HeatMap;
use clap::Args;
use serde_json::json;
use std::fmt::Write;
use std::path::PathBuf;

/// The part of log n from which on neighbors of n rows say too little.
const DETERMINED: f64 = 0.7;

/// The largest number of columns of a picture.
const DRAWN: usize = 300;

/// Options of `cpc mi matrix`.
#[derive(Debug, Args)]
#[command(
    about = "Mutual information between all pairs of columns, or of all columns and one",
    long_about = "Mutual information between all pairs of columns of a table, or of all columns and one (--target).\n\n\
        Each value is by nearest neighbors, which see dependence of any form; columns of labels (--discrete), zeros and counts are taken as what they \
        are. --estimator auto is slower and errs less.\n\n\
        The p-value is of a chi-squared test of independence in bins. Of many tests some are small by chance: q is the false discovery rate (Benjamini \
        and Hochberg 1995). Of the pairs with q below .05, one in twenty is there by chance.",
    after_help = "Examples:\n  \
        cpc mi matrix sensors.csv --svg heat.svg --out pairs.csv\n  \
        cpc mi matrix sensors.csv --target flow\n  \
        cpc mi matrix survey.parquet --discrete 'q*,sex' --target income --top 50\n  \
        cpc mi matrix series.csv --columns 'load*,price' --split blocked"
)]
pub(crate) struct Matrix {
    /// A table: .csv, .tsv, .parquet, .npy, .npz, .safetensors, or `-` for CSV on standard input
    file: PathBuf,
    /// Columns, by name or pattern (*, ?) [default: all]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    columns: Vec<String>,
    /// Compare all columns with this one alone
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// Columns whose values are labels, not numbers, by name or pattern
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    discrete: Vec<String>,
    /// Omit rows with NaN, infinity or an empty cell
    #[arg(long)]
    drop_nan: bool,
    /// The estimator of each pair: ksg, copula, auto or another of `cpc mi estimate`
    #[arg(long, default_value = "ksg", value_name = "NAME")]
    estimator: Estimator,
    /// The unit: nats, bits or hartleys
    #[arg(long, default_value = "nats", value_name = "UNIT")]
    unit: Unit,
    /// Number of nearest neighbors, for ksg
    #[arg(long, alias = "neighbours", default_value_t = NEIGHBORS, value_name = "K")]
    neighbors: usize,
    /// blocked, for time series: rows count for less, the more neighboring rows are alike
    #[arg(long, default_value = "random", value_name = "HOW", value_parser = ["random", "blocked"])]
    split: String,
    /// The random seed
    #[arg(long, default_value = "0", value_name = "N")]
    seed: u64,
    /// The number of pairs that are printed, those that share most first
    #[arg(long, default_value = "20", value_name = "N")]
    top: usize,
    /// Write all pairs to a file: .csv, .tsv or .parquet
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Draw the matrix to a .svg file
    #[arg(long, value_name = "FILE", conflicts_with = "target", value_parser = svg_file())]
    svg: Option<PathBuf>,
}

impl Matrix {
    pub(crate) fn run(&self, terminal: &Terminal) -> Result<()> {
        let mut asked = self.columns.clone();
        if let (Some(target), false) = (&self.target, asked.is_empty()) {
            asked.push(target.clone());
        }
        let source = terminal.source(&self.file);
        let read = read_columns(&source, &asked, &self.discrete, self.drop_nan)?;
        read.warnings.iter().for_each(|warning| terminal.warning(warning));
        if read.dropped > 0 {
            terminal.note(&format!("{} rows omitted because of NaN, infinity or an empty cell", read.dropped));
        }
        let n = read.names.len();
        if n < 2 {
            return Err(Error::usage(
                format!("{source} has one column, and a pair needs two"),
                "choose more with --columns, or give a table",
            ));
        }
        let pairs = match &self.target {
            None => all_pairs(n),
            Some(target) => {
                let Some(at) = read.names.iter().position(|name| name == target) else {
                    return Err(Error::usage(
                        format!("{source}: there is no column `{target}`"),
                        format!("choose --target from {}", read.names.join(", ")),
                    ));
                };
                (0..n).filter(|&x| x != at).map(|x| (x, at)).collect()
            }
        };
        if self.svg.is_some() && n > DRAWN {
            return Err(Error::usage(
                format!("--svg: {n} columns are too many for a picture"),
                format!("choose at most {DRAWN} with --columns"),
            ));
        }
        let settings = Settings {
            neighbors: self.neighbors,
            seed: self.seed,
            protocol: Protocol { blocked: self.split == "blocked", seed: self.seed, ..Settings::default().protocol },
            ..Settings::default()
        };
        let bar = bar(terminal, pairs.len() as u64, &format!("pairs, {}", self.estimator));
        let progress = |done: usize| bar.set_position(done as u64);
        let mut links =
            Prepared::new(&read.variables, &read.names, &settings)?.links(&pairs, self.estimator, &progress)?;
        bar.finish_and_clear();
        if self.svg.is_some() || self.target.is_none() && n <= DRAWN {
            terminal.picture(self.svg.as_deref(), || self.picture(&read.names, &links))?;
        }
        links.sort_by(|a, b| b.nats.total_cmp(&a.nats));
        go_on()?;
        if let Some(path) = &self.out {
            self.table(&read.names, &links).write(path)?;
        }
        let name = |at: usize| read.names[at].as_str();
        // Neighbors of n rows show at most about log n nats.
        let most = DETERMINED * (read.rows as f64).ln();
        let near: Vec<&Link> = links.iter().filter(|l| self.estimator == Estimator::Ksg && l.nats > most).collect();
        if let Some(first) = near.first() {
            let more = if near.len() > 1 { format!(", and {} more pairs", near.len() - 1) } else { String::new() };
            terminal.warning(&format!(
                "{} and {} nearly determine each other{more}: they share more than {} rows can show, and the value is too low",
                name(first.x),
                name(first.y),
                read.rows
            ));
        }
        let rows: Vec<_> = links
            .iter()
            .map(|l| json!({ "x": name(l.x), "y": name(l.y), "estimate": self.unit.of(l.nats), "p_value": l.p_value, "q_value": l.q_value }))
            .collect();
        let result = json!({ "rows": read.rows, "estimator": self.estimator.to_string(), "unit": self.unit.to_string(), "pairs": rows });
        terminal.result_or_json(&result, &self.text(&read.names, &links, read.rows))
    }

    fn text(&self, names: &[String], links: &[Link], rows: usize) -> String {
        let shown = &links[..links.len().min(self.top)];
        let width = |of: fn(&Link) -> usize, least: usize| {
            shown.iter().map(|link| names[of(link)].chars().count()).max().unwrap_or(0).max(least)
        };
        let [a, b] = [width(|l| l.x, 1), width(|l| l.y, 1)];
        let mut text = format!("{:<a$}  {:<b$}  {:>8}  {:>8}  {:>8}\n", "X", "Y", self.unit.to_string(), "p", "q");
        for link in shown {
            let [x, y] = [&names[link.x], &names[link.y]];
            let value = self.unit.of(link.nats);
            writeln!(text, "{x:<a$}  {y:<b$}  {value:>8.4}  {:>8}  {:>8}", small(link.p_value), small(link.q_value))
                .ok();
        }
        let found = links.iter().filter(|link| link.q_value < 0.05).count();
        writeln!(
            text,
            "\n{} of {} pairs shown; {found} with q < .05; {rows} rows, by {}",
            shown.len(),
            links.len(),
            self.estimator
        )
        .ok();
        for path in [&self.out, &self.svg].into_iter().flatten() {
            writeln!(text, "written: {}", path.display()).ok();
        }
        text
    }

    fn table(&self, names: &[String], links: &[Link]) -> TextTable {
        let texts = |of: fn(&Link) -> usize| links.iter().map(|link| names[of(link)].clone()).collect();
        TextTable {
            texts: vec![("x".into(), texts(|l| l.x)), ("y".into(), texts(|l| l.y))],
            numbers: vec![
                (self.unit.to_string(), links.iter().map(|l| self.unit.of(l.nats)).collect()),
                ("p".into(), links.iter().map(|l| l.p_value).collect()),
                ("q".into(), links.iter().map(|l| l.q_value).collect()),
            ],
        }
    }

    fn picture(&self, names: &[String], links: &[Link]) -> Result<String> {
        let n = names.len();
        let (mut values, mut dotted) = (vec![None; n * n], vec![false; n * n]);
        for link in links {
            for at in [link.x * n + link.y, link.y * n + link.x] {
                values[at] = Some(self.unit.of(link.nats));
                dotted[at] = link.q_value >= 0.05;
            }
        }
        let title = "Mutual information".into();
        let map = HeatMap {
            title,
            names: names.to_vec(),
            values,
            unit: self.unit.to_string(),
            dotted,
            dot: "q is .05 or more".into(),
        };
        map.svg().map_err(|e| Error::failed(format!("SVG: {e}"), "report this as a bug in cpc"))
    }
}

/// A probability in a few letters.
fn small(p: f64) -> String {
    match p {
        p if p >= 0.001 => format!("{p:.3}"),
        0.0 => "<1e-300".into(),
        p => format!("{p:.0e}"),
    }
}
