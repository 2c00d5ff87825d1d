//! `cpc mi bench`: estimators on problems whose mutual information is known.

use crate::command::console::bar;
use crate::command::terminal::Terminal;
use crate::durable;
use crate::error::{Error, Result};
use crate::mi::bench::{Run, SILENT, bench, score};
use crate::mi::estimate::Estimator;
use crate::mi::tasks::{Problem, Suite};
use clap::Args;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::PathBuf;
use std::time::Instant;

/// Options of `cpc mi bench`.
#[derive(Debug, Args)]
#[command(
    about = "Test estimators on problems whose mutual information is known",
    long_about = "Test estimators on problems whose mutual information is known:\n\n  \
        beyond-normal: the forty tasks of Czyz et al. 2023\n  \
        mixtures: mixtures of normal variables, zeros and amounts, counts, labels, and information given a third variable\n  \
        images: drawn digits, spots and letters, with up to 256 columns a side\n\n\
        An estimator uses the same settings for every task. The line `mean absolute error` is over all runs, in nats; a run that \
        ends in an error counts as infinitely wrong. The next line counts runs that are off by more than 0.1 nats without a warning. Core seconds are those of \
        all runs. All cores are used, one run per core.",
    after_help = "Examples:\n  \
        cpc mi bench                                           # auto, 10,000 rows, one seed\n  \
        cpc mi bench --rows 1000 --seeds 5 --estimator auto,infonce,ksg,cca\n  \
        cpc mi bench --task 'spiral*' --estimator auto,mine --csv runs.csv\n  \
        cpc mi bench --suite mixtures --rows 1000 --seeds 3 --estimator auto,ksg,infonce,mine"
)]
pub(crate) struct Bench {
    /// The problems: beyond-normal, mixtures or images
    #[arg(long, default_value = "beyond-normal", value_name = "NAME")]
    suite: Suite,
    /// Rows per task
    #[arg(long, default_value = "10000", value_name = "N", value_parser = clap::value_parser!(u32).range(20..=10_000_000))]
    rows: u32,
    /// Number of seeds, starting from 1
    #[arg(long, default_value = "1", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    seeds: u32,
    /// Estimators to test
    #[arg(long, default_value = "auto", value_name = "NAME", value_delimiter = ',')]
    estimator: Vec<Estimator>,
    /// Tasks by name or pattern (*, ?) [default: all]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    task: Vec<String>,
    /// Write every run to a CSV file
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
}

impl Bench {
    pub(crate) fn run(&self, terminal: &Terminal) -> Result<()> {
        let tasks = chosen(self.suite, &self.task)?;
        let seeds: Vec<u64> = (1..=u64::from(self.seeds)).collect();
        let total = tasks.len() * seeds.len() * self.estimator.len();
        let bar = bar(terminal, total as u64, "runs");
        let began = Instant::now();
        let runs = bench(&tasks, &self.estimator, self.rows as usize, &seeds, false, || bar.inc(1))?;
        bar.finish_and_clear();
        let seconds = began.elapsed().as_secs_f64();
        if let Some(path) = &self.csv {
            durable::write(path, self.csv(&runs, &tasks).as_bytes())?;
        }
        for run in &runs {
            if let Err(what) = &run.nats {
                let estimator = self.estimator[run.estimator];
                terminal.warning(&format!("{estimator} on {}, seed {}: {what}", tasks[run.task].name(), run.seed));
            }
        }
        terminal.note(&format!("{total} runs in {seconds:.0} s"));
        terminal.result_or_json(&self.json(&runs, &tasks, seconds), &self.text(&runs, &tasks))
    }

    /// The estimates of one estimator for one task.
    fn values(runs: &[Run], task: usize, estimator: usize) -> Vec<f64> {
        let mine = runs.iter().filter(|r| r.task == task && r.estimator == estimator);
        mine.filter_map(|r| r.nats.as_ref().ok().copied()).collect()
    }

    fn text(&self, runs: &[Run], tasks: &[Problem]) -> String {
        let width = tasks.iter().map(|t| t.label().chars().count()).max().unwrap_or(0).max(20);
        let mut text = format!("{:<width$}  {:>6}", "task", "truth");
        for estimator in &self.estimator {
            write!(text, "  {:>9}", estimator.to_string()).ok();
        }
        text.push('\n');
        for (i, task) in tasks.iter().enumerate() {
            write!(text, "{:<width$}  {:>6.3}", task.label(), task.truth()).ok();
            for estimator in 0..self.estimator.len() {
                let values = Self::values(runs, i, estimator);
                let mean = values.iter().sum::<f64>() / values.len() as f64;
                let shown = if values.is_empty() { "-".into() } else { format!("{mean:.3}") };
                write!(text, "  {shown:>9}").ok();
            }
            text.push('\n');
        }
        let foot = |text: &mut String, name: &str, value: &dyn Fn(usize) -> String| {
            write!(text, "{name:<width$}  {:>6}", "").ok();
            (0..self.estimator.len()).for_each(|e| {
                write!(text, "  {:>9}", value(e)).ok();
            });
            text.push('\n');
        };
        text.push('\n');
        foot(&mut text, "mean absolute error", &|e| format!("{:.3}", score(runs, tasks, e, None).mean_absolute_error));
        let silent = format!("off by more than {SILENT}, no warning");
        foot(&mut text, &silent, &|e| score(runs, tasks, e, None).silent.to_string());
        foot(&mut text, "core seconds", &|e| format!("{:.0}", score(runs, tasks, e, None).seconds));
        writeln!(text, "\n{} rows, {} seeds; means over seeds, in nats", self.rows, self.seeds).ok();
        text
    }

    fn json(&self, runs: &[Run], tasks: &[Problem], seconds: f64) -> Value {
        let of = |e: usize| {
            let all = score(runs, tasks, e, None);
            let each: Vec<Value> = tasks
                .iter()
                .enumerate()
                .map(|(i, task)| {
                    json!({ "task": task.name(), "truth": task.truth(), "estimates": Self::values(runs, i, e),
                        "mean_absolute_error": score(runs, tasks, e, Some(i)).mean_absolute_error })
                })
                .collect();
            json!({ "estimator": self.estimator[e].to_string(), "mean_absolute_error": all.mean_absolute_error,
                "failed": all.failed, "silent": all.silent, "seconds": all.seconds, "tasks": each })
        };
        let estimators: Vec<Value> = (0..self.estimator.len()).map(of).collect();
        json!({ "suite": self.suite.to_string(), "rows": self.rows, "seeds": self.seeds, "unit": "nats", "seconds": seconds, "estimators": estimators })
    }

    fn csv(&self, runs: &[Run], tasks: &[Problem]) -> String {
        let mut text = String::from("task,rows,seed,estimator,truth_nats,estimate_nats,seconds,warned,method\n");
        for run in runs {
            let task = &tasks[run.task];
            let nats = run.nats.as_ref().map_or(String::new(), f64::to_string);
            let estimator = self.estimator[run.estimator];
            let (name, truth, method) = (task.name(), task.truth(), run.method.replace('"', "'"));
            writeln!(
                text,
                "{name},{},{},{estimator},{truth},{nats},{:.2},{},\"{method}\"",
                self.rows, run.seed, run.seconds, run.warned
            )
            .ok();
        }
        text
    }
}

/// The tasks of a suite with these names or patterns; all for none.
///
/// # Errors
/// There is no such task.
pub(super) fn chosen(suite: Suite, patterns: &[String]) -> Result<Vec<Problem>> {
    let all = suite.problems();
    if patterns.is_empty() {
        return Ok(all);
    }
    let names: Vec<String> = all.iter().map(|t| t.name().to_string()).collect();
    let wanted = |task: &Problem| patterns.iter().any(|p| crate::mi::input::matches(p, task.name()));
    let tasks: Vec<Problem> = all.into_iter().filter(wanted).collect();
    if tasks.is_empty() {
        let what = format!("there is no task {}", patterns.join(" or "));
        return Err(Error::usage(what, format!("choose from {}", names.join(", "))));
    }
    Ok(tasks)
}
