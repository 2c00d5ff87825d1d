//! Describes runs and data. A model describes itself ([`Model::describe`](crate::kinds::Model::describe)).

use super::Toolkit;
use crate::error::Result;
use crate::hub;
use crate::kinds::{Described, Inspected, Options};
use crate::observer::Session;
use crate::report::plot::{Color, Figure, Panel, Series, Style};
use crate::train::{History, run_dir};
use serde::Serialize;
use serde_json::Value;
use std::fmt;
use std::path::{Path, PathBuf};

/// The progress of a run.
#[derive(Debug, Clone, Serialize)]
pub struct RunInfo {
    /// The run directory.
    pub path: PathBuf,
    /// The kind of its model.
    pub kind: &'static str,
    /// DATA.
    pub data: String,
    /// Number of updates made, according to the metrics.
    pub steps: u64,
    /// Number of updates that the run makes in total.
    pub of: u64,
    /// The last checkpoint.
    pub checkpoint: Option<PathBuf>,
    /// The last line of training metrics.
    pub train: Option<Value>,
    /// The line of metrics of the best validation.
    pub best_validation: Option<Value>,
}

impl Toolkit {
    /// The progress of a run.
    ///
    /// # Errors
    /// There is no run, or its files cannot be read.
    pub fn run_info(&self, run: &Path) -> Result<RunInfo> {
        let config = self.read_config(run)?;
        let history = History::read(run)?;
        let train = history.last_train().cloned();
        Ok(RunInfo {
            path: run.to_path_buf(),
            kind: config.kind().name(),
            data: config.data().into(),
            steps: train.as_ref().and_then(|line| line["step"].as_u64()).unwrap_or(0),
            of: config.train()?.steps,
            checkpoint: run_dir::latest(run)?.map(|(path, _)| path),
            train,
            best_validation: history.best_validation().cloned(),
        })
    }

    /// The curves of a run: its losses, and how often the true future scores highest. `None` before its first line of metrics.
    ///
    /// # Errors
    /// Its files cannot be read.
    pub fn run_curves(&self, run: &Path) -> Result<Option<Figure>> {
        let history = History::read(run)?;
        let line = |kind: &'static str, value: &dyn Fn(&Value) -> Option<f64>| -> Vec<(f64, f64)> {
            history.lines(kind).filter_map(|line| Some((line["step"].as_f64()?, value(line)?))).collect()
        };
        let loss = |line: &Value| line["loss"].as_f64();
        let mut panels = vec![Panel {
            title: "Loss".into(),
            x_label: "updates".into(),
            y_label: "loss".into(),
            series: vec![
                Series::new("training", line("train", &loss), Style::Line).colored(Color::Gray),
                Series::new("validation", line("valid", &loss), Style::Marked).colored(Color::Hue(0)),
            ],
            ..Panel::default()
        }];
        let steps = [1, 4, 12].into_iter().enumerate().map(|(hue, k)| {
            let accuracy = |line: &Value| line["accuracy_per_step"][k - 1].as_f64();
            Series::new(format!("k = {k}"), line("valid", &accuracy), Style::Marked).colored(Color::Hue(hue + 1))
        });
        let steps: Vec<Series> = steps.filter(|series| !series.points.is_empty()).collect();
        if !steps.is_empty() {
            panels.push(Panel {
                title: "The true future scores highest".into(),
                x_label: "updates".into(),
                y_label: "share of validation frames".into(),
                series: steps,
                ..Panel::default()
            });
        }
        panels[0].series.retain(|series| !series.points.is_empty());
        let drawn = !panels[0].series.is_empty();
        Ok(drawn.then_some(Figure { title: None, columns: panels.len(), panels, share_y: false }))
    }

    /// A description of data, by the kind that they are for.
    ///
    /// # Errors
    /// The data cannot be read, their kind does not describe its data, or the kind does not accept an option.
    pub fn inspect(&self, data: &Path, options: &Options, session: &Session) -> Result<Inspected> {
        let here = hub::data(data, session)?;
        self.kind_of_data(&here.path)?.inspect(&here.path, options, session)
    }

    /// A description of a model.
    ///
    /// # Errors
    /// The model cannot be opened.
    pub fn describe(&self, model: &Path, session: &Session) -> Result<Described> {
        self.open(model, session)?.describe()
    }
}

impl fmt::Display for RunInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "run         {}", self.path.display())?;
        writeln!(f, "kind        {}", self.kind)?;
        writeln!(f, "data        {}", self.data)?;
        writeln!(f, "steps       {} of {}", self.steps, self.of)?;
        match &self.checkpoint {
            Some(path) => writeln!(f, "checkpoint  {}", path.display())?,
            None => writeln!(f, "checkpoint  none yet")?,
        }
        let loss = |line: &Value| line["loss"].as_f64().unwrap_or(f64::INFINITY);
        let accuracy = |line: &Value| {
            let first = line["accuracy_per_step"][0].as_f64();
            first.map_or(String::new(), |share| format!(", accuracy at k = 1 {:.2} %", 100.0 * share))
        };
        if let Some(line) = &self.train {
            writeln!(f, "training    loss {:.4}{}{}", loss(line), accuracy(line), speed(line))?;
        }
        if let Some(line) = &self.best_validation {
            let step = &line["step"];
            writeln!(f, "validation  loss {:.4}{} (best, after {step} steps)", loss(line), accuracy(line))?;
        }
        Ok(())
    }
}

/// The speed that a line of training metrics states, whatever its unit.
fn speed(line: &Value) -> String {
    let units = line.as_object().into_iter().flatten();
    let rate = units.filter_map(|(key, value)| Some((key.strip_suffix("_per_second")?, value.as_f64()?))).next();
    match rate {
        Some(("audio_seconds", rate)) => format!(", {rate:.0}x real time"),
        Some((unit, rate)) => format!(", {rate:.0} {} per second", unit.replace('_', " ")),
        None => String::new(),
    }
}
