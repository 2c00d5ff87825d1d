//! `cpc mi coverage`: how often 95 % intervals hold the truth.

use super::bench::chosen;
use crate::command::console::bar;
use crate::command::terminal::Terminal;
use crate::error::Result;
use crate::mi::bench::{Coverage, bench, coverage};
use crate::mi::estimate::Estimator;
use crate::mi::tasks::Suite;
use clap::Args;
use serde_json::{Value, json};
use std::fmt::Write;

/// Options of `cpc mi coverage`.
#[derive(Debug, Args)]
#[command(
    about = "How often the 95 % interval of an estimator holds the truth, on tasks where it is known",
    long_about = "How often the 95 % interval of an estimator holds the truth, on the problems of `cpc mi bench`.\n\n\
        An interval says how much the estimate would vary with other samples of the same size. `sd` is how much it varies over the seeds, `claimed` is \
        what the intervals say. `holds` is how often they hold the truth, `mean` how often they hold the mean of the estimates: where the second is \
        high and the first low, the estimator is biased, which no interval knows.\n\n\
        With --independent, X and Y of each task are from two samples, so the truth is 0.",
    after_help = "Examples:\n  \
        cpc mi coverage --estimator copula --seeds 200\n  \
        cpc mi coverage --task '1v1*' --estimator ksg --independent"
)]
pub(crate) struct CoverageCommand {
    /// The problems: beyond-normal, mixtures or images
    #[arg(long, default_value = "beyond-normal", value_name = "NAME")]
    suite: Suite,
    /// Rows per task
    #[arg(long, default_value = "1000", value_name = "N", value_parser = clap::value_parser!(u32).range(20..=10_000_000))]
    rows: u32,
    /// Number of seeds, starting from 1
    #[arg(long, default_value = "50", value_name = "N", value_parser = clap::value_parser!(u32).range(2..=100_000))]
    seeds: u32,
    /// The estimator
    #[arg(long, default_value = "auto", value_name = "NAME")]
    estimator: Estimator,
    /// Tasks by name or pattern (*, ?) [default: all]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    task: Vec<String>,
    /// X and Y from two samples: the truth is 0
    #[arg(long)]
    independent: bool,
}

impl CoverageCommand {
    pub(crate) fn run(&self, terminal: &Terminal) -> Result<()> {
        let tasks = chosen(self.suite, &self.task)?;
        let seeds: Vec<u64> = (1..=u64::from(self.seeds)).collect();
        let bar = bar(terminal, (tasks.len() * seeds.len()) as u64, "runs");
        let estimators = [self.estimator];
        let runs = bench(&tasks, &estimators, self.rows as usize, &seeds, self.independent, || bar.inc(1))?;
        bar.finish_and_clear();
        for run in &runs {
            if let Err(what) = &run.nats {
                terminal.warning(&format!("{}, seed {}: {what}", tasks[run.task].name(), run.seed));
            }
        }
        let truth = |task: usize| if self.independent { 0.0 } else { tasks[task].truth() };
        let found: Vec<Coverage> = (0..tasks.len()).map(|task| coverage(&runs, 0, task, truth(task))).collect();
        let width = tasks.iter().map(|t| t.label().chars().count()).max().unwrap_or(0).max(20);
        let mut text = format!(
            "{:<width$}  {:>6}  {:>8}  {:>7}  {:>7}  {:>7}  {:>7}\n",
            "task", "truth", "estimate", "sd", "claimed", "holds", "mean"
        );
        let percent = |part: usize, of: usize| match of {
            0 => "-".into(),
            _ => format!("{:.1} %", 100.0 * part as f64 / of as f64),
        };
        for (at, (task, c)) in tasks.iter().zip(&found).enumerate() {
            let nats = |nats: f64, digits: usize| if c.runs > 0 { format!("{nats:.digits$}") } else { "-".into() };
            writeln!(
                text,
                "{:<width$}  {:>6.3}  {:>8}  {:>7}  {:>7}  {:>7}  {:>7}",
                task.label(),
                truth(at),
                nats(c.mean, 3),
                nats(c.deviation, 4),
                nats(c.claimed, 4),
                percent(c.held, c.runs),
                percent(c.held_mean, c.runs)
            )
            .ok();
        }
        let all = |of: fn(&Coverage) -> usize| found.iter().map(of).sum::<usize>();
        let runs_found = all(|c| c.runs);
        writeln!(
            text,
            "\n{:<width$}  {:>6}  {:>8}  {:>7}  {:>7}  {:>7}  {:>7}\n\n{}, {} rows, {} seeds",
            "all",
            "",
            "",
            "",
            "",
            percent(all(|c| c.held), runs_found),
            percent(all(|c| c.held_mean), runs_found),
            self.estimator,
            self.rows,
            self.seeds
        )
        .ok();
        let rows: Vec<Value> = tasks
            .iter()
            .zip(&found)
            .enumerate()
            .map(|(at, (task, c))| {
                json!({ "task": task.name(), "truth": truth(at), "mean": c.mean, "sd": c.deviation, "claimed": c.claimed, "held": c.held,
                    "held_mean": c.held_mean, "runs": c.runs })
            })
            .collect();
        let result = json!({ "suite": self.suite.to_string(), "estimator": self.estimator.to_string(), "rows": self.rows, "seeds": self.seeds, "independent": self.independent, "tasks": rows });
        terminal.result_or_json(&result, &text)
    }
}
