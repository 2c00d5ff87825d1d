//! `cpc mi transfer`: what one series says about the future of another.

use crate::command::console::bar;
use crate::command::picture::svg_file;
use crate::command::terminal::Terminal;
use crate::error::{Error, Result};
use crate::features::TextTable;
use crate::mi::discrete::Unit;
use crate::mi::input::{SeriesColumns, When, matches, read_series};
use crate::mi::neighbors::NEIGHBORS;
use crate::mi::parallel::go_on;
use crate::mi::samples::Samples;
use crate::mi::transfer::{Lagged, Method, Tested, Transfer, TransferSettings, transfer};
use crate::mi::variable::Variable;
use crate::report::plot::{Color, Figure, Panel, Series, Style};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::PathBuf;

/// The estimator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    /// Nearest neighbors: dependence of any form
    Ksg,
    /// Correlations of normal scores: monotone dependence, with less variance (Granger causality)
    Copula,
}

/// Options of `cpc mi transfer`.
#[derive(Debug, Args)]
#[command(
    about = "What one series says about the future of another, by lag",
    long_about = "What one series (--from) says about the future of another (--to), by lag. Each row is one time, in order.\n\n\
        Information is I(to; from some rows before). Transfer entropy is what of it the past of `to` does not say already: Granger causality for \
        dependence of any form. With --given, the past of further series is known as well; a series that drives both, and is not given, looks like \
        transfer.\n\n\
        The p-value compares with `from` shifted in time by more rows than the series remember. `p` is of a lag alone; `p any` is of the largest value \
        at any lag, and is the one for the lag that stands out. `chance` is the mean of shifts: what the estimator gives if there is nothing.\n\n\
        A gap (a row that --drop-nan omits, a longer step of --time, another --group) is not bridged. Rows are shifted within their --group, so what only \
        tells groups apart is not taken for transfer.",
    after_help = "Examples:\n  \
        cpc mi transfer sensors.csv --from valve --to flow --lags 1:20 --both --svg lags.svg\n  \
        cpc mi transfer weather.parquet --from pressure --to rain --given temperature --time date\n  \
        cpc mi transfer trials.csv --from left --to right --group trial --estimator copula"
)]
pub(crate) struct TransferCommand {
    /// A table: .csv, .tsv, .parquet, .npy, .npz, .safetensors, or `-` for CSV on standard input
    file: PathBuf,
    /// The source: one column or several, by name or pattern (*, ?)
    #[arg(long, required = true, value_name = "NAME", value_delimiter = ',')]
    from: Vec<String>,
    /// The target: one column or several
    #[arg(long, required = true, value_name = "NAME", value_delimiter = ',')]
    to: Vec<String>,
    /// Columns whose past is known as well
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    given: Vec<String>,
    /// Lags in rows: 5, 1:20, 10:200:10 (from, to, step), or several with commas
    #[arg(long, default_value = "1:10", value_name = "LAGS", value_parser = lags)]
    lags: Lags,
    /// The number of past values of the target, and of --given [default: chosen, 1 to 5]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    history: Option<u32>,
    /// The number of values of the source, from each lag on into the past
    #[arg(long, default_value = "1", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    from_history: u32,
    /// The other direction as well
    #[arg(long)]
    both: bool,
    /// A column of times (numbers, or dates): steps must be even, and a longer one is a gap
    #[arg(long, value_name = "NAME")]
    time: Option<String>,
    /// A column that says which series a row belongs to, such as a subject or a trial
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// Columns whose values are labels, not numbers, by name or pattern
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    discrete: Vec<String>,
    /// Omit rows with NaN, infinity or an empty cell; they are gaps
    #[arg(long)]
    drop_nan: bool,
    /// The estimator
    #[arg(long, value_enum, default_value = "ksg", value_name = "NAME")]
    estimator: By,
    /// Number of nearest neighbors, for ksg
    #[arg(long, alias = "neighbours", default_value_t = NEIGHBORS, value_name = "K")]
    neighbors: usize,
    /// Number of shifts in time, for p-values
    #[arg(long, default_value = "100", value_name = "N", value_parser = clap::value_parser!(u32).range(19..=100_000))]
    permutations: u32,
    /// The unit: nats, bits or hartleys
    #[arg(long, default_value = "nats", value_name = "UNIT")]
    unit: Unit,
    /// The random seed
    #[arg(long, default_value = "0", value_name = "N")]
    seed: u64,
    /// Write all lags to a file: .csv, .tsv or .parquet
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Draw them to a .svg file
    #[arg(long, value_name = "FILE", value_parser = svg_file())]
    svg: Option<PathBuf>,
}

/// Lags in ascending order.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Lags(Vec<usize>);

/// The most lags of one run.
const MOST: usize = 10_000;

fn lags(text: &str) -> std::result::Result<Lags, String> {
    let wrong = || format!("`{text}` is no list of lags: write 5, 1:20, 10:200:10 or 1,2,5; lags begin with 1");
    let mut all = Vec::new();
    for part in text.split(',') {
        let numbers: Vec<usize> =
            part.split(':').map(|n| n.trim().parse().map_err(|_| wrong())).collect::<std::result::Result<_, _>>()?;
        let (first, last, step) = match numbers[..] {
            [one] => (one, one, 1),
            [first, last] => (first, last, 1),
            [first, last, step] => (first, last, step),
            _ => return Err(wrong()),
        };
        if first == 0 || last < first || step == 0 {
            return Err(wrong());
        }
        if (last - first) / step >= MOST {
            return Err(format!("`{text}` is more than {MOST} lags: take larger steps"));
        }
        all.extend((first..=last).step_by(step));
    }
    all.sort_unstable();
    all.dedup();
    Ok(Lags(all))
}

/// One of the two values of a lag.
type Of = fn(&Lagged) -> Tested;

/// What goes from one side to the other.
struct Direction {
    from: String,
    to: String,
    found: Transfer,
}

impl TransferCommand {
    pub(crate) fn run(&self, terminal: &Terminal) -> Result<()> {
        let names = [&self.from[..], &self.to, &self.given].concat();
        let when = When { time: self.time.clone(), group: self.group.clone() };
        let read = read_series(&terminal.source(&self.file), &names, &self.discrete, &when, self.drop_nan)?;
        read.columns.warnings.iter().for_each(|warning| terminal.warning(warning));
        if read.columns.dropped > 0 {
            terminal.note(&format!(
                "{} rows omitted because of NaN, infinity or an empty cell: gaps",
                read.columns.dropped
            ));
        }
        if read.stretches.len() > 1 {
            terminal.note(&format!("{} stretches without a gap", read.stretches.len()));
        }
        let [from, to, given] = self.sides(&read)?;
        let at = |side: &[usize]| self.variable(&read, side);
        let [x, y] = [at(&from)?, at(&to)?];
        let given = given.iter().map(|&column| at(&[column])).collect::<Result<Vec<_>>>()?;
        let settings = TransferSettings {
            lags: self.lags.0.clone(),
            history: self.history.map(|n| n as usize),
            source: self.from_history as usize,
            method: match self.estimator {
                By::Ksg => Method::Neighbors(self.neighbors),
                By::Copula => Method::Copula,
            },
            shifts: self.permutations as usize,
            seed: self.seed,
        };
        let directions = if self.both { 2 } else { 1 };
        let bar = bar(terminal, (directions * self.lags.0.len()) as u64, "lags");
        let mut all = Vec::new();
        for (x, y, from, to) in [(&x, &y, &from, &to), (&y, &x, &to, &from)].into_iter().take(directions) {
            let before = bar.position();
            let progress = |done: usize| bar.set_position(before + done as u64);
            let found = transfer(x, y, &given, &read.stretches, &settings, &progress)?;
            let name =
                |side: &[usize]| side.iter().map(|&at| read.columns.names[at].as_str()).collect::<Vec<_>>().join(", ");
            all.push(Direction { from: name(from), to: name(to), found });
        }
        bar.finish_and_clear();
        terminal.picture(self.svg.as_deref(), || self.figure(&all).svg())?;
        go_on()?;
        if let Some(path) = &self.out {
            self.table(&all).write(path)?;
        }
        let shown: Vec<Value> = all.iter().map(|direction| self.json(direction)).collect();
        let text: String = all.iter().map(|direction| self.text(direction)).collect::<Vec<_>>().join("\n");
        let written: String =
            [&self.out, &self.svg].into_iter().flatten().map(|path| format!("written: {}\n", path.display())).collect();
        terminal.result_or_json(&shown, &(text + &written))
    }

    /// The columns of the source, of the target, and those that are given.
    fn sides(&self, read: &SeriesColumns) -> Result<[Vec<usize>; 3]> {
        let of = |patterns: &[String]| -> Vec<usize> {
            let is = |name: &str| patterns.iter().any(|pattern| matches(pattern.trim(), name));
            (0..read.columns.names.len()).filter(|&at| is(&read.columns.names[at])).collect()
        };
        let sides = [of(&self.from), of(&self.to), of(&self.given)];
        let flags = ["--from", "--to", "--given"];
        for (side, flag) in sides[..2].iter().zip(flags) {
            if side.is_empty() {
                return Err(Error::usage(
                    format!("{flag} chooses no column besides those of --time and --group"),
                    "choose another",
                ));
            }
        }
        for (a, b) in [(0, 1), (0, 2), (1, 2)] {
            if let Some(&both) = sides[a].iter().find(|at| sides[b].contains(at)) {
                return Err(Error::usage(
                    format!("`{}` is asked for in both {} and {}", read.columns.names[both], flags[a], flags[b]),
                    "choose it in one of them",
                ));
            }
        }
        Ok(sides)
    }

    /// Columns as one variable: numbers side by side, or one column of labels.
    fn variable(&self, read: &SeriesColumns, side: &[usize]) -> Result<Variable> {
        let mut numbers: Option<Samples> = None;
        for &at in side {
            match &read.columns.variables[at] {
                labels @ Variable::Labels(..) if side.len() == 1 => return Ok(labels.clone()),
                Variable::Labels(..) => {
                    return Err(Error::usage(
                        format!("`{}` is a column of labels beside others of its side", read.columns.names[at]),
                        "choose it alone, or give the other columns with --given",
                    ));
                }
                Variable::Numbers(column) => {
                    numbers = Some(numbers.map_or_else(|| Ok(column.clone()), |all| all.beside(column))?);
                }
            }
        }
        numbers.map(Variable::Numbers).ok_or_else(|| Error::usage("no column is chosen", "choose one"))
    }

    fn text(&self, Direction { from, to, found }: &Direction) -> String {
        let mut text = format!("{from} -> {to}");
        if !self.given.is_empty() {
            write!(text, ", given {}", self.given.join(", ")).ok();
        }
        writeln!(
            text,
            "\n{} rows, history {}{}, by {}; {} shifts of {} rows or more\n",
            found.rows,
            found.history,
            if self.history.is_none() { " (chosen)" } else { "" },
            self.estimator.to_possible_value().map(|v| v.get_name().to_string()).unwrap_or_default(),
            found.shifts,
            found.shift
        )
        .ok();
        let heads = ["lag", "information", "chance", "p", "p any", "transfer", "chance", "p", "p any"];
        const WIDTHS: [usize; 9] = [5, 12, 9, 7, 7, 11, 9, 7, 7];
        heads.iter().zip(WIDTHS).for_each(|(head, width)| {
            write!(text, "{head:>width$}").ok();
        });
        text.push('\n');
        for row in &found.lags {
            write!(text, "{:>5}", row.lag).ok();
            for (tested, width) in [(row.information, WIDTHS[1]), (row.transfer, WIDTHS[5])] {
                // Not -0.0000.
                let [nats, chance] = [tested.nats, tested.chance].map(|v| (self.unit.of(v) * 1e4).round() / 1e4 + 0.0);
                write!(text, "{nats:>width$.4}{chance:>9.4}{:>7.3}{:>7.3}", tested.p_value, tested.p_any).ok();
            }
            text.push('\n');
        }
        if let Some(most) = found.lags.iter().max_by(|a, b| a.transfer.nats.total_cmp(&b.transfer.nats)) {
            let above = self.unit.of(most.transfer.nats - most.transfer.chance);
            let what = match most.transfer.p_any <= 0.05 {
                true => format!("most at lag {}, {above:.4} {} above chance", most.lag, self.unit),
                false => "no lag stands out from chance".into(),
            };
            writeln!(text, "\ntransfer: {what} (p any {:.3})", most.transfer.p_any).ok();
        }
        text
    }

    fn json(&self, Direction { from, to, found }: &Direction) -> Value {
        let tested = |t: Tested| {
            json!({
                "estimate": self.unit.of(t.nats), "chance": self.unit.of(t.chance), "p_value": t.p_value, "p_any": t.p_any,
            })
        };
        let lags: Vec<Value> = found
            .lags
            .iter()
            .map(|l| json!({ "lag": l.lag, "information": tested(l.information), "transfer": tested(l.transfer) }))
            .collect();
        json!({
            "from": from, "to": to, "rows": found.rows, "history": found.history, "shifts": found.shifts, "shift": found.shift,
            "unit": self.unit.to_string(), "limit_information": self.unit.of(found.limits[0]),
            "limit_transfer": self.unit.of(found.limits[1]), "lags": lags,
        })
    }

    fn table(&self, all: &[Direction]) -> TextTable {
        let rows = || all.iter().flat_map(|d| d.found.lags.iter().map(move |lag| (d, lag)));
        let texts = |of: fn(&Direction) -> &String| rows().map(|(d, _)| of(d).clone()).collect();
        let mut numbers = vec![("lag".to_string(), rows().map(|(_, l)| l.lag as f64).collect())];
        let sides: [(&str, Of); 2] = [("information", |l| l.information), ("transfer", |l| l.transfer)];
        for (name, of) in sides {
            let column = |value: &dyn Fn(Tested) -> f64| rows().map(|(_, l)| value(of(l))).collect();
            numbers.push((name.into(), column(&|t| self.unit.of(t.nats))));
            numbers.push((format!("{name}_chance"), column(&|t| self.unit.of(t.chance))));
            numbers.push((format!("{name}_p"), column(&|t| t.p_value)));
            numbers.push((format!("{name}_p_any"), column(&|t| t.p_any)));
        }
        TextTable { texts: vec![("from".into(), texts(|d| &d.from)), ("to".into(), texts(|d| &d.to))], numbers }
    }

    fn figure(&self, all: &[Direction]) -> Figure {
        let panels = all.iter().flat_map(|Direction { from, to, found }| {
            let sides: [(&str, Of, usize); 2] =
                [("lagged information", |l| l.information, 0), ("transfer entropy", |l| l.transfer, 1)];
            sides.map(|(what, of, which)| {
                let points = |value: &dyn Fn(Tested) -> f64| {
                    found.lags.iter().map(|l| (l.lag as f64, self.unit.of(value(of(l))))).collect::<Vec<_>>()
                };
                let limit = self.unit.of(found.limits[which]);
                let ends = [found.lags.first(), found.lags.last()].into_iter().flatten();
                Panel {
                    title: format!("{from} → {to}: {what}"),
                    x_label: "lag in rows".into(),
                    y_label: self.unit.to_string(),
                    series: vec![
                        Series::new(
                            "one shift of 20 is above, at some lag",
                            ends.map(|l| (l.lag as f64, limit)).collect(),
                            Style::Dashed,
                        )
                        .colored(Color::Gray),
                        Series::new("mean of shifts", points(&|t| t.chance), Style::Line).colored(Color::Gray),
                        Series::new(what, points(&|t| t.nats), Style::Marked).colored(Color::Hue(which)),
                    ],
                    ..Panel::default()
                }
            })
        });
        Figure { title: None, panels: panels.collect(), columns: 2, share_y: true }
    }
}
