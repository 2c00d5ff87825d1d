//! `cpc mi estimate`: mutual information of samples.

use super::output::{Shown, curves, pointwise};
use crate::command::console::bar;
use crate::command::terminal::Terminal;
use crate::error::{Error, Result};
use crate::mi::atoms::Divided;
use crate::mi::discrete::Unit;
use crate::mi::estimate::{Estimate, Estimator, Settings, Start, conditional, estimate};
use crate::mi::input::{Choice, Pair, read};
use crate::mi::neighbors::{ALIKE, NEIGHBORS, alike, places};
use crate::mi::neural::Protocol;
use crate::mi::permutation::{Null, Order, null_of, permutation_null};
use crate::mi::variable::Variable;
use crate::nn::CriticKind;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// One side of the pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Side {
    X,
    Y,
    Z,
}

/// How rows are assigned to folds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Split {
    /// At random, for independent rows
    Random,
    /// In runs of consecutive rows, for time series
    Blocked,
}

/// What critics start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StartArg {
    /// From scratch
    Nothing,
    /// From a normal copula; the critic learns the residual
    Normal,
    /// From a t copula; the critic learns the residual
    T,
}

/// Options of `cpc mi estimate`.
#[derive(Debug, Args)]
#[command(
    about = "Mutual information of samples: how much X says about Y",
    long_about = "Mutual information of samples: how much X says about Y, in nats, bits or hartleys. Each row is one sample.\n\n\
        X and Y are two files, or columns of one file (--x, --y): .npy, .npz, .safetensors, .csv, .tsv, .parquet, or `-` for CSV on standard input. \
        Each may have several columns, which are treated as one variable. --discrete names the sides whose values are labels.\n\n\
        --given names columns Z: the result is I(X; Y | Z), what X says about Y to someone who knows Z already. auto, copula and the bounds use the chain \
        rule, I(X; (Y, Z)) - I(X; Z) with the same folds; ksg has an estimator of its own.\n\n\
        --estimator auto (the default) fits copulas and a network that starts from them, and reports the one that held-out rows favor. The others \
        are infonce, anchor, mine, dv, nwj, js, smile, tuba, alpha (bounds and estimates from trained critics), club, l1out (upper bounds), ksg (nearest neighbors), cca \
        (linear), copula and histogram. --compare prints several estimators in one table.\n\n\
        Critics are cross-fitted: the critic that evaluates a row was neither trained nor stopped on that row. The interval shows how much the \
        estimate would vary with other samples of the same size; it does not include bias. --permutations also estimates with Y shuffled, which \
        shows how large the estimate is by chance, and gives a p-value; with --given, rows of Y are exchanged where Z is the same or nearly the same.",
    after_help = "Examples:\n  \
        cpc mi estimate x.npy y.npy\n  \
        cpc mi estimate sensors.csv --x 'temp*' --y flow --permutations 100\n  \
        cpc mi estimate sensors.csv --x temp,press --y state --discrete y --unit bits\n  \
        cpc mi estimate sensors.csv --x temp --y flow --given 'valve*'\n  \
        cpc mi estimate x.npy y.npy --compare auto,infonce,ksg,cca --json\n  \
        cpc mi estimate series.parquet --x load --y price --split blocked"
)]
pub(crate) struct EstimateCommand {
    /// One file, with --x and --y; or one file for X, one for Y and perhaps one for Z. `-` is CSV on standard input
    #[arg(required = true, num_args = 1..=3, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Columns or keys of X, by name or pattern (*, ?)
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    x: Vec<String>,
    /// Columns or keys of Y, by name or pattern (*, ?)
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    y: Vec<String>,
    /// Columns or keys of Z: information is conditional on them, I(X; Y | Z)
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    given: Vec<String>,
    /// Sides whose values are labels, not numbers
    #[arg(long, value_enum, value_name = "SIDE", value_delimiter = ',')]
    discrete: Vec<Side>,
    /// Omit rows with NaN, infinity or an empty cell
    #[arg(long)]
    drop_nan: bool,
    /// The estimator
    #[arg(long, default_value = "auto", value_name = "NAME", conflicts_with = "compare")]
    estimator: Estimator,
    /// Compare several estimators in one table
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    compare: Vec<Estimator>,
    /// The unit: nats, bits or hartleys
    #[arg(long, default_value = "nats", value_name = "UNIT")]
    unit: Unit,
    /// The form of critics: joint, separable or bilinear [default: separable]
    #[arg(long, value_name = "FORM")]
    critic: Option<CriticKind>,
    /// What the critic of a single bound starts from
    #[arg(long, value_enum, default_value = "nothing", value_name = "WHAT")]
    start: StartArg,
    /// Maximum number of updates of a critic [default: 5000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    steps: Option<u64>,
    /// Pairs per batch [default: 250; 64 for joint critics]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=65_536))]
    batch_size: Option<u32>,
    /// Folds of cross-fitting, 3 or more; 1 is a single split into 60 % for training, 20 % for stopping and 20 % for evaluation
    #[arg(long, default_value = "5", value_name = "K", value_parser = clap::value_parser!(u32).range(1..=1000))]
    folds: u32,
    /// How rows are assigned to folds, and permuted
    #[arg(long, value_enum, default_value = "random", value_name = "HOW")]
    split: Split,
    /// Number of nearest neighbors, for ksg
    #[arg(long, alias = "neighbours", default_value_t = NEIGHBORS, value_name = "K")]
    neighbors: usize,
    /// Bins per column, for histogram [default: so that a cell of independent columns holds five rows]
    #[arg(long, value_name = "N")]
    bins: Option<usize>,
    /// Number of estimates, with different folds and initial weights; the result is their mean
    #[arg(long, default_value = "1", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    repeats: u32,
    /// Number of estimates with Y shuffled, for a p-value; with --split blocked, Y is shifted in time instead
    #[arg(long, default_value = "0", value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100_000))]
    permutations: u32,
    /// The random seed of folds, initial weights, batches and permutations
    #[arg(long, default_value = "0", value_name = "N")]
    seed: u64,
    /// Write the pointwise mutual information of each row, in nats, to a .npy file; NaN where a row has none
    #[arg(long, value_name = "FILE", conflicts_with = "compare")]
    pointwise: Option<PathBuf>,
    /// Write the training curves of the critics to a .csv file, or draw them to a .svg file
    #[arg(long, value_name = "FILE", conflicts_with = "compare")]
    curve: Option<PathBuf>,
    /// Print only the number
    #[arg(long, conflicts_with = "json")]
    plain: bool,
}

impl EstimateCommand {
    pub(crate) fn run(&self, terminal: &Terminal) -> Result<()> {
        let choice = Choice {
            files: self.files.iter().map(|file| terminal.source(file)).collect(),
            x: self.x.clone(),
            y: self.y.clone(),
            given: self.given.clone(),
            discrete: [Side::X, Side::Y, Side::Z].map(|side| self.discrete.contains(&side)),
            drop_nan: self.drop_nan,
        };
        let pair = read(&choice)?;
        pair.warnings.iter().for_each(|warning| terminal.warning(warning));
        if pair.dropped > 0 {
            terminal.note(&format!("{} rows omitted because of NaN, infinity or an empty cell", pair.dropped));
        }
        if pair.z.is_some() && self.split == Split::Blocked && self.permutations > 0 {
            return Err(Error::usage(
                "--permutations with --given exchanges rows, which a series does not allow",
                "leave --permutations out: with --split blocked, the interval of auto is one for series",
            ));
        }
        if self.split == Split::Random && self.permutations > 0 {
            terminal.note("permutations assume that rows are independent; for a time series use --split blocked");
        }
        let estimators =
            if self.compare.is_empty() { std::slice::from_ref(&self.estimator) } else { &self.compare[..] };
        let mut shown = Vec::new();
        for &estimator in estimators {
            let found = self.one(&pair, estimator, terminal)?;
            if let Some(path) = &self.pointwise {
                pointwise(path, &found.0, pair.x.len())?;
            }
            if let Some(path) = &self.curve {
                curves(path, &found.0)?;
            }
            shown.push(Shown::new(&found.0, found.1.as_ref(), found.2, self.unit));
        }
        super::output::show(terminal, &pair, &shown, self.unit, self.plain, !self.compare.is_empty())
    }

    fn settings(&self, repeat: u64) -> Settings {
        let seed = self.seed.wrapping_add(repeat.wrapping_mul(1_000_003));
        Settings {
            protocol: Protocol { folds: self.folds as usize, blocked: self.split == Split::Blocked, seed },
            critic: self.critic,
            start: match self.start {
                StartArg::Nothing => Start::Nothing,
                StartArg::Normal => Start::Normal,
                StartArg::T => Start::Student,
            },
            steps: self.steps,
            batch_size: self.batch_size.map(|n| n as usize),
            neighbors: self.neighbors,
            bins: self.bins,
            seed,
        }
    }

    /// An estimate, its null, and the spread over repeats.
    fn one(
        &self,
        pair: &Pair,
        estimator: Estimator,
        terminal: &Terminal,
    ) -> Result<(Estimate, Option<Null>, Option<f64>)> {
        let work = u64::from(self.repeats) + u64::from(self.permutations);
        let bar = bar(terminal, work, &estimator.to_string());
        let value = |y: &Variable, settings: &Settings| match &pair.z {
            None => estimate(&pair.x, y, estimator, settings),
            Some(z) => conditional(&pair.x, y, z, estimator, settings),
        };
        let mut found = value(&pair.y, &self.settings(0))?;
        bar.inc(1);
        let mut values = vec![found.nats];
        for repeat in 1..u64::from(self.repeats) {
            values.push(value(&pair.y, &self.settings(repeat))?.nats);
            bar.inc(1);
        }
        let spread = (values.len() > 1).then(|| {
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            found.ci95 = found.ci95.map(|ci| ci.map(|end| end + mean - found.nats));
            found.nats = mean;
            (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (values.len() - 1) as f64).sqrt()
        });
        let null = (self.permutations > 0).then(|| {
            let (count, seed) = (self.permutations as usize, self.seed);
            let one = |rows: &[usize]| {
                let found = value(&pair.y.take(rows), &self.settings(0))?.nats;
                bar.inc(1);
                Ok(found)
            };
            if let Some(z) = &pair.z {
                let alike = alike(&places(&Divided::new(z, seed, "mi/given")?)?, ALIKE);
                return null_of(count, found.nats, |i| alike.reordered(seed, i), one);
            }
            let order = if self.split == Split::Blocked { Order::Shifted } else { Order::Shuffled };
            permutation_null(pair.x.len(), count, seed, found.nats, order, one)
        });
        bar.finish_and_clear();
        if found.n < 2 {
            return Err(Error::failed("one row is too few for an estimate", "give more rows"));
        }
        Ok((found, null.transpose()?, spread))
    }
}
