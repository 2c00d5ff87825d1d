//! The metrics that a run writes: one line of `metrics.jsonl` per interval, and TensorBoard scalars.

use crate::durable;
use crate::error::{Error, Result};
use crate::observer::{Figures, TrainLine, ValidLine};
use crate::report::tensorboard::EventWriter;
use serde::Serialize;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

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
    serde_json::to_value(line).map_err(|e| Error::failed(format!("metrics: {e}"), "report this as a bug in cpc"))
}

/// The peak resident memory of this process, in bytes, where the system reports it (Linux); otherwise 0.
pub fn peak_rss_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches("kB").trim().parse::<u64>().map_or(0, |kb| kb * 1024)
}
