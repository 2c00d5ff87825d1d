//! `cpc mi select`: the columns that together inform about one.

use crate::command::console::bar;
use crate::command::terminal::Terminal;
use crate::error::{Error, Result};
use crate::mi::discrete::Unit;
use crate::mi::estimate::Settings;
use crate::mi::input::read_columns;
use crate::mi::neighbors::NEIGHBORS;
use crate::mi::neural::Protocol;
use crate::mi::select::{Criterion, Selection, select};
use clap::{Args, ValueEnum};
use serde_json::json;
use std::fmt::Write;
use std::path::PathBuf;

/// How the next column is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    /// The mean information about the target given each chosen column
    Jmi,
    /// The least of what a column says alone and given each chosen column
    Cmim,
    /// What a column says alone, less the mean of what it shares with chosen columns
    Mrmr,
    /// What a column says given all chosen columns at once
    Conditional,
}

/// Options of `cpc mi select`.
#[derive(Debug, Args)]
#[command(
    about = "The few columns of many that together inform about one",
    long_about = "Choose columns one after the other, so that they together inform about a target (feature selection).\n\n\
        A column that repeats what chosen ones say is left out, however much it says alone; one that informs only together with a chosen one is found \
        (jmi, conditional). Selection ends at --take columns, or where the next one adds nothing that chance would not: its information given all \
        chosen columns is compared with the same after exchanging its rows among rows that are alike in these.\n\n\
        All terms are by nearest neighbors. Columns of labels (--discrete), zeros and counts are taken as what they are.",
    after_help = "Examples:\n  cpc mi select sensors.csv --target flow\n  \
        cpc mi select survey.parquet --target outcome --discrete 'outcome,sex,q*' --take 5 --by mrmr"
)]
pub(crate) struct Select {
    /// A table: .csv, .tsv, .parquet, .npy, .npz, .safetensors, or `-` for CSV on standard input
    file: PathBuf,
    /// The column to inform about
    #[arg(long, value_name = "NAME")]
    target: String,
    /// The largest number of columns
    #[arg(long, default_value = "10", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    take: u32,
    /// How the next column is chosen
    #[arg(long, value_enum, default_value = "jmi", value_name = "HOW")]
    by: By,
    /// Columns to choose from, by name or pattern (*, ?) [default: all]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    columns: Vec<String>,
    /// Columns whose values are labels, not numbers, by name or pattern
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    discrete: Vec<String>,
    /// Omit rows with NaN, infinity or an empty cell
    #[arg(long)]
    drop_nan: bool,
    /// The unit: nats, bits or hartleys
    #[arg(long, default_value = "nats", value_name = "UNIT")]
    unit: Unit,
    /// Number of nearest neighbors
    #[arg(long, alias = "neighbours", default_value_t = NEIGHBORS, value_name = "K")]
    neighbors: usize,
    /// The random seed
    #[arg(long, default_value = "0", value_name = "N")]
    seed: u64,
}

impl Select {
    pub(crate) fn run(&self, terminal: &Terminal) -> Result<()> {
        let mut asked = self.columns.clone();
        if !asked.is_empty() {
            asked.push(self.target.clone());
        }
        let source = terminal.source(&self.file);
        let read = read_columns(&source, &asked, &self.discrete, self.drop_nan)?;
        read.warnings.iter().for_each(|warning| terminal.warning(warning));
        if read.dropped > 0 {
            terminal.note(&format!("{} rows omitted because of NaN, infinity or an empty cell", read.dropped));
        }
        let Some(target) = read.names.iter().position(|name| *name == self.target) else {
            return Err(Error::usage(
                format!("{source}: there is no column `{}`", self.target),
                format!("choose --target from {}", read.names.join(", ")),
            ));
        };
        if read.names.len() < 2 {
            return Err(Error::usage("there is nothing to choose from", "give more columns than the target"));
        }
        let settings = Settings {
            neighbors: self.neighbors,
            seed: self.seed,
            protocol: Protocol { seed: self.seed, ..Settings::default().protocol },
            ..Settings::default()
        };
        let criterion = match self.by {
            By::Jmi => Criterion::Jmi,
            By::Cmim => Criterion::Cmim,
            By::Mrmr => Criterion::Mrmr,
            By::Conditional => Criterion::Conditional,
        };
        let take = self.take as usize;
        let bar = bar(terminal, u64::from(self.take), "columns");
        let progress = |done: usize| bar.set_position(done as u64);
        let found = select(&read.variables, target, take, criterion, &settings, &progress)?;
        bar.finish_and_clear();
        let rows: Vec<_> = found
            .chosen
            .iter()
            .map(|c| {
                json!({
                    "column": read.names[c.column],
                    "alone": self.unit.of(c.alone),
                    "adds": self.unit.of(c.adds),
                    "score": self.unit.of(c.score),
                })
            })
            .collect();
        let result = json!({
            "target": self.target, "rows": read.rows, "by": criterion, "unit": self.unit.to_string(), "chosen": rows, "complete": found.complete,
        });
        terminal.result_or_json(&result, &self.text(&read.names, &found, read.rows))
    }

    fn text(&self, names: &[String], found: &Selection, rows: usize) -> String {
        let width = found.chosen.iter().map(|c| names[c.column].chars().count()).max().unwrap_or(0).max(6);
        let mut text = format!("{:<width$}  {:>8}  {:>8}  {:>8}\n", "column", "alone", "adds", "score");
        for chosen in &found.chosen {
            let [alone, adds, score] = [chosen.alone, chosen.adds, chosen.score].map(|v| self.unit.of(v));
            writeln!(text, "{:<width$}  {alone:>8.4}  {adds:>8.4}  {score:>8.4}", names[chosen.column]).ok();
        }
        let end = match (found.complete, found.chosen.is_empty()) {
            (true, true) => "no column informs about it more than chance would",
            (true, false) => "no other column adds more than chance would",
            (false, _) => "others may add more (--take)",
        };
        writeln!(
            text,
            "\nabout {}, in {}: alone, given all above (adds), and the criterion; {end}; {rows} rows",
            self.target, self.unit
        )
        .ok();
        text
    }
}
