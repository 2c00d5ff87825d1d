//! Reading features: the output of `cpc extract`, or a directory of `.npy` files from any other tool.

use crate::error::{Error, Problem, Result};
use crate::features::format::tensors;
use crate::features::index::{FILE_NAME, Index};
use crate::features::npy::NpyFile;
use serde::Deserialize;
use std::collections::HashMap;
use std::io::BufRead;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// The frames of a set of utterances.
#[derive(Debug, Clone)]
pub struct FeatureSet {
    path: PathBuf,
    utterances: Vec<FeatureUtterance>,
    files: Vec<NpyFile>,
    by_id: HashMap<String, usize>,
    dim: usize,
    frame_rate: Option<f64>,
    /// Units in place of files.
    units: Option<Vec<Vec<f32>>>,
}

/// One utterance of a set.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureUtterance {
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
    /// Opens a directory that `cpc extract` wrote (`layer` selects one of several layers), any directory of `.npy` files (T, D), a
    /// `.safetensors` file of tensors (T, D), or a `.jsonl` file of units, which have one dimension: the number of the unit.
    ///
    /// # Errors
    /// Files that are missing or have a different shape, all of them listed; an extraction that was not finished.
    pub fn open(path: &Path, layer: Option<&str>) -> Result<FeatureSet> {
        let metadata = std::fs::metadata(path).map_err(Error::io(path, "open"))?;
        if metadata.is_file() && path.extension().is_some_and(|e| e.eq_ignore_ascii_case("jsonl")) {
            return units(path);
        }
        let dir = if metadata.is_dir() { path } else { path.parent().unwrap_or(path) };
        match Index::read(dir)? {
            Some(index) if metadata.is_dir() => indexed(path, &index, layer),
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

    pub(super) fn new(
        path: &Path,
        mut found: Vec<(FeatureUtterance, NpyFile)>,
        frame_rate: Option<f64>,
    ) -> Result<FeatureSet> {
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
        Ok(FeatureSet { path: path.to_path_buf(), utterances, files, by_id, dim, frame_rate, units: None })
    }

    /// Whether the frames are discrete units.
    pub fn is_units(&self) -> bool {
        self.units.is_some()
    }

    /// The directory or file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The utterances, sorted by id.
    pub fn utterances(&self) -> &[FeatureUtterance] {
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
        self.frame_rate.filter(|rate| *rate > 0.0)
    }

    /// Reads the frames of an utterance, (T, D) row-major, and replaces the contents of `rows` with them.
    ///
    /// # Errors
    /// The file is missing or truncated; a value in it is not finite.
    pub fn read(&self, index: usize, rows: &mut Vec<f32>) -> Result<()> {
        let utterance = &self.utterances[index];
        if let Some(units) = &self.units {
            rows.clone_from(&units[index]);
            return Ok(());
        }
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

/// The units of an utterance, as `cpc units apply` and others write them.
#[derive(Deserialize)]
struct UnitsLine {
    audio: String,
    units: Vec<u32>,
    frame_rate: Option<f64>,
    durations: Option<Vec<u32>>,
}

/// A file with a line of JSON for each utterance.
fn units(path: &Path) -> Result<FeatureSet> {
    let file = std::fs::File::open(path).map_err(Error::io(path, "open"))?;
    let (mut found, mut problems, mut rate) = (Vec::<(FeatureUtterance, Vec<f32>)>::new(), Vec::new(), None);
    for (n, line) in std::io::BufReader::new(file).lines().enumerate() {
        let line = line.map_err(Error::io(path, "read"))?;
        if line.trim().is_empty() {
            continue;
        }
        let at = format!("{} line {}", path.display(), n + 1);
        let UnitsLine { audio, units, frame_rate, durations } = match serde_json::from_str(&line) {
            Ok(line) => line,
            Err(e) => {
                problems.push(Problem::new(at, format!("is no line of units: {e}")));
                continue;
            }
        };
        if rate.is_some() && frame_rate.is_some() && rate != frame_rate {
            problems.push(Problem::new(&at, "has another frame_rate than the lines before"));
        }
        rate = rate.or(frame_rate);
        let frames: Vec<f32> = match durations {
            None => units.iter().map(|&unit| unit as f32).collect(),
            Some(durations) if durations.len() == units.len() => {
                let each = units.iter().zip(&durations);
                each.flat_map(|(&unit, &n)| std::iter::repeat_n(unit as f32, n as usize)).collect()
            }
            Some(_) => {
                problems.push(Problem::new(at, "has another number of durations than of units"));
                continue;
            }
        };
        let utterance = FeatureUtterance { id: audio, speaker: None, frames: frames.len(), seconds: None };
        found.push((utterance, frames));
    }
    if found.is_empty() && problems.is_empty() {
        return Err(Error::bad_file(path, "has no units"));
    }
    if !problems.is_empty() {
        return Err(Error::BadFiles(problems));
    }
    found.sort_by(|a, b| a.0.id.cmp(&b.0.id));
    if let Some(pair) = found.windows(2).find(|pair| pair[0].0.id == pair[1].0.id) {
        return Err(Error::bad_file(path, format!("has two lines for {}", pair[0].0.id)));
    }
    let by_id = found.iter().enumerate().map(|(i, (u, _))| (u.id.clone(), i)).collect();
    let (utterances, units) = found.into_iter().unzip();
    let (path, units) = (path.to_path_buf(), Some(units));
    Ok(FeatureSet { path, utterances, files: Vec::new(), by_id, dim: 1, frame_rate: rate, units })
}

/// A directory that `cpc extract` wrote.
fn indexed(dir: &Path, index: &Index, layer: Option<&str>) -> Result<FeatureSet> {
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
    index.made.format.open(dir, index, chosen)
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
                found.push((FeatureUtterance { id, speaker, frames, seconds: None }, npy));
            }
            Err(Error::BadFiles(bad)) => problems.extend(bad),
            Err(e) => problems.push(Problem::new(file.display(), e)),
        }
    }
    if problems.is_empty() { FeatureSet::new(dir, found, None) } else { Err(Error::BadFiles(problems)) }
}
