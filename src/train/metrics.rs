//! The metrics that a run writes: one line of `metrics.jsonl` per interval, and TensorBoard scalars.

use crate::durable;
use crate::error::{Error, Result};
use crate::report::tensorboard::EventWriter;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

/// Metrics of batches: loss and accuracy of each step k with the accuracy at chance, and metrics by name.
#[derive(Debug, Default, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// Mean over the K steps, in nats; or the metric named `loss`.
    pub loss: f64,
    /// Loss of each step k, in nats.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub loss_per_step: Vec<f64>,
    /// The fraction of positions whose true future scores highest, for each step k.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accuracy_per_step: Vec<f64>,
    /// log(N + 1) - loss, for each step k: a lower bound on the mutual information of c_t and z_{t+k}, in nats.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bound_per_step: Vec<f64>,
    /// The accuracy at chance: 1 / (N + 1); 0 for models without steps.
    #[serde(skip_serializing_if = "is_zero")]
    pub chance: f64,
    /// Metrics by name, for models without steps.
    #[serde(flatten)]
    pub named: BTreeMap<&'static str, f64>,
}

fn is_zero(x: &f64) -> bool {
    *x == 0.0
}

impl Figures {
    /// The metrics for losses and accuracies of each step, with `negatives` negatives.
    pub fn new(loss: Vec<f64>, accuracy: Vec<f64>, negatives: f64) -> Self {
        let candidates = negatives + 1.0;
        Figures {
            loss: loss.iter().sum::<f64>() / loss.len().max(1) as f64,
            bound_per_step: loss.iter().map(|l| candidates.ln() - l).collect(),
            loss_per_step: loss,
            accuracy_per_step: accuracy,
            chance: 1.0 / candidates,
            named: BTreeMap::new(),
        }
    }

    /// The metrics for values in the order of [`Measured::values`](super::task::Measured).
    pub(super) fn of(values: &[f64], steps: usize, names: &[&'static str], negatives: f64) -> Self {
        if steps > 0 {
            let (loss, rest) = values.split_at(steps.min(values.len()));
            return Figures::new(loss.to_vec(), rest[..steps.min(rest.len())].to_vec(), negatives);
        }
        let mut named: BTreeMap<&'static str, f64> = names.iter().copied().zip(values.iter().copied()).collect();
        Figures { loss: named.remove("loss").unwrap_or_default(), named, ..Figures::default() }
    }
}

/// A line of training metrics: means over the batches since the last line, unless stated otherwise.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrainLine {
    /// Number of updates made.
    pub step: u64,
    /// The epoch of the last batch, from 0.
    pub epoch: u64,
    /// The learning rate of the last update.
    pub lr: f64,
    /// The metrics.
    #[serde(flatten)]
    pub figures: Figures,
    /// The global norm of the last update's gradient, before clipping.
    pub grad_norm: f64,
    /// The median duration of a complete step, in seconds.
    pub step_seconds: f64,
    /// The mean time that the trainer waited for data, in seconds per step.
    pub data_wait_seconds: f64,
    /// The amount of data trained on, in its unit, per second of wall-clock time.
    #[serde(skip)]
    pub rate: f64,
    /// The peak resident memory of the process, in bytes; 0 where the system does not report it.
    pub peak_rss_bytes: u64,
}

/// A line of validation metrics.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ValidLine {
    /// Number of updates made before it.
    pub step: u64,
    /// The metrics, means over the validation windows.
    #[serde(flatten)]
    pub figures: Figures,
    /// The mean standard deviation of the dimensions of z.
    pub spread: f64,
    /// The number of directions that z uses: the participation ratio of the eigenvalues of its covariance.
    pub effective_rank: f64,
    /// Number of validation windows.
    pub windows: usize,
    /// The duration of the validation, in seconds.
    pub seconds: f64,
}

/// Writes the metrics of a run.
pub struct Metrics {
    path: PathBuf,
    lines: File,
    events: EventWriter,
    unit: &'static str,
}

impl Metrics {
    /// Opens the metrics of a run directory for a run that resumes after `step` updates. Lines of later steps, which will be run again,
    /// are removed.
    pub fn open(run: &Path, step: u64, unit: &'static str) -> Result<Self> {
        let path = run.join("metrics.jsonl");
        if path.exists() {
            let mut kept = Vec::new();
            for line in BufReader::new(File::open(&path).map_err(Error::io(&path, "read"))?).lines() {
                let line = line.map_err(Error::io(&path, "read"))?;
                let at = serde_json::from_str::<serde_json::Value>(&line).ok().and_then(|v| v["step"].as_u64());
                if at.is_some_and(|at| at <= step) {
                    kept.extend_from_slice(line.as_bytes());
                    kept.push(b'\n');
                }
            }
            durable::write(&path, &kept)?;
        }
        let lines = OpenOptions::new().create(true).append(true).open(&path).map_err(Error::io(&path, "write"))?;
        Ok(Metrics { events: EventWriter::create(run, step)?, path, lines, unit })
    }

    fn line(&mut self, mut value: serde_json::Value, kind: &str) -> Result<()> {
        value["kind"] = kind.into();
        writeln!(self.lines, "{value}").map_err(Error::io(&self.path, "write"))
    }

    fn figures(&mut self, group: &str, step: u64, figures: &Figures) -> Result<()> {
        self.events.scalar(&format!("{group}/loss"), step, figures.loss)?;
        for (i, (loss, accuracy)) in figures.loss_per_step.iter().zip(&figures.accuracy_per_step).enumerate() {
            self.events.scalar(&format!("{group}_loss/k{:02}", i + 1), step, *loss)?;
            self.events.scalar(&format!("{group}_accuracy/k{:02}", i + 1), step, *accuracy)?;
        }
        for (name, value) in &figures.named {
            self.events.scalar(&format!("{group}/{name}"), step, *value)?;
        }
        Ok(())
    }

    /// Writes a line of training metrics.
    pub fn train(&mut self, line: &TrainLine) -> Result<()> {
        let mut value = to_json(line)?;
        value[format!("{}_per_second", self.unit)] = line.rate.into();
        self.line(value, "train")?;
        self.figures("train", line.step, &line.figures)?;
        for (tag, value) in [
            ("train/lr", line.lr),
            ("train/grad_norm", line.grad_norm),
            ("speed/step_seconds", line.step_seconds),
            ("speed/data_wait_seconds", line.data_wait_seconds),
        ] {
            self.events.scalar(tag, line.step, value)?;
        }
        self.events.scalar(&format!("speed/{}_per_second", self.unit), line.step, line.rate)
    }

    /// Writes a line of validation metrics.
    pub fn valid(&mut self, line: &ValidLine) -> Result<()> {
        self.line(to_json(line)?, "valid")?;
        self.figures("valid", line.step, &line.figures)?;
        self.events.scalar("valid/spread", line.step, line.spread)?;
        self.events.scalar("valid/effective_rank", line.step, line.effective_rank)
    }
}

fn to_json(line: &impl Serialize) -> Result<serde_json::Value> {
    serde_json::to_value(line).map_err(|e| Error::failed(format!("metrics: {e}"), "report this as a fault of cpc"))
}

/// The peak resident memory of this process, in bytes, where the system reports it (Linux); otherwise 0.
pub fn peak_rss_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches("kB").trim().parse::<u64>().map_or(0, |kb| kb * 1024)
}
