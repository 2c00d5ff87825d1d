//! Measurements after a GAN is trained: how much of the target distribution its samples cover.

use super::{GanConfig, MineGan, STACKED, Stacks, Target, Toy};
use crate::error::{Error, Result};
use crate::kinds::Job;
use crate::kinds::dim::{DimModel, ImageExtractor};
use crate::nn::ParamStore;
use crate::report::plot::{Color, Figure, Panel, Series, Style};
use crate::report::sheet::sheet;
use crate::seed::stream;
use crate::train::Finished;
use crate::weights::read_tensors;
use crate::{durable, image};
use candle_core::Device;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

/// Number of points that are counted, and number of points that are drawn.
const COUNTED: usize = 10_000;
const DRAWN: usize = 2_000;

/// Number of stacks generated at once.
const AT_ONCE: usize = 500;

/// Number of images in each row and column of the picture of samples.
const ACROSS: usize = 16;

/// The distribution that a generator imitates, and the classifier that evaluates its samples.
pub(super) enum Evaluator {
    Toy(Toy),
    Stacks(Arc<Stacks>, Box<ImageExtractor>),
}

impl Evaluator {
    /// The evaluator of a configuration's data.
    ///
    /// # Errors
    /// There is no such distribution, or there is no classifier for stacked images.
    pub fn new(config: &GanConfig, job: &Job) -> Result<Evaluator> {
        match config.data.path.strip_prefix(STACKED) {
            Some(dir) => Evaluator::stacks(config, dir, job),
            None => Ok(Evaluator::Toy(config.data.path.parse().map_err(|what: String| {
                let remedy = "this preset imitates a distribution in the plane (toy:25-gaussians or toy:spiral), or stacked images (stacked:DIR)";
                Error::usage(format!("DATA {what}"), remedy)
            })?)),
        }
    }

    fn stacks(config: &GanConfig, dir: &str, job: &Job) -> Result<Evaluator> {
        let images = image::open(Path::new(dir))?;
        let remedy = "train one with `cpc pretrain DIR --preset image-supervised --out RUN`, and name it with \
                      --set data.classifier=RUN";
        if config.data.classifier.is_empty() {
            return Err(Error::usage("stacked images are counted by a classifier, and none is given", remedy));
        }
        let classifier = DimModel::open(Path::new(&config.data.classifier))?;
        let evaluator = ImageExtractor::open(&classifier, &job.session.device)?;
        let few = image::ImageSet {
            labels: images.train.labels[..1].to_vec(),
            pixels: images.train.image(0).to_vec(),
            size: images.train.size,
        };
        if evaluator.labels(&few)?.is_none() {
            let what = format!("{} was trained without labels: it is not a classifier", config.data.classifier);
            return Err(Error::usage(what, remedy));
        }
        let stacks = Stacks::new(images.train, images.classes.len())?;
        Ok(Evaluator::Stacks(Arc::new(stacks), Box::new(evaluator)))
    }

    /// The distribution that is target.
    pub fn target(&self) -> Target {
        match self {
            Evaluator::Toy(toy) => Target::Toy(*toy),
            Evaluator::Stacks(stacks, _) => Target::Stacks(stacks.clone()),
        }
    }

    /// Counts the modes that were reached. Samples are written to files and drawn.
    ///
    /// # Errors
    /// The model cannot be read, or a file cannot be written.
    pub fn conclude(&self, config: &GanConfig, finished: &Finished) -> Result<BTreeMap<&'static str, f64>> {
        let store = ParamStore::new(config.seed, &Device::Cpu);
        let gan = MineGan::new(config, self.target().samples(), &store)?;
        let file = finished.model.join("model.safetensors");
        store.load(&read_tensors(&file)?, None, &file.display().to_string())?;
        match self {
            Evaluator::Toy(toy) => Evaluator::points(config, *toy, &gan, finished.run()),
            Evaluator::Stacks(stacks, classifier) => {
                Evaluator::stacked(config, stacks, classifier, &gan, finished.run())
            }
        }
    }

    /// The number of modes that were reached, and the share of samples near a mode. Samples are written to `samples.csv` and drawn in
    /// `samples.svg`.
    fn points(config: &GanConfig, toy: Toy, game: &MineGan, run: &Path) -> Result<BTreeMap<&'static str, f64>> {
        let samples = game.samples(COUNTED, &mut stream(config.seed, "samples", 0))?;
        let samples: Vec<[f32; 2]> = samples.chunks_exact(2).map(|point| [point[0], point[1]]).collect();
        let coverage = toy.coverage(&samples);
        let mut csv = String::from("x,y\n");
        for [x, y] in &samples {
            let _ = writeln!(csv, "{x},{y}");
        }
        durable::write(&run.join("samples.csv"), csv.as_bytes())?;
        let mut s = stream(config.seed, "drawn", 0);
        let real: Vec<[f32; 2]> = (0..DRAWN).map(|_| toy.draw(&mut s)).collect();
        let dots = |name: &str, points: &[[f32; 2]], color: Color| {
            let points = points.iter().map(|&[x, y]| (f64::from(x), f64::from(y))).collect();
            Series::new(name, points, Style::Points).colored(color)
        };
        let made = samples.get(..DRAWN).unwrap_or(&samples);
        let panel = Panel {
            title: format!("{toy}, beta {}: {} of {} modes", config.objective.beta, coverage.reached, coverage.modes),
            series: vec![dots("data", &real, Color::Gray), dots("generator", made, Color::Hue(0))],
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

    /// The number of triples of labels that were reached, and their divergence from uniform. Some samples are drawn in `samples.png`.
    fn stacked(
        config: &GanConfig,
        stacks: &Stacks,
        classifier: &ImageExtractor,
        game: &MineGan,
        run: &Path,
    ) -> Result<BTreeMap<&'static str, f64>> {
        let (mut labels, mut s) = (Vec::new(), stream(config.seed, "samples", 0));
        for first in (0..config.data.counted).step_by(AT_ONCE) {
            let made = game.samples(AT_ONCE.min(config.data.counted - first), &mut s)?;
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
