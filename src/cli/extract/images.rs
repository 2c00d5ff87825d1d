//! Features of images: `cpc extract` with a model of Deep InfoMax.

use super::Extract;
use crate::cli::{Terminal, remote};
use crate::device;
use crate::durable;
use crate::error::{Error, Result};
use crate::features::{Format, ImageExtractor, ImageLayer, Normalize, NpyWriter};
use crate::image::{self, ImageSet};
use crate::weights::DimModel;
use serde_json::json;
use std::path::Path;
use std::time::Instant;

impl Extract {
    /// Features of images: `train-y.npy` and so on, a row an image in the order of the data, and the labels beside them.
    pub(super) fn images(&self, here: remote::Here, terminal: &Terminal) -> Result<()> {
        if self.format != Format::Npy || self.normalize != Normalize::None || self.stream {
            return Err(Error::usage(
                "features of images are written as they are, in .npy files",
                "leave out --format, --normalize and --stream",
            ));
        }
        let (Some(out), [input]) = (&self.out, &self.input[..]) else {
            return Err(Error::usage(
                "images come from one INPUT and go to --out",
                "give one directory of images, and --out",
            ));
        };
        let layers = self.layers::<ImageLayer>("y")?;
        let (began, mut model) = (Instant::now(), DimModel::open(&here.path)?);
        model.reference = here.name.clone();
        let extractor = ImageExtractor::open(&model, &device::parse(&self.device)?)?;
        let place = remote::recordings(input, terminal)?;
        let images = image::open(&place.path)?;
        super::check_size(&model, images.train.size, &place.name)?;
        std::fs::create_dir_all(out).map_err(Error::io(out, "create"))?;
        let (mut files, mut count) = (Vec::new(), 0);
        for (set, part) in [(&images.train, "train"), (&images.test, "test")] {
            if set.is_empty() {
                continue;
            }
            count += set.len();
            for &layer in &layers {
                let file = format!("{part}-{layer}.npy");
                let dim = write(&extractor, set, layer, &out.join(&file))?;
                files.push(json!({"file": file, "images": set.len(), "layer": layer.to_string(), "dim": dim}));
            }
            let file = format!("{part}-labels.txt");
            let names = set.labels.iter().map(|&l| images.classes[l as usize].as_str()).collect::<Vec<_>>();
            durable::write(&out.join(&file), format!("{}\n", names.join("\n")).as_bytes())?;
            files.push(json!({"file": file, "images": set.len()}));
        }
        let index = json!({
            "complete": true, "model": here.name, "model_sha256": model.sha256()?, "input": place.name, "files": files,
        });
        durable::write(&out.join("index.json"), format!("{index:#}\n").as_bytes())?;
        let took = began.elapsed().as_secs_f64();
        let names: Vec<String> = layers.iter().map(ToString::to_string).collect();
        let text = format!(
            "{count} images; layers: {}; {took:.1} s, {:.0} images a second\nfeatures: {}\n",
            names.join(", "),
            count as f64 / took.max(1e-3),
            out.display()
        );
        terminal.result_or_json(&json!({"out": out, "images": count, "files": files}), &text)
    }
}

/// Writes the features of a set, whole or not at all; how many numbers each has.
fn write(extractor: &ImageExtractor, set: &ImageSet, layer: ImageLayer, path: &Path) -> Result<usize> {
    let unfinished = durable::unfinished(path)?;
    let (mut out, mut width): (Option<NpyWriter>, usize) = (None, 0);
    extractor.extract(set, layer, |rows, dim| {
        if out.is_none() {
            out = Some(NpyWriter::create(&unfinished, dim)?);
            width = dim;
        }
        out.as_mut().map_or(Ok(()), |out| out.write(rows))
    })?;
    if let Some(out) = out {
        out.finish()?;
    }
    durable::keep(unfinished, path)?;
    Ok(width)
}
