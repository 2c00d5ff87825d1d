//! Features of whole recordings, into a directory.
//!
//! Every utterance goes through a [`Stream`](super::Stream) piece by piece, so memory does not grow with its length. Short
//! utterances are shared out among threads; a long one has all threads to itself. A finished utterance is a finished file: work that
//! was stopped goes on where it was.

use super::index::{Format, Index, Indexed, LayerInfo, Made, Normalize};
use super::npy::{NpyWriter, file_size};
use super::{Extractor, Frames, Stream, tables};
use crate::audio::Reader;
use crate::config::OnBadFile;
use crate::data::{Corpus, Utterance};
use crate::error::{Error, Problem, Result};
use parking_lot::Mutex;
use rayon::prelude::*;
use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Seconds of audio in a piece: the activations of a piece are some megabytes.
const PIECE_SECONDS: usize = 2;

/// The folder in which files that hold several utterances are prepared.
const PARTS: &str = ".parts";

/// What is wanted.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How features are stored.
    pub format: Format,
    /// What is done to each utterance.
    pub normalize: Normalize,
    /// What to do about a file that cannot be read to its end.
    pub on_bad_file: OnBadFile,
}

/// One utterance on its way: where it is read from and where its features go.
#[derive(Debug)]
struct Job<'a> {
    utterance: &'a Utterance,
    speaker: &'a str,
    /// Below the layer's folder, with `/`.
    file: String,
    frames: u64,
}

/// Extracts the features of corpora to `dir`.
///
/// `progress` is told the seconds of audio that are done, from several threads; `stop` ends the work after the pieces at hand.
///
/// # Errors
/// Ids that name two utterances, utterances shorter than what a frame sees, files that cannot be read: all of them by name, unless they
/// are to be skipped. A directory that holds other features. [`Error::Interrupted`] after `stop`.
pub fn extract(
    extractor: &Extractor,
    made: &Made,
    corpora: &[Corpus],
    settings: &Settings,
    dir: &Path,
    progress: &(dyn Fn(f64) + Sync),
    stop: &AtomicBool,
) -> Result<Index> {
    let (jobs, mut problems) = jobs(extractor, corpora)?;
    problems.extend(corpora.iter().flat_map(|c| c.problems.iter().cloned()));
    if !problems.is_empty() && (settings.on_bad_file == OnBadFile::Fail || jobs.is_empty()) {
        return Err(Error::BadFiles(problems));
    }
    begin(dir, made)?;
    let work = Work { extractor, settings, parts: parts(dir, made), progress, stop };
    let threads = rayon::current_num_threads();
    let total: u64 = jobs.iter().map(|j| j.utterance.samples).sum();
    let rate = u64::from(extractor.config().sample_rate);
    let long = |job: &Job| job.utterance.samples > (30 * rate).max(total / (4 * threads as u64));
    let failed = Mutex::new(Vec::new());
    let each = |job: &Job, alone: bool| -> Result<()> {
        match work.utterance(job, alone) {
            Err(Error::BadFiles(bad)) if settings.on_bad_file == OnBadFile::Skip => {
                failed.lock().push((job.utterance.id.clone(), bad));
                Ok(())
            }
            done => done,
        }
    };
    jobs.iter().filter(|j| long(j)).try_for_each(|job| each(job, threads == 1))?;
    let short: Vec<&Job> = jobs.iter().filter(|j| !long(j)).collect();
    short.par_iter().with_max_len(1).try_for_each(|job| each(job, true))?;
    let failed = failed.into_inner();
    let without: HashSet<&str> = failed.iter().map(|(id, _)| id.as_str()).collect();
    let done: Vec<&Job> = jobs.iter().filter(|j| !without.contains(j.utterance.id.as_str())).collect();
    problems.extend(failed.iter().flat_map(|(_, bad)| bad.iter().cloned()));
    if done.is_empty() {
        return Err(Error::BadFiles(problems));
    }
    let utterances = done.iter().map(|job| Indexed {
        id: job.utterance.id.clone(),
        speaker: job.speaker.to_string(),
        frames: job.frames as usize,
        seconds: job.utterance.samples as f64 / rate as f64,
        file: Some(job.file.clone()),
    });
    let mut index = Index {
        complete: true,
        made: made.clone(),
        left_out: problems.iter().map(ToString::to_string).collect(),
        utterances: utterances.collect(),
    };
    if settings.format != Format::Npy {
        for (layer, parts) in made.layers.iter().zip(&work.parts) {
            tables::join(settings.format, &dir.join(&layer.path), parts, &index.utterances, &made.timing)?;
        }
        index.utterances.iter_mut().for_each(|u| u.file = None);
    }
    index.write(dir)?;
    let parts = dir.join(PARTS);
    if parts.exists() {
        fs::remove_dir_all(&parts).map_err(Error::io(&parts, "remove"))?;
    }
    Ok(index)
}

/// Features of samples that come from anywhere, such as standard input, as the only utterance of a directory.
pub fn extract_samples(
    extractor: &Extractor,
    made: &Made,
    id: &str,
    normalize: Normalize,
    dir: &Path,
    next: impl FnMut() -> Result<Vec<f32>> + Send,
) -> Result<Index> {
    begin(dir, made)?;
    let mut samples = 0;
    let mut next = next;
    let counted = || {
        let piece = next()?;
        samples += piece.len();
        Ok(piece)
    };
    let parts = parts(dir, made);
    let file = format!("{id}.npy");
    let mut files = Writing::create(&parts, &file, extractor.dims())?;
    extractor.stream().run(rayon::current_num_threads() == 1, counted, |frames| files.take(id, &frames))?;
    let frames = files.finish(normalize)? as usize;
    if frames == 0 {
        return Err(Error::failed(
            format!("{id}: {samples} samples are too few for one frame"),
            format!("give at least {} samples", extractor.config().encoder.receptive_field()),
        ));
    }
    let seconds = samples as f64 / f64::from(extractor.config().sample_rate);
    let utterance = Indexed { id: id.into(), speaker: "-".into(), frames, seconds, file: Some(file) };
    let mut index = Index { complete: true, made: made.clone(), left_out: vec![], utterances: vec![utterance] };
    if made.format != Format::Npy {
        for (layer, parts) in made.layers.iter().zip(&parts) {
            tables::join(made.format, &dir.join(&layer.path), parts, &index.utterances, &made.timing)?;
        }
        index.utterances[0].file = None;
        let parts = dir.join(PARTS);
        fs::remove_dir_all(&parts).map_err(Error::io(&parts, "remove"))?;
    }
    index.write(dir)?;
    Ok(index)
}

/// Says in the directory what will be made in it.
fn begin(dir: &Path, made: &Made) -> Result<()> {
    fs::create_dir_all(dir).map_err(Error::io(dir, "create"))?;
    match Index::read(dir)? {
        Some(index) if index.made.same(made) => Ok(()),
        Some(_) => Err(Error::usage(
            format!("{} holds features of another model, or with other settings", dir.display()),
            "choose another --out, or remove that directory",
        )),
        None => {
            let others = fs::read_dir(dir).map_err(Error::io(dir, "read"))?.count();
            if others > 0 {
                return Err(Error::usage(
                    format!("{} is not empty, and holds no features", dir.display()),
                    "choose an empty or new directory for --out",
                ));
            }
            Index { complete: false, made: made.clone(), left_out: vec![], utterances: vec![] }.write(dir)
        }
    }
}

/// The folder that each layer's `.npy` files are written to.
fn parts(dir: &Path, made: &Made) -> Vec<PathBuf> {
    let folder = |layer: &LayerInfo| match made.format {
        Format::Npy => dir.join(&layer.path),
        _ => dir.join(PARTS).join(layer.name.replace(':', "")),
    };
    made.layers.iter().map(folder).collect()
}

/// What there is to do, and what cannot be done.
fn jobs<'a>(extractor: &Extractor, corpora: &'a [Corpus]) -> Result<(Vec<Job<'a>>, Vec<Problem>)> {
    let encoder = &extractor.config().encoder;
    let rate = f64::from(extractor.config().sample_rate);
    let field = encoder.receptive_field() as u64;
    let (mut jobs, mut problems) = (Vec::new(), Vec::new());
    let mut seen: HashMap<&str, &Path> = HashMap::new();
    for corpus in corpora {
        for utterance in &corpus.utterances {
            if let Some(other) = seen.insert(&utterance.id, &utterance.path) {
                let what = format!("`{}` names {} and {}", utterance.id, other.display(), utterance.path.display());
                return Err(Error::failed(
                    what,
                    "extract them one after the other, or give a manifest with an `id` for each",
                ));
            }
            if utterance.samples < field {
                let what = format!(
                    "is {:.3} s long, shorter than the {:.3} s that a frame sees",
                    utterance.samples as f64 / rate,
                    field as f64 / rate
                );
                problems.push(Problem::new(utterance.path.display(), what));
                continue;
            }
            let frames = encoder.frames(usize::try_from(utterance.samples).unwrap_or(usize::MAX)) as u64;
            let speaker = &corpus.speakers[utterance.speaker as usize];
            jobs.push(Job { utterance, speaker, file: corpus.tree_name(utterance), frames });
        }
    }
    let names = file_names(jobs.iter().map(|job: &Job| (job.file.as_str(), job.utterance.id.as_str())));
    jobs.iter_mut().zip(names).for_each(|(job, name)| job.file = name);
    Ok((jobs, problems))
}

/// The `.npy` of each utterance, given its name in the input's tree and its id: the name in the tree, or the id where two utterances
/// would have one name (of two formats, two sections, or two inputs).
pub(crate) fn file_names<'a>(utterances: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> Vec<String> {
    let mut names: HashMap<&str, usize> = HashMap::new();
    utterances.clone().for_each(|(name, _)| *names.entry(name).or_default() += 1);
    utterances.map(|(name, id)| inside(if names[name] > 1 { id } else { name }) + ".npy").collect()
}

/// A path that stays inside the directory that it is joined to.
fn inside(name: &str) -> String {
    let parts = Path::new(name).components().filter_map(|c| match c {
        Component::Normal(part) => Some(part.to_string_lossy().replace(':', "_")),
        _ => None,
    });
    parts.collect::<Vec<_>>().join("/")
}

struct Work<'a> {
    extractor: &'a Extractor,
    settings: &'a Settings,
    parts: Vec<PathBuf>,
    progress: &'a (dyn Fn(f64) + Sync),
    stop: &'a AtomicBool,
}

impl Work<'_> {
    fn utterance(&self, job: &Job, alone: bool) -> Result<()> {
        let rate = self.extractor.config().sample_rate;
        let Utterance { id, path, info, start, samples, .. } = job.utterance;
        if self.stop.load(Ordering::Relaxed) {
            return Err(Error::Interrupted { kept: "finished utterances are kept; the same command goes on".into() });
        }
        let seconds = |n: u64| n as f64 / f64::from(rate);
        let there = |(folder, dim): (&PathBuf, &usize)| {
            fs::metadata(folder.join(&job.file)).is_ok_and(|m| m.len() == file_size(job.frames, *dim))
        };
        if self.parts.iter().zip(self.extractor.dims()).all(there) {
            (self.progress)(seconds(*samples));
            return Ok(());
        }
        let mut files = Writing::create(&self.parts, &job.file, self.extractor.dims())?;
        let (mut at, mut reader) = (0, Reader::new());
        let next = || {
            if self.stop.load(Ordering::Relaxed) {
                return Err(Error::Interrupted {
                    kept: "finished utterances are kept; the same command goes on".into(),
                });
            }
            let n = (samples - at).min(PIECE_SECONDS as u64 * u64::from(rate));
            let mut piece = vec![0.0; n as usize];
            reader.read(path, info, start + at, rate, &mut piece).map_err(|problem| Error::BadFiles(vec![problem]))?;
            at += n;
            (self.progress)(seconds(n));
            Ok(piece)
        };
        let mut stream: Stream = self.extractor.stream();
        let run = stream.run(alone, next, |frames| files.take(id, &frames));
        if let Err(e) = run {
            files.discard();
            return Err(e);
        }
        let frames = files.finish(self.settings.normalize)?;
        if frames != job.frames {
            let what = format!("{frames} frames came of {samples} samples, {} should have", job.frames);
            return Err(Error::failed(format!("{}: {what}", path.display()), "report this as a fault of cpc"));
        }
        Ok(())
    }
}

/// The files of one utterance, a layer each, under temporary names.
struct Writing {
    files: Vec<(NpyWriter, PathBuf, PathBuf)>,
    moments: Vec<Moments>,
}

impl Writing {
    fn create(folders: &[PathBuf], file: &str, dims: &[usize]) -> Result<Self> {
        let mut files = Vec::with_capacity(folders.len());
        for (folder, &dim) in folders.iter().zip(dims) {
            let path = folder.join(file);
            let parent = path.parent().unwrap_or(folder);
            fs::create_dir_all(parent).map_err(Error::io(parent, "create"))?;
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let temporary = path.with_file_name(format!(".{name}.tmp"));
            files.push((NpyWriter::create(&temporary, dim)?, temporary, path));
        }
        Ok(Writing { files, moments: dims.iter().map(|&dim| Moments::new(dim)).collect() })
    }

    fn take(&mut self, id: &str, frames: &Frames) -> Result<()> {
        for (((file, ..), rows), moments) in self.files.iter_mut().zip(&frames.layers).zip(&mut self.moments) {
            if rows.iter().any(|v| !v.is_finite()) {
                return Err(Error::failed(
                    format!("{id}: the model's output is not finite"),
                    "its training diverged; take an earlier checkpoint",
                ));
            }
            moments.add(rows);
            file.write(rows)?;
        }
        Ok(())
    }

    /// Normalises, and gives the files their names.
    fn finish(self, normalize: Normalize) -> Result<u64> {
        let mut rows = 0;
        for ((mut file, temporary, path), moments) in self.files.into_iter().zip(self.moments) {
            if normalize != Normalize::None {
                let (mean, scale) = moments.finish(normalize == Normalize::MeanVar);
                file.map(|row| row.iter_mut().zip(&mean).zip(&scale).for_each(|((v, m), s)| *v = (*v - m) * s))?;
            }
            rows = file.finish()?;
            fs::rename(&temporary, &path).map_err(Error::io(&path, "write"))?;
        }
        Ok(rows)
    }

    /// Takes away what was written.
    fn discard(&self) {
        for (_, temporary, _) in &self.files {
            let _ = fs::remove_file(temporary);
        }
    }
}

/// Sums over the frames of one utterance.
struct Moments {
    rows: u64,
    sums: Vec<f64>,
    squares: Vec<f64>,
}

impl Moments {
    fn new(dim: usize) -> Self {
        Moments { rows: 0, sums: vec![0.0; dim], squares: vec![0.0; dim] }
    }

    fn add(&mut self, rows: &[f32]) {
        for row in rows.chunks_exact(self.sums.len()) {
            self.rows += 1;
            for ((v, sum), square) in row.iter().zip(&mut self.sums).zip(&mut self.squares) {
                let v = f64::from(*v);
                *sum += v;
                *square += v * v;
            }
        }
    }

    /// The mean, and one over the standard deviation if it is wanted (1 for a dimension that does not vary).
    fn finish(&self, variance: bool) -> (Vec<f32>, Vec<f32>) {
        let n = self.rows.max(1) as f64;
        let mean: Vec<f64> = self.sums.iter().map(|s| s / n).collect();
        let scale = self.squares.iter().zip(&mean).map(|(square, mean)| {
            let v = square / n - mean * mean;
            if variance && v > 1e-10 * mean * mean + 1e-20 { (1.0 / v.sqrt()) as f32 } else { 1.0 }
        });
        (mean.iter().map(|&m| m as f32).collect(), scale.collect())
    }
}
