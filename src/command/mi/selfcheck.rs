//! `cpc mi selfcheck`: whether estimators are consistent with themselves.

use super::equitability;
use crate::command::console::bar;
use crate::command::picture::svg_file;
use crate::command::terminal::Terminal;
use crate::error::Result;
use crate::mi::estimate::{Estimator, Settings};
use crate::mi::parallel::in_parallel;
use crate::mi::selfcheck::{check, truth};
use crate::objective::Bound;
use clap::Args;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::PathBuf;

/// The estimators that are checked if none are named.
const USUAL: &[&str] = &["auto", "infonce", "smile", "nwj", "dv", "mine", "ksg", "cca"];
const EQUITABILITY: &[&str] = &["auto", "ksg", "cca"];

/// Options of `cpc mi selfcheck`.
#[derive(Debug, Args)]
#[command(
    about = "Check estimators for self-consistency: independence, data processing, additivity",
    long_about = "Check whether estimators are consistent with themselves (Song and Ermon 2020), on normal variables X and Y that share 5 nats.\n\n\
        The columns of the table, with the correct values in the row `right`:\n\n  \
        unrelated: the estimate for a Y that is independent of X\n  \
        2 of 10 ... 8 of 10: the fraction of the estimate that remains with only some of Y's columns; .20 ... .80 is correct\n  \
        processed: Y together with a part of itself, divided by Y alone; 1 is correct\n  \
        doubled: two independent copies of the problem together, divided by one; 2 is correct\n  \
        whole: the estimate divided by the truth\n\n\
        With --equitability, check that an estimate depends on nothing but the information (Kinney and Atwal 2014): invertible maps of a normal pair should \
        not change it, and Y = f(X) + noise should have the same estimate for every f with the same information. These are 42 estimates; a critic takes a \
        minute for 1,000 rows.",
    after_help = "Examples:\n  cpc mi selfcheck\n  cpc mi selfcheck --equitability --estimator auto,ksg,infonce --rows 1000 --svg equitability.svg\n  cpc mi selfcheck --estimator smile,infonce,auto --rows 20000"
)]
pub(crate) struct Selfcheck {
    /// Estimators to check [default: auto,infonce,smile,nwj,dv,mine,ksg,cca; with --equitability auto,ksg,cca]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    estimator: Vec<Estimator>,
    /// Rows per problem [default: 5000; with --equitability 1000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(100..=10_000_000))]
    rows: Option<u32>,
    /// Check maps and relations in place of the above
    #[arg(long)]
    equitability: bool,
    /// Draw the estimates of relations to a .svg file
    #[arg(long, value_name = "FILE", requires = "equitability", value_parser = svg_file())]
    svg: Option<PathBuf>,
    /// The random seed
    #[arg(long, default_value = "0", value_name = "N")]
    seed: u64,
}

impl Selfcheck {
    pub(crate) fn run(&self, terminal: &Terminal) -> Result<()> {
        let settings = Settings { seed: self.seed, ..Settings::default() };
        let (usual, rows) = match self.equitability {
            true => (EQUITABILITY, 1000),
            false => (USUAL, 5000),
        };
        let n = self.rows.unwrap_or(rows) as usize;
        let estimators: Vec<Estimator> = match self.estimator.as_slice() {
            [] => usual.iter().filter_map(|name| name.parse().ok()).collect(),
            chosen => chosen.to_vec(),
        };
        if self.equitability {
            return equitability::run(&estimators, n, &settings, self.svg.as_deref(), terminal);
        }
        let bar = bar(terminal, estimators.len() as u64, "estimators");
        // A failure of one estimator is reported next to the results of the others.
        let job = |i: usize| Ok(check(estimators[i], n, &settings));
        let found = in_parallel(estimators.len(), job, |_| bar.inc(1))?;
        bar.finish_and_clear();
        let mut text = format!("{:<10}", "estimator");
        for head in ["unrelated", "2 of 10", "4 of 10", "6 of 10", "8 of 10", "processed", "doubled", "whole"] {
            write!(text, "  {head:>9}").ok();
        }
        text.push('\n');
        let mut rows: Vec<Value> = Vec::new();
        for (estimator, found) in estimators.iter().zip(found) {
            match found {
                Err(e) => {
                    terminal.warning(&format!("{estimator}: {e}"));
                    rows.push(json!({ "estimator": estimator.to_string(), "error": e.to_string() }));
                }
                Ok(found) => {
                    let shares = &found.shares[..4];
                    let cells = [found.unrelated].into_iter().chain(shares.iter().copied());
                    let cells = cells.chain([found.processing, found.additivity, found.whole]);
                    write!(text, "{:<10}", estimator.to_string()).ok();
                    cells.for_each(|cell| {
                        write!(text, "  {cell:>9.3}").ok();
                    });
                    text.push('\n');
                    rows.push(
                        json!({ "estimator": estimator.to_string(), "unrelated_nats": found.unrelated, "shares": shares,
                        "processed": found.processing, "doubled": found.additivity, "whole": found.whole }),
                    );
                }
            }
        }
        let right = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 2.0, 1.0];
        write!(text, "{:<10}", "right").ok();
        right.iter().for_each(|cell| {
            write!(text, "  {cell:>9.3}").ok();
        });
        writeln!(text, "\n\n{} rows; the truth of the whole is {:.2} nats", n, truth()).ok();
        let bounded = estimators.contains(&Estimator::Neural(Bound::InfoNce));
        if bounded {
            writeln!(text, "infonce cannot exceed the logarithm of 1000, 6.91 nats: two copies have 10").ok();
        }
        terminal.result_or_json(&json!({ "rows": n, "truth_nats": truth(), "estimators": rows }), &text)
    }
}
