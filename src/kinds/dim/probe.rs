//! How well a classifier predicts labels from features of images.

use super::trained::{check_size, layers};
use super::{DimModel, ImageExtractor, ImageLayer};
use crate::error::{Error, Result};
use crate::eval::probe::labels::Labels;
use crate::eval::probe::pca;
use crate::eval::probe::split::{Split, read_list};
use crate::eval::probe::study::{FeatureRows, ProbeTask, probe_rows};
use crate::hub;
use crate::image::{self, ImageSet, Images};
use crate::kinds::{Described, Model, ProbeRequest, Probed, Probing, not_for};
use crate::observer::Session;
use crate::report::probe_page::{MAP_POINTS, ProbePage, neighbors, render};
use std::collections::HashMap;

/// Number of principal components of the baseline `pca`: equal to the dimension of Y.
const COMPONENTS: usize = 64;

/// Number of images whose nearest neighbors a report shows.
const SHOWN: usize = 20;

/// The probe of image features.
pub(super) struct ImageProbing;

impl Probing for ImageProbing {
    fn options(&self) -> &'static [&'static str] {
        &["layer", "hidden", "l2", "baselines", "seed", "report", "train", "test"]
    }

    /// The data determine the images to train on and to test on, and their labels.
    fn probe(&self, models: &[Box<dyn Model>], request: &ProbeRequest, session: &Session) -> Result<Probed> {
        let options = &request.options;
        let Some(data) = &request.data else {
            return Err(Error::usage("no images to probe with", "name them with --data"));
        };
        let place = hub::data(data, session)?;
        let mut images = image::open(&place.path)?;
        images.notes.iter().for_each(|note| session.observer.warning(note));
        if options.path("train").is_some() != options.path("test").is_some() {
            return Err(Error::usage("--train and --test are both needed", "give two lists of images"));
        }
        if let Some((train, test)) = options.path("train").zip(options.path("test")) {
            images = images.chosen(&read_list(train)?, &read_list(test)?).map_err(|what| {
                Error::usage(
                    what,
                    "name images as train/0 and test/0 and so on: the part that they are in, and their number",
                )
            })?;
        }
        if images.test.is_empty() {
            return Err(Error::failed(
                format!("{}: has no images to test on", place.name),
                "give a data set that contains test images",
            ));
        }
        let layers = layers(&options.all("layer")?)?;
        let mut task = ProbeTask::new(
            Labels::Utterances { path: place.name.clone().into(), labels: HashMap::default() },
            Split::Folds { folds: 1, among: None },
        );
        task.set(options)?;
        task.map_points = if request.page { MAP_POINTS } else { 0 };
        task.stop = session.stop.clone();
        let labels: Vec<String> = [&images.train, &images.test]
            .iter()
            .flat_map(|set| set.labels.iter().map(|&label| images.classes[label as usize].clone()))
            .collect();
        let mut outcome = None;
        let mut pictures = Vec::new();
        let mut add = |name: String, (rows, dim): (Vec<f32>, usize)| -> Result<()> {
            if request.page {
                let test = &rows[images.train.len() * dim..];
                pictures.push(neighbors(&images.test, test, dim, SHOWN)?);
            }
            session.observer.note(&format!("{name}: {} images, {dim}-dimensional", labels.len()));
            let _watch = session.watch();
            let rows = FeatureRows { name: &name, dim, rows };
            probe_rows(&task, rows, &labels, images.train.len(), &mut outcome, &|text| session.observer.detail(text))
        };
        let mut shape: Option<&DimModel> = None;
        for model in models {
            let Some(model) = model.as_any().downcast_ref::<DimModel>() else {
                return Err(not_for(&**model, "a probe of images"));
            };
            check_size(model, images.train.size, &place.name)?;
            let extractor = ImageExtractor::open(model, &session.device)?;
            for &layer in &layers {
                add(format!("{} {layer}", model.reference), both(&extractor, &images, layer)?)?;
            }
            shape.get_or_insert(model);
        }
        for baseline in options.all::<String>("baselines")? {
            match (baseline.as_str(), shape) {
                ("random", Some(model)) => {
                    let seed = options.get("seed")?.unwrap_or(0);
                    let extractor = ImageExtractor::untrained(model, seed, &session.device)?;
                    for &layer in &layers {
                        add(format!("random {layer}"), both(&extractor, &images, layer)?)?;
                    }
                }
                ("pca", _) => {
                    let (rows, dim) = pixels(&images);
                    let train = images.train.len() * dim;
                    let found = pca::Components::new(&rows[..train], dim, COMPONENTS);
                    add(format!("pca {COMPONENTS}"), (found.coordinates(&rows), COMPONENTS.min(dim)))?;
                }
                ("pixels", _) => add("pixels".into(), pixels(&images))?,
                _ => {
                    let what = format!("--baselines {baseline} is not for image models");
                    return Err(Error::usage(what, "choose random, pca or pixels"));
                }
            }
        }
        let Some(outcome) = outcome else {
            return Err(Error::usage("no features to probe", "name at least one model"));
        };
        let page = request.page.then(|| {
            let mut page = ProbePage::of(&outcome);
            page.details.iter_mut().zip(pictures).for_each(|(detail, picture)| detail.picture = Some(picture));
            render(&page)
        });
        Ok(Probed {
            described: Described::new(&outcome, outcome.to_string())?,
            accuracies: outcome.rows.iter().map(|row| (row.features.clone(), row.accuracy)).collect(),
            page,
        })
    }
}

/// The features of the training images, followed by those of the test images.
fn both(extractor: &ImageExtractor, images: &Images, layer: ImageLayer) -> Result<(Vec<f32>, usize)> {
    let (mut rows, dim) = extractor.rows(&images.train, layer)?;
    rows.extend(extractor.rows(&images.test, layer)?.0);
    Ok((rows, dim))
}

/// The pixels of the images.
fn pixels(images: &Images) -> (Vec<f32>, usize) {
    let of = |set: &ImageSet| set.pixels.iter().map(|&p| f32::from(p) / 255.0).collect::<Vec<f32>>();
    ([of(&images.train), of(&images.test)].concat(), images.train.size.numbers())
}
