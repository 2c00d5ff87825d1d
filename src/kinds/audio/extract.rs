//! Extracts features of whole recordings to a directory.
//!
//! Every utterance is processed piece by piece through a [`FeatureStream`](super::FeatureStream), so memory does not grow with its length. Short
//! utterances are distributed among threads; a long one uses all threads. Each finished utterance is a finished file, so an interrupted
//! extraction resumes where it stopped.

use super::AudioExtractor;
use crate::config::OnBadFile;
use crate::durable;
use crate::error::{Error, Problem, Result};
use crate::features::{Format, Index, Indexed, LayerInfo, Made, Normalize, UtteranceFiles, file_names, file_size};
use crate::kinds::audio::AudioModel;
use crate::recordings::{Corpus, Pieces, Place, Utterance};
use parking_lot::Mutex;
use rayon::prelude::*;
use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Seconds of audio per piece: the activations of a piece take a few megabytes.
const PIECE_SECONDS: u64 = 2;

/// The folder for the parts of files that hold several utterances.
const PARTS: &str = ".parts";

/// One utterance to extract: its source and the destination of its features.
#[derive(Debug)]
struct Job<'a> {
    utterance: &'a Utterance,
    speaker: &'a str,
    /// Relative to the layer's folder, with `/` as separator.
    file: String,
    frames: u64,
}

/// Extracts the features of corpora to `dir`.
///
/// `progress` is called from several threads with the seconds of audio that are done. `stop` ends the work after the current pieces.
///
/// # Errors
/// Two utterances share an id. Utterances are shorter than the receptive field of a frame, or files cannot be read; the error lists them
/// all by name, unless they are to be skipped. The directory holds other features. [`Error::Interrupted`] after `stop`.
pub fn extract(
    extractor: &AudioExtractor,
    made: &Made,
    corpora: &[Corpus],
    on_bad_file: OnBadFile,
    dir: &Path,
    progress: &(dyn Fn(f64) + Sync),
    stop: &AtomicBool,
) -> Result<Index> {
    let (jobs, mut problems) = jobs(extractor, corpora)?;
    problems.extend(corpora.iter().flat_map(|c| c.problems.iter().cloned()));
    if !problems.is_empty() && (on_bad_file == OnBadFile::Fail || jobs.is_empty()) {
        return Err(Error::BadFiles(problems));
    }
    begin(dir, made)?;
    let work = Work { extractor, made, parts: parts(dir, made), progress, stop };
    let threads = rayon::current_num_threads();
    let total: u64 = jobs.iter().map(|j| j.utterance.samples).sum();
    let rate = u64::from(extractor.config().sample_rate);
    let long = |job: &Job| job.utterance.samples > (30 * rate).max(total / (4 * threads as u64));
    let failed = Mutex::new(Vec::new());
    let each = |job: &Job, alone: bool| -> Result<()> {
        match work.utterance(job, alone) {
            Err(Error::BadFiles(bad)) if on_bad_file == OnBadFile::Skip => {
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
    let utterance =
        |job: &&Job| indexed(job.utterance, job.speaker, job.frames, extractor.config().sample_rate, job.file.clone());
    let left_out = problems.iter().map(ToString::to_string).collect();
    end(dir, made, &work.parts, done.iter().map(utterance).collect(), left_out)
}

/// Extracts features of samples from any source, such as standard input, as the only utterance of a directory.
///
/// # Errors
/// The errors of `next`; too few samples for a frame; a directory that holds other features.
pub fn extract_samples(
    extractor: &AudioExtractor,
    made: &Made,
    id: &str,
    dir: &Path,
    mut next: impl FnMut() -> Result<Vec<f32>> + Send,
) -> Result<Index> {
    begin(dir, made)?;
    let mut samples = 0;
    let counted = || {
        let piece = next()?;
        samples += piece.len();
        Ok(piece)
    };
    let parts = parts(dir, made);
    let file = format!("{id}.npy");
    let mut files = UtteranceFiles::create(&parts, &file, extractor.dims())?;
    extractor.stream().run(rayon::current_num_threads() == 1, counted, |frames| files.take(id, &frames))?;
    let frames = files.finish(made.normalize)? as usize;
    if frames == 0 {
        return Err(Error::failed(
            format!("{id}: {samples} samples are too few for one frame"),
            format!("give at least {} samples", extractor.config().encoder.receptive_field()),
        ));
    }
    let seconds = samples as f64 / f64::from(extractor.config().sample_rate);
    let utterance = Indexed { id: id.into(), speaker: "-".into(), frames, seconds, file: Some(file) };
    end(dir, made, &parts, vec![utterance], Vec::new())
}

/// Joins the parts if the format is a single file, and writes the index.
fn end(dir: &Path, made: &Made, parts: &[PathBuf], utterances: Vec<Indexed>, left_out: Vec<String>) -> Result<Index> {
    let mut index = Index { complete: true, made: made.clone(), left_out, utterances };
    if !made.format.separate() {
        for (layer, folder) in made.layers.iter().zip(parts) {
            let path = dir.join(&layer.path);
            let unfinished = durable::unfinished(&path)?;
            made.format.join(&unfinished, folder, &index.utterances, &made.timing)?;
            durable::keep(unfinished, &path)?;
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

/// Prepares the directory and writes an incomplete index with the settings of the extraction.
fn begin(dir: &Path, made: &Made) -> Result<()> {
    fs::create_dir_all(dir).map_err(Error::io(dir, "create"))?;
    match Index::read(dir)? {
        Some(index) if index.made.same(made) => Ok(()),
        Some(_) => Err(Error::usage(
            format!("{} holds features of another model, or of other settings", dir.display()),
            "choose another --out, or remove that directory",
        )),
        None => {
            let others = fs::read_dir(dir).map_err(Error::io(dir, "read"))?.count();
            if others > 0 {
                return Err(Error::usage(
                    format!("{} is not empty, and contains no features", dir.display()),
                    "choose an empty or new directory for --out",
                ));
            }
            Index { complete: false, made: made.clone(), left_out: vec![], utterances: vec![] }.write(dir)
        }
    }
}

/// The folder to which the `.npy` files of each layer are written.
fn parts(dir: &Path, made: &Made) -> Vec<PathBuf> {
    let folder = |layer: &LayerInfo| match made.format.separate() {
        true => dir.join(&layer.path),
        false => dir.join(PARTS).join(&layer.path),
    };
    made.layers.iter().map(folder).collect()
}

/// The utterances to extract, and the problems of those that cannot be extracted.
fn jobs<'a>(extractor: &AudioExtractor, corpora: &'a [Corpus]) -> Result<(Vec<Job<'a>>, Vec<Problem>)> {
    let encoder = &extractor.config().encoder;
    let rate = f64::from(extractor.config().sample_rate);
    let field = encoder.receptive_field() as u64;
    let (mut jobs, mut problems) = (Vec::new(), Vec::new());
    let mut seen: HashMap<&str, &Place> = HashMap::new();
    for corpus in corpora {
        for utterance in &corpus.utterances {
            if let Some(other) = seen.insert(&utterance.id, &utterance.place) {
                let what = format!("`{}` names {other} and {}", utterance.id, utterance.place);
                return Err(Error::failed(what, "extract them separately, or give a manifest with an `id` for each"));
            }
            if utterance.samples < field {
                let what = format!(
                    "is {:.3} s long, shorter than the {:.3} s that a frame sees",
                    utterance.samples as f64 / rate,
                    field as f64 / rate
                );
                problems.push(Problem::new(&utterance.place, what));
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

struct Work<'a> {
    extractor: &'a AudioExtractor,
    made: &'a Made,
    parts: Vec<PathBuf>,
    progress: &'a (dyn Fn(f64) + Sync),
    stop: &'a AtomicBool,
}

impl Work<'_> {
    fn go_on(&self) -> Result<()> {
        match self.stop.load(Ordering::Relaxed) {
            false => Ok(()),
            true => {
                Err(Error::Interrupted { kept: "finished utterances are kept; run the same command to resume".into() })
            }
        }
    }

    fn utterance(&self, job: &Job, alone: bool) -> Result<()> {
        self.go_on()?;
        let rate = self.extractor.config().sample_rate;
        let Utterance { id, place, samples, .. } = job.utterance;
        let there = |(folder, dim): (&PathBuf, &usize)| {
            fs::metadata(folder.join(&job.file)).is_ok_and(|m| m.len() == file_size(job.frames, *dim))
        };
        if self.parts.iter().zip(self.extractor.dims()).all(there) {
            (self.progress)(*samples as f64 / f64::from(rate));
            return Ok(());
        }
        let mut files = UtteranceFiles::create(&self.parts, &job.file, self.extractor.dims())?;
        let mut pieces = Pieces::new(job.utterance, rate, PIECE_SECONDS);
        let next = || {
            self.go_on()?;
            let piece = pieces.read()?;
            (self.progress)(piece.len() as f64 / f64::from(rate));
            Ok(piece)
        };
        self.extractor.stream().run(alone, next, |frames| files.take(id, &frames))?;
        let frames = files.finish(self.made.normalize)?;
        if frames != job.frames {
            let what = format!("{samples} samples gave {frames} frames instead of {}", job.frames);
            return Err(Error::failed(format!("{place}: {what}"), "report this as a bug in cpc"));
        }
        Ok(())
    }
}

/// An utterance of a corpus whose features are in `file`. Its length is in samples at `rate`.
pub(super) fn indexed(utterance: &Utterance, speaker: &str, frames: u64, rate: u32, file: String) -> Indexed {
    Indexed {
        id: utterance.id.clone(),
        speaker: speaker.to_string(),
        frames: frames as usize,
        seconds: utterance.samples as f64 / f64::from(rate),
        file: Some(file),
    }
}

/// The settings that a model's features are computed with. `extractor` must be the extractor of `model`.
///
/// # Errors
/// A tensor operation fails.
pub fn made(model: &AudioModel, extractor: &AudioExtractor, format: Format, normalize: Normalize) -> Result<Made> {
    let many = extractor.layers().len() > 1;
    let layers = extractor.layers().iter().zip(extractor.dims());
    Ok(Made {
        model: model.origin.reference.clone(),
        model_sha256: model.sha256()?,
        layers: layers.map(|(layer, &dim)| LayerInfo::new(&layer.to_string(), dim, format, many)).collect(),
        format,
        normalize,
        timing: extractor.timing(),
    })
}
