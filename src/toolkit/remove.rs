//! Extraction of features from which what tells speakers apart is removed.

use super::Toolkit;
use super::work::folder;
use crate::durable;
use crate::error::{Error, Result};
use crate::eval::removal::{Removal, RemovalAbout};
use crate::features::{FeatureSet, Format, Index, NpyWriter, Removed};
use crate::kinds::{Described, ExtractRequest, Extracted, Model, Source};
use crate::observer::Session;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

/// The folder of features as the model makes them, while they are changed.
const PLAIN: &str = ".plain";

/// The file of the directions that were removed, in the directory of features.
const FILE: &str = "removal.safetensors";

impl Toolkit {
    /// Extracts features, and removes what tells speakers apart: `how` is `speaker`, to fit the removal on these features, or the file or directory
    /// of one that was fitted on others.
    ///
    /// # Errors
    /// Those of the extraction. There is one speaker alone; several layers are asked for; the removal is for another model or layer.
    pub fn extract_without(
        &self,
        model: &dyn Model,
        request: ExtractRequest,
        how: &str,
        session: &Session,
    ) -> Result<Extracted> {
        let out = request.out.clone();
        if request.format != Format::default() || request.layers.len() > 1 {
            return Err(Error::usage(
                "--remove is for one layer in .npy files",
                "leave out --format, and choose one layer",
            ));
        }
        let given = match how {
            "speaker" => None,
            path => Some(Removal::read(&file(Path::new(path)))?),
        };
        if Index::read(&out)?.is_some_and(|index| index.complete) {
            return Err(Error::usage(
                format!("{} holds features already", out.display()),
                "choose another --out, or remove that directory",
            ));
        }
        // Features of other recordings, which an interrupted call may have left, must not be mixed with these.
        let whose = format!("{} {:?} {:?}", model.reference(), paths(&request)?, request.layers);
        let plain = folder(&out, PLAIN, &whose)?;
        let extracted = model.extract(&ExtractRequest { out: plain.clone(), ..request }, session)?;
        let Some(mut index) = Index::read(&plain)? else {
            return Err(Error::usage("--remove is for features of recordings", "leave it out"));
        };
        if !index.made.pool.is_none() {
            return Err(Error::usage("--remove is for frames, and --pool leaves none", "leave out one of them"));
        }
        let set = FeatureSet::open(&plain, None)?;
        let about = RemovalAbout {
            what: "speaker".into(),
            model_sha256: index.made.model_sha256.clone(),
            layer: index.made.layers[0].name.clone(),
            speakers: 0,
        };
        let _watch = session.watch();
        let removal = match given {
            None => {
                session.observer.note("fitting what tells speakers apart");
                Removal::fit(&set, &about, 0, &session.stop)?
            }
            Some(removal) => {
                let same = (&removal.about.model_sha256, &removal.about.layer) == (&about.model_sha256, &about.layer);
                if !same || removal.dim() != set.dim() {
                    return Err(Error::failed(
                        format!("{how}: was fitted on {} of another model", removal.about.layer),
                        "give the removal that was fitted on features of this model and layer",
                    ));
                }
                removal
            }
        };
        index.made.removed = Some(Removed {
            what: removal.about.what.clone(),
            directions: removal.count(),
            speakers: removal.about.speakers,
        });
        index.complete = false;
        index.write(&out)?;
        rewrite(&set, &index, &removal, &out, session)?;
        removal.write(&out.join(FILE))?;
        index.complete = true;
        index.write(&out)?;
        std::fs::remove_dir_all(&plain).map_err(Error::io(&plain, "remove"))?;
        let text = format!(
            "{}removed: {} of {} directions, by which {} speakers are told apart, and the mean of each speaker\n",
            extracted.described.text.replace(&plain.display().to_string(), &out.display().to_string()),
            removal.count(),
            set.dim(),
            removal.about.speakers
        );
        let result = json!({
            "out": out, "utterances": index.utterances.len(), "layers": index.made.layers, "removed": index.made.removed,
            "frame_rate": index.made.timing.frame_rate,
        });
        Ok(Extracted { described: Described::new(&result, text)?, layers: extracted.layers })
    }
}

/// The inputs of an extraction.
fn paths(request: &ExtractRequest) -> Result<Vec<PathBuf>> {
    match &*request.source()? {
        Source::Paths(paths) => Ok(paths.clone()),
        Source::Samples(_) => Err(Error::usage("--remove is for recordings in files", "give files as INPUT")),
    }
}

/// The file of a removal: itself, or that in a directory of features.
fn file(path: &Path) -> PathBuf {
    if path.is_dir() { path.join(FILE) } else { path.to_path_buf() }
}

/// Writes the features without what is removed, and without the mean of each speaker.
fn rewrite(set: &FeatureSet, index: &Index, removal: &Removal, out: &Path, session: &Session) -> Result<()> {
    let dim = set.dim();
    let check = || match session.stop.load(Ordering::Relaxed) {
        true => Err(Error::Interrupted { kept: "the features that were extracted; the same command goes on".into() }),
        false => Ok(()),
    };
    let find = |id: &str| {
        set.find(id).ok_or_else(|| Error::failed(format!("{id}: is not among the features"), "extract them again"))
    };
    let mut means: BTreeMap<&str, (Vec<f64>, u64)> = BTreeMap::new();
    let mut rows = Vec::new();
    for utterance in &index.utterances {
        check()?;
        set.read(find(&utterance.id)?, &mut rows)?;
        removal.project(&mut rows);
        let (sum, n) = means.entry(&utterance.speaker).or_insert_with(|| (vec![0.0; dim], 0));
        for row in rows.chunks_exact(dim) {
            sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value));
            *n += 1;
        }
    }
    for utterance in &index.utterances {
        check()?;
        set.read(find(&utterance.id)?, &mut rows)?;
        removal.project(&mut rows);
        let (sum, n) = &means[utterance.speaker.as_str()];
        let mean: Vec<f32> = sum.iter().map(|sum| (sum / (*n).max(1) as f64) as f32).collect();
        rows.chunks_exact_mut(dim).for_each(|row| row.iter_mut().zip(&mean).for_each(|(value, mean)| *value -= mean));
        let name = utterance.file.clone().unwrap_or_else(|| format!("{}.npy", utterance.id));
        let path = out.join(&index.made.layers[0].path).join(name);
        let folder = path.parent().unwrap_or(out);
        std::fs::create_dir_all(folder).map_err(Error::io(folder, "create"))?;
        let unfinished = durable::unfinished(&path)?;
        let mut file = NpyWriter::create(&unfinished, dim)?;
        file.write(&rows)?;
        file.finish()?;
        durable::keep(unfinished, &path)?;
    }
    Ok(())
}
