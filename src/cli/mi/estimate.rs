//! `cpc mi estimate`: mutual information of samples.

use super::output::{Shown, curves, pointwise};
use crate::cli::Terminal;
use crate::cli::progress::bar;
use crate::error::{Error, Result};
use crate::mi::discrete::Unit;
use crate::mi::estimate::{Estimate, Estimator, Settings, Start, estimate};
use crate::mi::input::{Choice, Pair, read};
use crate::mi::neighbours::NEIGHBOURS;
use crate::mi::neural::Protocol;
use crate::mi::permutation::{Null, Order, permutation_null};
use crate::nn::CriticKind;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// A side of the pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Side {
    X,
    Y,
}

/// How rows are dealt to folds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Split {
    /// At random: rows that do not hang on each other
    Random,
    /// In runs of neighbouring rows: time series
    Blocked,
}

/// What critics start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StartArg {
    /// From nothing
    Nothing,
    /// From a normal copula, and learn the residual
    Normal,
    /// From a t copula, and learn the residual
    T,
}

/// Options of `cpc mi estimate`.
#[derive(Debug, Args)]
#[command(
    about = "Mutual information of samples: how much X says about Y",
    long_about = "Mutual information of samples, a row each: how much X says about Y, in nats, bits or hartleys.\n\n\
        X and Y are two files, or columns of one (--x, --y): .npy, .npz, .safetensors, .csv, .tsv, .parquet, or `-` for CSV on standard input. \
        Each may have several columns, which are taken together. Columns of labels are named by --discrete.\n\n\
        --estimator auto (the default) fits copulas and a network that starts from them, and takes what held-out rows speak for. The others: infonce, \
        mine, dv, nwj, js, smile, tuba, alpha (bounds of trained critics), club, l1out (upper bounds), ksg (nearest neighbours), cca (linear), \
        copula, histogram. --compare puts several into one table.\n\n\
        Critics are cross-fitted: every row is valued by a critic that neither learnt from it nor was stopped by it. The interval says what other \
        samples of the same size would change; bias is not in it. --permutations asks how large the estimate is where Y is dealt anew, and gives a p-value.",
    after_help = "Examples:\n  \
        cpc mi estimate x.npy y.npy\n  \
        cpc mi estimate sensors.csv --x 'temp*' --y flow --permutations 100\n  \
        cpc mi estimate sensors.csv --x temp,press --y state --discrete y --unit bits\n  \
        cpc mi estimate x.npy y.npy --compare auto,infonce,ksg,cca --json\n  \
        cpc mi estimate series.parquet --x load --y price --split blocked"
)]
pub struct EstimateCommand {
    /// One file with --x and --y, or a file of X and one of Y; `-` is CSV on standard input
    #[arg(required = true, num_args = 1..=2, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Columns or keys of X, by name or pattern (*, ?)
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    x: Vec<String>,
    /// Columns or keys of Y, by name or pattern (*, ?)
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    y: Vec<String>,
    /// Sides whose values are labels
    #[arg(long, value_enum, value_name = "SIDE", value_delimiter = ',')]
    discrete: Vec<Side>,
    /// Leave out rows with NaN, infinity or an empty cell
    #[arg(long)]
    drop_nan: bool,
    /// The estimator
    #[arg(long, default_value = "auto", value_name = "NAME", conflicts_with = "compare")]
    estimator: Estimator,
    /// Several estimators, for one table
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    compare: Vec<Estimator>,
    /// nats, bits or hartleys
    #[arg(long, default_value = "nats", value_name = "UNIT")]
    unit: Unit,
    /// The form of critics: joint, separable or bilinear [default: separable]
    #[arg(long, value_name = "FORM")]
    critic: Option<CriticKind>,
    /// What the critic of a single bound starts from
    #[arg(long, value_enum, default_value = "nothing", value_name = "WHAT")]
    start: StartArg,
    /// Updates of a critic at most [default: 5000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    steps: Option<u64>,
    /// Pairs in a batch [default: 256; of joint critics 64]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=65_536))]
    batch_size: Option<u32>,
    /// Folds of cross-fitting, 3 or more; 1 is a single split into 60 % to learn from, 20 % to stop by and 20 % to value
    #[arg(long, default_value = "5", value_name = "K", value_parser = clap::value_parser!(u32).range(1..=1000))]
    folds: u32,
    /// How rows are dealt to folds and to permutations
    #[arg(long, value_enum, default_value = "random", value_name = "HOW")]
    split: Split,
    /// Neighbours of ksg
    #[arg(long, default_value_t = NEIGHBOURS, value_name = "K")]
    neighbours: usize,
    /// Bins of histogram [default: such that a cell of independent columns holds five rows]
    #[arg(long, value_name = "N")]
    bins: Option<usize>,
    /// Estimates with other folds and starts; the result is their mean
    #[arg(long, default_value = "1", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    repeats: u32,
    /// Estimates with Y dealt anew, for a p-value; with --split blocked Y is shifted in time instead
    #[arg(long, default_value = "0", value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100_000))]
    permutations: u32,
    /// The seed of folds, starts, batches and permutations
    #[arg(long, default_value = "0", value_name = "N")]
    seed: u64,
    /// Write the pointwise mutual information of each row, in nats, to a .npy file; NaN where a row has none
    #[arg(long, value_name = "FILE", conflicts_with = "compare")]
    pointwise: Option<PathBuf>,
    /// Write how critics trained to a .csv file, or draw it to a .svg file
    #[arg(long, value_name = "FILE", conflicts_with = "compare")]
    curve: Option<PathBuf>,
    /// Print the number alone
    #[arg(long, conflicts_with = "json")]
    plain: bool,
}

impl EstimateCommand {
    pub(super) fn run(&self, terminal: &Terminal) -> Result<()> {
        let choice = Choice {
            files: self.files.clone(),
            x: self.x.clone(),
            y: self.y.clone(),
            discrete: [Side::X, Side::Y].map(|side| self.discrete.contains(&side)),
            drop_nan: self.drop_nan,
        };
        let pair = read(&choice)?;
        pair.warnings.iter().for_each(|warning| terminal.warning(warning));
        if pair.dropped > 0 {
            terminal.note(&format!("{} rows left out for NaN, infinity or an empty cell", pair.dropped));
        }
        if self.split == Split::Random && self.permutations > 0 {
            terminal
                .note("permutations take rows to be independent of each other; for a time series say --split blocked");
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
            neighbours: self.neighbours,
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
        let bar = bar(terminal, work, &format!(" {estimator}"));
        let mut found = estimate(&pair.x, &pair.y, estimator, &self.settings(0))?;
        bar.inc(1);
        let mut values = vec![found.nats];
        for repeat in 1..u64::from(self.repeats) {
            values.push(estimate(&pair.x, &pair.y, estimator, &self.settings(repeat))?.nats);
            bar.inc(1);
        }
        let spread = (values.len() > 1).then(|| {
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            found.ci95 = found.ci95.map(|ci| ci.map(|end| end + mean - found.nats));
            found.nats = mean;
            (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (values.len() - 1) as f64).sqrt()
        });
        let null = (self.permutations > 0).then(|| {
            let order = if self.split == Split::Blocked { Order::Shifted } else { Order::Shuffled };
            let one = |rows: &[usize]| {
                let value = estimate(&pair.x, &pair.y.take(rows), estimator, &self.settings(0))?.nats;
                bar.inc(1);
                Ok(value)
            };
            permutation_null(pair.x.len(), self.permutations as usize, self.seed, found.nats, order, one)
        });
        bar.finish_and_clear();
        if found.n < 2 {
            return Err(Error::failed("a single row tells nothing", "give more rows"));
        }
        Ok((found, null.transpose()?, spread))
    }
}
