//! What a trained image model does for the toolkit: features of images, and its card.

use super::card::ImageCard;
use super::{DimModel, DimModelConfig, ImageExtractor, ImageLayer};
use crate::config::ImageSize;
use crate::error::{Error, Result};
use crate::features::{Chunk, Chunks, Format, RowWriter, begin, inputs};
use crate::group::Share;
use crate::image::{self, ImageSet};
use crate::kinds::{Described, ExtractRequest, Extracted, Model, Source, each_once, word};
use crate::observer::Session;
use crate::report::model_card::Details;
use crate::{durable, hub};
use serde_json::json;
use std::any::Any;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Layers by their names; the default layer if none is named.
pub(super) fn layers(names: &[String]) -> Result<Vec<ImageLayer>> {
    if names.is_empty() {
        return Ok(vec![ImageLayer::Y]);
    }
    let parse = |name: &String| {
        name.parse().map_err(|what: String| Error::usage(format!("--layer: {what}"), "choose conv, fc or y"))
    };
    each_once(names.iter().map(parse).collect::<Result<_>>()?)
}

/// Refuses images whose size differs from that of the model's training images.
pub(super) fn check_size(model: &DimModel, size: ImageSize, data: &str) -> Result<()> {
    if model.config.size == size {
        return Ok(());
    }
    Err(Error::failed(
        format!("{data}: has images of {size}; {} was trained on {}", model.reference, model.config.size),
        "give images of the size that the model was trained on",
    ))
}

impl Model for DimModel {
    fn kind(&self) -> &'static str {
        DimModelConfig::KIND
    }

    fn subject(&self) -> &'static str {
        "images"
    }

    fn reference(&self) -> &str {
        &self.reference
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn describe(&self) -> Result<Described> {
        let count = |encoder: bool| -> usize {
            let of = self.tensors.iter().filter(|(name, _)| name.starts_with("encoder.") == encoder);
            of.map(|(_, t)| t.elem_count()).sum()
        };
        let (c, sha256) = (&self.config, self.sha256()?);
        let o = &c.objective;
        let text = format!(
            "model       {} (format {}), {} parameters in the encoder, {} in the networks that trained it, float32\n\
             from        {}\n\
             sha256      {sha256}\n\
             input       images of {}\n\
             encoder     {}, fully connected {}, Y of {} numbers\n\
             objective   {} global + {} local + {} prior + {} labels, {}\n",
            c.kind,
            c.format,
            count(true),
            count(false),
            self.reference,
            c.size,
            word(&c.encoder.architecture),
            c.encoder.fc_dim,
            c.encoder.latent_dim,
            o.alpha,
            o.beta,
            o.gamma,
            o.labels,
            word(&o.estimator),
        );
        let info = json!({
            "path": self.path, "config": c, "sha256": sha256, "dtype": "float32", "parameters": count(true) + count(false),
        });
        Described::new(&info, text)
    }

    fn layers(&self) -> Vec<String> {
        ["y", "fc", "conv"].map(String::from).to_vec()
    }

    fn extract_options(&self) -> &'static [&'static str] {
        &["layer", "format", "shard"]
    }

    /// `train-y.npy` and so on, with one row per image in the order of the data, and the labels next to them.
    fn extract(&self, request: &ExtractRequest, session: &Session) -> Result<Extracted> {
        let mut input = request.source()?;
        let Source::Paths(paths) = &mut *input else {
            return Err(Error::usage("images are read from files", "give a directory of images as INPUT"));
        };
        let [input] = &paths[..] else {
            return Err(Error::usage("only one INPUT of images is accepted", "give one directory of images"));
        };
        let (began, out, layers) = (Instant::now(), &request.out, layers(&request.layers)?);
        let extractor = ImageExtractor::open(self, &session.device)?;
        let place = hub::data(input, session)?;
        let images = image::open(&place.path)?;
        images.notes.iter().for_each(|note| session.observer.warning(note));
        check_size(self, images.train.size, &place.name)?;
        let (sha256, given) = (self.sha256()?, inputs([input]));
        let shard: Option<Share> = request.options.get("shard")?;
        let key = || Ok(format!("{sha256}{}{}", images.train.sha256(), images.test.sha256()));
        let chunks = begin(out, &sha256, &given, shard, key)?;
        let (mut files, mut count) = (Vec::new(), 0);
        for (set, part) in [(&images.train, "train"), (&images.test, "test")] {
            if set.is_empty() {
                continue;
            }
            count += set.len();
            for &layer in &layers {
                let file = format!("{part}-{layer}.{}", request.format);
                let dim = write(&extractor, set, layer, &out.join(&file), request.format, &chunks)?;
                files.push(json!({"file": file, "images": set.len(), "layer": layer.to_string(), "dim": dim}));
            }
            if chunks.is_shard() {
                continue;
            }
            let file = format!("{part}-labels.txt");
            let names = set.labels.iter().map(|&l| images.classes[l as usize].as_str()).collect::<Vec<_>>();
            durable::write(&out.join(&file), format!("{}\n", names.join("\n")).as_bytes())?;
            files.push(json!({"file": file, "images": set.len()}));
        }
        let names: Vec<String> = layers.iter().map(ToString::to_string).collect();
        if let Some(shard) = shard {
            chunks.end()?;
            let text = format!("{count} images in all; {:.1} s\n", began.elapsed().as_secs_f64());
            let described = Described::new(&json!({"out": out, "shard": shard.to_string(), "images": count}), text)?;
            return Ok(Extracted { described, layers: names }.of_shard(shard));
        }
        let index = json!({
            "complete": true, "model": self.reference, "model_sha256": sha256, "input": place.name, "inputs": given, "files": files,
        });
        durable::write(&out.join("index.json"), format!("{index:#}\n").as_bytes())?;
        chunks.end()?;
        let took = began.elapsed().as_secs_f64();
        let text = format!(
            "{count} images; layers: {}; {took:.1} s, {:.0} images per second\nfeatures: {}\n",
            names.join(", "),
            count as f64 / took.max(1e-3),
            out.display()
        );
        let result = json!({"out": out, "images": count, "files": files});
        Ok(Extracted { described: Described::new(&result, text)?, layers: names })
    }

    fn directory(&self, _: &Path) -> Result<Option<PathBuf>> {
        Ok(Some(self.path.clone()))
    }

    fn card(&self, dir: &Path, details: &Details) -> Result<Option<Vec<u8>>> {
        details.card("image models", dir, |about| ImageCard { about, config: &self.config }.markdown()).map(Some)
    }
}

/// Writes the features of a set atomically, and returns their dimension; in a shard, only computes its chunks.
fn write(
    extractor: &ImageExtractor,
    set: &ImageSet,
    layer: ImageLayer,
    path: &Path,
    format: Format,
    chunks: &Chunks,
) -> Result<usize> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let get = |i: u64, compute: &dyn Fn() -> Result<Chunk>| chunks.get(&name, i, compute);
    if chunks.is_shard() {
        extractor.extract(set, layer, get, |_, _| Ok(()))?;
        return Ok(0);
    }
    let unfinished = durable::unfinished(path)?;
    let (mut out, mut width): (Option<Box<dyn RowWriter>>, usize) = (None, 0);
    extractor.extract(set, layer, get, |rows, dim| {
        width = dim;
        let out = match &mut out {
            Some(out) => out,
            None => out.insert(format.rows(&unfinished, dim, false)?),
        };
        out.write(&[], rows)
    })?;
    if let Some(out) = out {
        out.finish()?;
    }
    durable::keep(unfinished, path)?;
    Ok(width)
}
