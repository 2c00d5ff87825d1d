//! Reading features: the output of `cpc extract`, or a directory of `.npy` files from any other tool.

use super::index::{FILE_NAME, Format, Index};
use super::npy::NpyFile;
use crate::error::{Error, Problem, Result};
use safetensors::Dtype;
use safetensors::tensor::Metadata;
use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// The frames of a set of utterances.
#[derive(Debug, Clone)]
pub struct FeatureSet {
    path: PathBuf,
    utterances: Vec<Utterance>,
    files: Vec<NpyFile>,
    by_id: HashMap<String, usize>,
    dim: usize,
    frame_rate: Option<f64>,
}

/// One utterance of a set.
#[derive(Debug, Clone, PartialEq)]
pub struct Utterance {
    /// Its id, as used in label files.
    pub id: String,
    /// The speaker, if known from the index or the folders.
    pub speaker: Option<String>,
    /// T.
    pub frames: usize,
    /// The duration of the audio in seconds, if the index states it.
    pub seconds: Option<f64>,
}

impl FeatureSet {
    /// Opens a directory that `cpc extract` wrote (`layer` selects one of several layers), any directory of `.npy` files (T, D), or a
    /// `.safetensors` file of tensors (T, D).
    ///
    /// # Errors
    /// Files that are missing or have a different shape, all of them listed; an extraction that was not finished.
    pub fn open(path: &Path, layer: Option<&str>) -> Result<FeatureSet> {
        let metadata = std::fs::metadata(path).map_err(Error::io(path, "open"))?;
        let dir = if metadata.is_dir() { path } else { path.parent().unwrap_or(path) };
        match Index::read(dir)? {
            Some(index) if metadata.is_dir() => indexed(path, index, layer),
            None if metadata.is_dir() => match layer {
                Some(layer) => Err(Error::usage(
                    format!("--layer {layer}: {} has no {FILE_NAME} that lists layers", path.display()),
                    "give the folder of the layer",
                )),
                None => loose(path),
            },
            // A single file: an index in the same directory may give the speakers.
            index => tensors(path, index.as_ref()),
        }
    }

    fn new(path: &Path, mut found: Vec<(Utterance, NpyFile)>, frame_rate: Option<f64>) -> Result<FeatureSet> {
        found.sort_by(|a, b| a.0.id.cmp(&b.0.id));
        let dim = found.first().map_or(0, |(_, file)| file.dim);
        let mut problems = Vec::new();
        for (utterance, file) in found.iter().filter(|(_, file)| file.dim != dim) {
            let what = format!("has {} dimensions, but {} has {dim}", file.dim, found[0].0.id);
            problems.push(Problem::new(format!("{}: {}", path.display(), utterance.id), what));
        }
        if !problems.is_empty() {
            return Err(Error::BadFiles(problems));
        }
        let by_id = found.iter().enumerate().map(|(i, (u, _))| (u.id.clone(), i)).collect();
        let (utterances, files) = found.into_iter().unzip();
        Ok(FeatureSet { path: path.to_path_buf(), utterances, files, by_id, dim, frame_rate })
    }

    /// The directory or file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The utterances, sorted by id.
    pub fn utterances(&self) -> &[Utterance] {
        &self.utterances
    }

    /// The index of an utterance in [`FeatureSet::utterances`].
    pub fn find(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    /// D.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The frame rate in frames per second, if the index states it.
    pub fn frame_rate(&self) -> Option<f64> {
        self.frame_rate
    }

    /// Reads the frames of an utterance, (T, D) row-major, and replaces the contents of `rows` with them.
    ///
    /// # Errors
    /// The file is missing or truncated; a value in it is not finite.
    pub fn read(&self, index: usize, rows: &mut Vec<f32>) -> Result<()> {
        let utterance = &self.utterances[index];
        self.files[index].read(rows)?;
        match rows.iter().position(|v| !v.is_finite()) {
            None => Ok(()),
            Some(i) => Err(Error::bad_file(
                format!("{}: {}", self.path.display(), utterance.id),
                format!("dimension {} of frame {} is {}, not a finite number", i % self.dim, i / self.dim, rows[i]),
            )),
        }
    }
}

/// A directory that `cpc extract` wrote.
fn indexed(dir: &Path, index: Index, layer: Option<&str>) -> Result<FeatureSet> {
    if !index.complete {
        return Err(Error::failed(
            format!("{}: the extraction was not finished", dir.display()),
            "run the same `cpc extract` again; it resumes where it stopped",
        ));
    }
    let layers = &index.made.layers;
    let names = || layers.iter().map(|l| l.name.as_str()).collect::<Vec<_>>().join(", ");
    let chosen = match layer {
        Some(name) => layers.iter().find(|l| l.name == name).ok_or_else(|| {
            Error::usage(format!("--layer {name}: {} holds {}", dir.display(), names()), "choose one of these")
        })?,
        None if layers.len() == 1 => &layers[0],
        None => {
            let what = format!("{} holds several layers: {}", dir.display(), names());
            return Err(Error::usage(what, "choose one with --layer"));
        }
    };
    let path = dir.join(&chosen.path);
    match index.made.format {
        Format::Npy => {
            let (mut found, mut problems) = (Vec::new(), Vec::new());
            for u in &index.utterances {
                let file = path.join(u.file.as_deref().unwrap_or_default());
                match NpyFile::open(&file) {
                    Ok(npy) if npy.rows != u.frames || npy.dim != chosen.dim => {
                        let what = format!(
                            "is {} x {}, but {FILE_NAME} says {} x {}",
                            npy.rows, npy.dim, u.frames, chosen.dim
                        );
                        problems.push(Problem::new(file.display(), what));
                    }
                    Ok(npy) => {
                        let (speaker, seconds) = (Some(u.speaker.clone()), Some(u.seconds));
                        let frames = npy.rows;
                        found.push((Utterance { id: u.id.clone(), speaker, frames, seconds }, npy));
                    }
                    Err(Error::BadFiles(bad)) => problems.extend(bad),
                    Err(e) => problems.push(Problem::new(file.display(), e)),
                }
            }
            if !problems.is_empty() {
                return Err(Error::BadFiles(problems));
            }
            FeatureSet::new(dir, found, Some(index.made.timing.frame_rate))
        }
        Format::Safetensors => tensors(&path, Some(&index)),
        Format::Parquet => Err(Error::usage(
            format!("{} holds parquet, a format that is written for other tools", dir.display()),
            "extract with --format npy or safetensors",
        )),
    }
}

/// Any directory of `.npy` files. Ids are file names if these are unique, otherwise paths; the first folder is the speaker.
fn loose(dir: &Path) -> Result<FeatureSet> {
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in WalkDir::new(dir).follow_links(true).sort_by_file_name() {
        let entry = entry.map_err(|e| Error::failed(format!("{}: {e}", dir.display()), "check the directory"))?;
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if !hidden && entry.path().extension().is_some_and(|e| e == "npy") && !entry.file_type().is_dir() {
            files.push(entry.into_path());
        }
    }
    if files.is_empty() {
        return Err(Error::failed(
            format!("{}: contains no features: neither {FILE_NAME} nor a .npy file", dir.display()),
            "extract features with `cpc extract MODEL INPUT --out DIR`",
        ));
    }
    let relative = |path: &Path| {
        let parts: Vec<_> = path.strip_prefix(dir).unwrap_or(path).iter().map(|p| p.to_string_lossy()).collect();
        parts.join("/").trim_end_matches(".npy").to_string()
    };
    let mut ids: Vec<String> =
        files.iter().map(|f| f.file_stem().unwrap_or_default().to_string_lossy().into()).collect();
    let distinct: std::collections::HashSet<&String> = ids.iter().collect();
    if distinct.len() < ids.len() {
        ids = files.iter().map(|f| relative(f)).collect();
    }
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    for (file, id) in files.iter().zip(ids) {
        match NpyFile::open(file) {
            Ok(npy) => {
                let speaker = relative(file).split_once('/').map(|(first, _)| first.to_string());
                let frames = npy.rows;
                found.push((Utterance { id, speaker, frames, seconds: None }, npy));
            }
            Err(Error::BadFiles(bad)) => problems.extend(bad),
            Err(e) => problems.push(Problem::new(file.display(), e)),
        }
    }
    if problems.is_empty() { FeatureSet::new(dir, found, None) } else { Err(Error::BadFiles(problems)) }
}

/// A file with one tensor per utterance.
fn tensors(path: &Path, index: Option<&Index>) -> Result<FeatureSet> {
    let broken = |what: String| Error::bad_file(path, format!("not a complete safetensors file of features: {what}"));
    let mut file = File::open(path).map_err(Error::io(path, "open"))?;
    let held = file.metadata().map_err(Error::io(path, "read"))?.len();
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(|_| broken(format!("it has {held} bytes")))?;
    let length = u64::from_le_bytes(length);
    if length.saturating_add(8) > held {
        return Err(broken("its header is truncated".into()));
    }
    let mut header = Vec::new();
    (&mut file).take(length).read_to_end(&mut header).map_err(Error::io(path, "read"))?;
    let metadata: Metadata = serde_json::from_slice(&header).map_err(|e| broken(e.to_string()))?;
    let speakers: HashMap<&str, (&str, f64)> =
        index.iter().flat_map(|i| &i.utterances).map(|u| (u.id.as_str(), (u.speaker.as_str(), u.seconds))).collect();
    let mut found = Vec::new();
    for (id, info) in metadata.tensors() {
        let (from, to) = info.data_offsets;
        let &[frames, dim] = info.shape.as_slice() else {
            return Err(broken(format!("{id} has the shape {:?}; features are (frames, dimensions)", info.shape)));
        };
        if info.dtype != Dtype::F32 || dim == 0 {
            return Err(broken(format!("{id} is {:?} with {dim} dimensions; features are F32", info.dtype)));
        }
        let bytes = frames.checked_mul(dim).and_then(|n| n.checked_mul(4));
        if to.checked_sub(from) != bytes || (to as u64).saturating_add(8 + length) > held {
            return Err(broken(format!("{id} is truncated")));
        }
        let known = speakers.get(id.as_str());
        let utterance = Utterance {
            speaker: known.map(|(speaker, _)| speaker.to_string()),
            seconds: known.map(|(_, seconds)| *seconds),
            id,
            frames,
        };
        found.push((utterance, NpyFile::within(path, frames, dim, 8 + length + from as u64)));
    }
    FeatureSet::new(path, found, index.map(|i| i.made.timing.frame_rate))
}
