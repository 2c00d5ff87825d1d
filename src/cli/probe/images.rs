//! Images: what a classifier reads off the features of models of Deep InfoMax.

use super::{Baseline, L2, MAP_POINTS, Named, Probe, page};
use crate::cli::{Terminal, remote};
use crate::device;
use crate::durable;
use crate::error::{Error, Result};
use crate::eval::probe::labels::Labels;
use crate::eval::probe::pca;
use crate::eval::probe::split::Split;
use crate::eval::probe::study::{Rows, Task, probe_rows};
use crate::features::{ImageExtractor, ImageLayer};
use crate::image::{self, ImageSet, Images};
use crate::report::probe_page::{neighbours, render};
use crate::weights::DimModel;
use std::collections::HashMap;

/// Principal components of the baseline `pca`: as many numbers as Y has.
const COMPONENTS: usize = 64;

/// Images whose nearest neighbours a report shows.
const SHOWN: usize = 20;

impl Probe {
    pub(super) fn images(&self, named: &[Named], terminal: &Terminal) -> Result<()> {
        let unused = self.labels.is_some() || self.train.is_some() || self.test.is_some() || self.folds.is_some();
        if unused {
            return Err(Error::usage(
                "--labels, --train, --test and --folds are for recordings and text",
                "leave them out: a data set of images says what is trained on and tested, and with which labels",
            ));
        }
        let Some(data) = &self.data else {
            return Err(Error::usage("no images to probe with", "name them with --data"));
        };
        let place = remote::recordings(data, terminal)?;
        let images = image::open(&place.path)?;
        if images.test.is_empty() {
            return Err(Error::failed(
                format!("{}: has no images to test on", place.name),
                "give a data set with a test part",
            ));
        }
        let layers = self.layers::<ImageLayer>("y", "choose conv, fc or y")?;
        let mut task = Task::new(
            Labels::Utterances { path: place.name.clone().into(), labels: HashMap::default() },
            Split::Folds { folds: 1, among: None },
        );
        task.hidden = self.hidden.map(|units| units as usize);
        task.l2 = if let L2::Given(l2) = self.l2 { Some(l2) } else { None };
        task.seed = self.seed;
        task.map_points = if self.report.is_some() { MAP_POINTS } else { 0 };
        task.stop = crate::cli::interrupt::interruptible()?;
        let labels: Vec<String> = [&images.train, &images.test]
            .iter()
            .flat_map(|set| set.labels.iter().map(|&label| images.classes[label as usize].clone()))
            .collect();
        let note = |text: &str| {
            if terminal.verbose || terminal.interactive {
                terminal.note(text);
            }
        };
        let device = device::parse(&self.device)?;
        let mut shape: Option<DimModel> = None;
        let mut outcome = None;
        let mut pictures = Vec::new();
        let mut add = |name: String, (rows, dim): (Vec<f32>, usize)| -> Result<()> {
            if self.report.is_some() {
                let test = &rows[images.train.len() * dim..];
                pictures.push(neighbours(&images.test, test, dim, SHOWN)?);
            }
            terminal.note(&format!("{name}: {} images, {dim} numbers each", labels.len()));
            probe_rows(&task, Rows { name: &name, dim, rows }, &labels, images.train.len(), &mut outcome, &note)
        };
        for named in named {
            if !named.is_of_images() {
                return Err(Error::usage(
                    format!("{}: is no model of images", named.name()),
                    "give models of images alone",
                ));
            }
            let model = DimModel::open(named.path())?;
            crate::cli::extract::check_size(&model, images.train.size, &place.name)?;
            let extractor = ImageExtractor::open(&model, &device)?;
            for &layer in &layers {
                add(format!("{} {layer}", named.name()), both(&extractor, &images, layer)?)?;
            }
            shape.get_or_insert(model);
        }
        for baseline in &self.baselines {
            match (baseline, &shape) {
                (Baseline::Random, Some(model)) => {
                    let extractor = ImageExtractor::untrained(model, self.seed, &device)?;
                    for &layer in &layers {
                        add(format!("random {layer}"), both(&extractor, &images, layer)?)?;
                    }
                }
                (Baseline::Pca, _) => {
                    let (rows, dim) = pixels(&images);
                    let train = images.train.len() * dim;
                    let found = pca::Components::new(&rows[..train], dim, COMPONENTS);
                    add(format!("pca {COMPONENTS}"), (found.coordinates(&rows), COMPONENTS.min(dim)))?;
                }
                (Baseline::Pixels, _) => add("pixels".into(), pixels(&images))?,
                _ => {
                    return Err(Error::usage("these baselines are not of images", "choose random, pca or pixels"));
                }
            }
        }
        let Some(outcome) = outcome else {
            return Err(Error::usage("no features to probe", "name at least one model"));
        };
        if let Some(dir) = &self.report {
            std::fs::create_dir_all(dir).map_err(Error::io(dir, "create"))?;
            let mut page = page(&outcome);
            page.details.iter_mut().zip(pictures).for_each(|(detail, picture)| detail.picture = Some(picture));
            let path = dir.join("index.html");
            durable::write(&path, render(&page).as_bytes())?;
            terminal.note(&format!("report: {}", path.display()));
        }
        terminal.result_or_json(&outcome, &outcome.to_string())
    }
}

/// The features of the images to train on, and then of those to test on.
fn both(extractor: &ImageExtractor, images: &Images, layer: ImageLayer) -> Result<(Vec<f32>, usize)> {
    let (mut rows, dim) = extractor.rows(&images.train, layer)?;
    rows.extend(extractor.rows(&images.test, layer)?.0);
    Ok((rows, dim))
}

/// The images themselves.
fn pixels(images: &Images) -> (Vec<f32>, usize) {
    let of = |set: &ImageSet| set.pixels.iter().map(|&p| f32::from(p) / 255.0).collect::<Vec<f32>>();
    ([of(&images.train), of(&images.test)].concat(), images.train.size.numbers())
}
