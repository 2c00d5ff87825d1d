//! Generators of points on the plane and of stacked images, with MINE against mode collapse.

use super::images::start;
use super::subject::{Job, Subject};
use crate::config::{GanConfig, TrainConfig};
use crate::durable;
use crate::error::{Error, Result};
use crate::features::ImageExtractor;
use crate::image::{self, STACKED, Stacks};
use crate::model::MineGan;
use crate::nn::ParamStore;
use crate::report::plot::{Color, Figure, Panel, Series, Style};
use crate::report::sheet::sheet;
use crate::seed::stream;
use crate::toy::{self, Toy};
use crate::train::{Finished, GanTask, Imitated, Start, Task};
use crate::weights::{DimModel, read_tensors};
use candle_core::Device;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

/// Points that are counted, and those that are drawn.
const COUNTED: usize = 10_000;
const DRAWN: usize = 2_000;

/// Stacks that are made at once.
const AT_ONCE: usize = 500;

/// Images in a line and in a column of the picture of samples.
const ACROSS: usize = 16;

/// What a generator imitates, and what tells how well it does.
pub(super) enum Judge {
    Toy(Toy),
    Stacks(Arc<Stacks>, Box<ImageExtractor>),
}

/// Whether DATA is for generators.
pub(super) fn is_imitated(data: &Path) -> bool {
    data.to_str().is_some_and(|text| text.starts_with(toy::PREFIX) || text.starts_with(STACKED))
}

impl GanConfig {
    fn stacks(&self, dir: &str, job: &Job) -> Result<Judge> {
        let images = image::open(Path::new(dir))?;
        let remedy = "train one with `cpc pretrain DIR --preset image-supervised --out RUN`, and name it with \
                      --set data.classifier=RUN";
        if self.data.classifier.is_empty() {
            return Err(Error::usage("stacked images are told apart by a classifier, and none is given", remedy));
        }
        let classifier = DimModel::open(Path::new(&self.data.classifier))?;
        let judge = ImageExtractor::open(&classifier, job.device)?;
        let few = image::ImageSet {
            labels: images.train.labels[..1].to_vec(),
            pixels: images.train.image(0).to_vec(),
            size: images.train.size,
        };
        if judge.labels(&few)?.is_none() {
            let what = format!("{} was trained without labels: it is no classifier", self.data.classifier);
            return Err(Error::usage(what, remedy));
        }
        let stacks = Stacks::new(images.train, images.classes.len())?;
        Ok(Judge::Stacks(Arc::new(stacks), Box::new(judge)))
    }
}

impl Subject for GanConfig {
    type Task = GanTask;
    type Material = Judge;

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

    fn follow(&mut self, new: &GanConfig) {
        self.data.clone_from(&new.data);
    }

    fn prepare(&mut self, job: &Job) -> Result<(GanTask, Start, Judge)> {
        let judge = match self.data.path.strip_prefix(STACKED) {
            Some(dir) => self.stacks(dir, job)?,
            None => Judge::Toy(self.data.path.parse().map_err(|what: String| {
                let remedy = "this preset imitates a distribution on the plane, or stacked images (stacked:DIR)";
                Error::usage(format!("DATA {what}"), remedy)
            })?),
        };
        let task = GanTask::new(self, judge.imitated(), job.at(), job.device)?;
        Ok((task, start(job), judge))
    }

    fn describe(&self, task: &GanTask) -> String {
        format!(
            "model: {:.3} M parameters; the generator is paid {} a nat of I(G([e, c]); c)",
            task.params().num_trainable() as f64 / 1e6,
            self.objective.beta
        )
    }

    /// How many modes were reached; samples are written and drawn.
    fn conclude(&self, finished: &Finished, judge: &Judge) -> Result<BTreeMap<&'static str, f64>> {
        let store = ParamStore::new(self.seed, &Device::Cpu);
        let game = MineGan::new(self, judge.imitated().samples(), &store)?;
        let file = finished.model.join("model.safetensors");
        store.load(&read_tensors(&file)?, None, &file.display().to_string())?;
        let run = finished.model.parent().unwrap_or(&finished.model);
        match judge {
            Judge::Toy(toy) => self.points(*toy, &game, run),
            Judge::Stacks(stacks, classifier) => self.stacked(stacks, classifier, &game, run),
        }
    }
}

impl Judge {
    fn imitated(&self) -> Imitated {
        match self {
            Judge::Toy(toy) => Imitated::Toy(*toy),
            Judge::Stacks(stacks, _) => Imitated::Stacks(stacks.clone()),
        }
    }
}

impl GanConfig {
    /// Modes that were reached and the share of samples near one; samples go to `samples.csv` and, drawn, to `samples.svg`.
    fn points(&self, toy: Toy, game: &MineGan, run: &Path) -> Result<BTreeMap<&'static str, f64>> {
        let samples = game.samples(COUNTED, &mut stream(self.seed, "samples", 0))?;
        let samples: Vec<[f32; 2]> = samples.chunks_exact(2).map(|point| [point[0], point[1]]).collect();
        let coverage = toy.coverage(&samples);
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

    /// Triples of labels that were reached, and how far from even they are; some samples are drawn in `samples.png`.
    fn stacked(
        &self,
        stacks: &Stacks,
        classifier: &ImageExtractor,
        game: &MineGan,
        run: &Path,
    ) -> Result<BTreeMap<&'static str, f64>> {
        let (mut labels, mut s) = (Vec::new(), stream(self.seed, "samples", 0));
        for first in (0..self.data.counted).step_by(AT_ONCE) {
            let made = game.samples(AT_ONCE.min(self.data.counted - first), &mut s)?;
            labels.extend(classifier.labels(&stacks.planes(&made))?.unwrap_or_default());
            if first == 0 {
                let n = made.len() / stacks.size().numbers();
                let pixels = made.iter().map(|&x| ((x + 1.0) * 127.5).round() as u8).collect();
                let set = image::ImageSet { size: stacks.size(), pixels, labels: vec![0; n] };
                let lines: Vec<Vec<usize>> =
                    (0..n.min(ACROSS * ACROSS)).collect::<Vec<_>>().chunks(ACROSS).map(<[usize]>::to_vec).collect();
                durable::write(&run.join("samples.png"), &sheet(&set, &lines, false)?)?;
            }
        }
        let spread = stacks.spread(&labels);
        Ok(BTreeMap::from([
            ("modes", spread.modes as f64),
            ("modes_reached", spread.reached as f64),
            ("divergence", spread.divergence),
        ]))
    }
}
