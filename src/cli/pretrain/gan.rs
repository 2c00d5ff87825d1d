//! Generators of points on the plane, with MINE against mode collapse.

use super::images::start;
use super::subject::{Job, Subject};
use crate::config::{GanConfig, TrainConfig};
use crate::durable;
use crate::error::{Error, Result};
use crate::model::MineGan;
use crate::nn::ParamStore;
use crate::report::plot::{Color, Figure, Panel, Series, Style};
use crate::seed::stream;
use crate::toy::Toy;
use crate::train::{Finished, GanTask, Start, Task};
use crate::weights::read_tensors;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Samples that are counted, and those that are drawn.
const COUNTED: usize = 10_000;
const DRAWN: usize = 2_000;

impl Subject for GanConfig {
    type Task = GanTask;
    type Material = Toy;

    fn train(&self) -> &TrainConfig {
        &self.train
    }

    fn train_mut(&mut self) -> &mut TrainConfig {
        &mut self.train
    }

    fn seed(&self) -> u64 {
        self.seed
    }

    fn data_path(&mut self) -> &mut String {
        &mut self.data.path
    }

    fn follow(&mut self, _: &GanConfig) {}

    fn prepare(&mut self, job: &Job) -> Result<(GanTask, Start, Toy)> {
        let toy: Toy = self.data.path.parse().map_err(|what: String| {
            Error::usage(format!("DATA {what}"), "this preset imitates a distribution on the plane")
        })?;
        Ok((GanTask::new(self, toy, job.at(), job.device)?, start(job), toy))
    }

    fn describe(&self, task: &GanTask) -> String {
        format!(
            "model: {:.3} M parameters; the generator is paid {} a nat of I(G([e, c]); c)",
            task.params().num_trainable() as f64 / 1e6,
            self.objective.beta
        )
    }

    /// Modes that were reached and the share of samples near one; samples go to `samples.csv` and, drawn, to `samples.svg`.
    fn conclude(&self, finished: &Finished, toy: &Toy) -> Result<BTreeMap<&'static str, f64>> {
        let store = ParamStore::new(self.seed, &candle_core::Device::Cpu);
        let game = MineGan::new(self, 2, &store)?;
        let file = finished.model.join("model.safetensors");
        store.load(&read_tensors(&file)?, None, &file.display().to_string())?;
        let samples = game.samples(COUNTED, &mut stream(self.seed, "samples", 0))?;
        let coverage = toy.coverage(&samples);
        let run = finished.model.parent().unwrap_or(&finished.model);
        let mut csv = String::from("x,y\n");
        for [x, y] in &samples {
            let _ = writeln!(csv, "{x},{y}");
        }
        durable::write(&run.join("samples.csv"), csv.as_bytes())?;
        let mut s = stream(self.seed, "drawn", 0);
        let real: Vec<[f32; 2]> = (0..DRAWN).map(|_| toy.draw(&mut s)).collect();
        let dots = |name: &str, points: &[[f32; 2]], color: Color| {
            let points = points.iter().map(|&[x, y]| (f64::from(x), f64::from(y))).collect();
            Series::new(name, points, Style::Points).colored(color)
        };
        let made = samples.get(..DRAWN).unwrap_or(&samples);
        let panel = Panel {
            title: format!("{toy}, beta {}: {} of {} modes", self.objective.beta, coverage.reached, coverage.modes),
            series: vec![dots("data", &real, Color::Grey), dots("generator", made, Color::Hue(0))],
            x_range: Some((-5.0, 5.0)),
            y_range: Some((-5.0, 5.0)),
            equal_units: true,
            ..Panel::default()
        };
        let figure = Figure { panels: vec![panel], ..Figure::default() };
        durable::write(&run.join("samples.svg"), figure.svg()?.as_bytes())?;
        Ok(BTreeMap::from([
            ("modes", coverage.modes as f64),
            ("modes_reached", coverage.reached as f64),
            ("near_a_mode", coverage.near),
        ]))
    }
}
