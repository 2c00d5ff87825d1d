//! Extracts features of whole recordings to a directory.
//!
//! Every utterance is processed piece by piece through a [`FeatureStream`](super::FeatureStream), so memory does not grow with its length. Short
//! utterances are distributed among threads; a long one uses all threads. Each finished utterance is a finished file with the digest of its
//! recording, so an interrupted extraction resumes where it stopped, and a recording that has changed is extracted again.

use super::AudioExtractor;
use crate::config::OnBadFile;
use crate::error::{Error, Problem, Result};
use crate::features::{
    Destination, FeatureDirectory, Format, Index, Indexed, LayerInfo, Made, Normalize, Source, UtteranceFiles, Wanted,
    file_names, file_size,
};
use crate::kinds::audio::AudioModel;
use crate::recordings::{Corpus, Pieces, Place, Utterance, digest};
use parking_lot::Mutex;
use rayon::prelude::*;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// Seconds of audio per piece: the activations of a piece take a few megabytes.
const PIECE_SECONDS: u64 = 2;

/// The place of samples from standard input.
const PIPE: &str = "-";

/// One utterance to extract: its source and the destination of its features.
#[derive(Debug)]
struct Job<'a> {
    utterance: &'a Utterance,
    speaker: &'a str,
    /// Relative to the layer's folder, with `/` as separator.
    file: String,
    frames: u64,
    /// Its recording, wherever the command runs.
    recording: String,
}

/// Extracts the features of corpora to a directory, or a shard of them: utterances are dealt out by their place in the corpora.
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
    to: Destination,
    progress: &(dyn Fn(f64) + Sync),
    stop: &AtomicBool,
) -> Result<Index> {
    let (jobs, mut problems) = jobs(extractor, corpora)?;
    problems.extend(corpora.iter().flat_map(|c| c.problems.iter().cloned()));
    if !problems.is_empty() && (on_bad_file == OnBadFile::Fail || jobs.is_empty()) {
        return Err(Error::BadFiles(problems));
    }
    let mut directory = FeatureDirectory::begin(to, made)?;
    let digests = Digests::default();
    let wanted: Vec<Wanted> = jobs.iter().map(Job::wanted).collect();
    let before = directory.claim(&wanted, &mut |i| digests.of(&jobs[i].utterance.place))?;
    let work = Work { extractor, made, directory: &directory, digests: &digests, progress, stop };
    let mine: Vec<usize> = (0..jobs.len()).filter(|&i| to.has(i)).collect();
    if directory.has_all(&before) && work.all_same(&jobs, &mine, &before)? {
        // The one file of all utterances is there, and nothing has changed.
        if let Some(index) = Index::read(to.dir)? {
            return Ok(index);
        }
    }
    if to.shard.is_some() && directory.is_complete() && work.all_there(&jobs, &mine, &before)? {
        // A shard that comes late leaves a complete directory as it is.
        return directory.end(mine.iter().filter_map(|&i| before[i].clone()).collect(), Vec::new());
    }
    directory.open(&before)?;
    let threads = rayon::current_num_threads();
    let total: u64 = mine.iter().map(|&i| jobs[i].utterance.samples).sum();
    let rate = u64::from(extractor.config().sample_rate);
    let long = |job: &Job| job.utterance.samples > (30 * rate).max(total / (4 * threads as u64));
    let failed = Mutex::new(Vec::new());
    let finished = Mutex::new(vec![None; jobs.len()]);
    let each = |i: usize, alone: bool| -> Result<()> {
        match work.utterance(&jobs[i], before[i].as_ref(), alone) {
            Ok(utterance) => finished.lock()[i] = Some(utterance),
            Err(Error::BadFiles(bad)) if on_bad_file == OnBadFile::Skip => failed.lock().push((i, bad)),
            Err(error) => return Err(error),
        }
        Ok(())
    };
    let (long, short): (Vec<usize>, Vec<usize>) = mine.iter().partition(|&&i| long(&jobs[i]));
    long.into_iter().try_for_each(|i| each(i, threads == 1))?;
    short.par_iter().with_max_len(1).try_for_each(|&i| each(i, true))?;
    let mut failed = failed.into_inner();
    failed.sort_by_key(|(i, _)| *i);
    problems.extend(failed.into_iter().flat_map(|(_, bad)| bad));
    let done: Vec<Indexed> = finished.into_inner().into_iter().flatten().collect();
    if done.is_empty() && to.shard.is_none() {
        return Err(Error::BadFiles(problems));
    }
    let place = |at: &str| std::path::absolute(at).map_or(at.to_string(), |path| path.display().to_string());
    let left_out = problems.iter().map(|problem| Problem::new(place(&problem.at), &problem.what).to_string());
    directory.end(done, left_out.collect())
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
    let mut directory = FeatureDirectory::begin(dir.into(), made)?;
    let file = format!("{id}.npy");
    directory.claim(&[Wanted { id, file: &file, recording: PIPE, section: (0, 0) }], &mut |_| Ok(String::new()))?;
    directory.open(&[])?;
    let mut samples = 0;
    let counted = || {
        let piece = next()?;
        samples += piece.len();
        Ok(piece)
    };
    let mut files = UtteranceFiles::create(directory.parts(), &file, extractor.dims())?;
    extractor.stream().run(rayon::current_num_threads() == 1, counted, |frames| files.take(id, &frames))?;
    let frames = files.finish(made.normalize)? as usize;
    if frames == 0 {
        return Err(Error::failed(
            format!("{id}: {samples} samples are too few for one frame"),
            format!("give at least {} samples", extractor.config().encoder.receptive_field()),
        ));
    }
    let seconds = samples as f64 / f64::from(extractor.config().sample_rate);
    let source = Source { recording: PIPE.into(), sha256: String::new(), start: 0, samples: samples as u64 };
    let utterance =
        Indexed { id: id.into(), speaker: "-".into(), frames, seconds, file: Some(file), source: Some(source) };
    directory.end(vec![utterance], Vec::new())
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
                return Err(Error::failed(
                    what,
                    "extract them to separate directories, or give a manifest with an `id` for each",
                ));
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
            let recording = utterance.place.absolute();
            jobs.push(Job { utterance, speaker, file: corpus.tree_name(utterance), frames, recording });
        }
    }
    let names = file_names(jobs.iter().map(|job: &Job| (job.file.as_str(), job.utterance.id.as_str())));
    jobs.iter_mut().zip(names).for_each(|(job, name)| job.file = name);
    Ok((jobs, problems))
}

impl Job<'_> {
    fn wanted(&self) -> Wanted<'_> {
        let Utterance { id, start, samples, .. } = self.utterance;
        Wanted { id, file: &self.file, recording: &self.recording, section: (*start, *samples) }
    }
}

/// The digests of recordings, each computed once although a file may hold many utterances.
#[derive(Default)]
struct Digests(Mutex<HashMap<PathBuf, Arc<OnceLock<String>>>>);

impl Digests {
    fn of(&self, place: &Place) -> Result<String> {
        let compute = || digest(place).map_err(|what| Error::BadFiles(vec![Problem::new(place, what)]));
        let Place::File(path) = place else { return compute() };
        let cell = Arc::clone(self.0.lock().entry(path.clone()).or_default());
        match cell.get() {
            Some(known) => Ok(known.clone()),
            None => {
                let computed = compute()?;
                Ok(cell.get_or_init(|| computed).clone())
            }
        }
    }
}

struct Work<'a> {
    extractor: &'a AudioExtractor,
    made: &'a Made,
    directory: &'a FeatureDirectory,
    digests: &'a Digests,
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

    fn source(&self, job: &Job) -> Result<Source> {
        let Utterance { place, start, samples, .. } = job.utterance;
        let sha256 = self.digests.of(place)?;
        Ok(Source { recording: job.recording.clone(), sha256, start: *start, samples: *samples })
    }

    fn indexed(&self, job: &Job, source: Source) -> Indexed {
        let rate = self.extractor.config().sample_rate;
        Indexed { source: Some(source), ..indexed(job.utterance, job.speaker, job.frames, rate, job.file.clone()) }
    }

    /// Whether some utterances were made of the same recordings before.
    fn all_same(&self, jobs: &[Job], some: &[usize], before: &[Option<Indexed>]) -> Result<bool> {
        let same = |&i: &usize| -> Result<bool> {
            let (job, before) = (&jobs[i], &before[i]);
            self.go_on()?;
            let source = self.source(job)?;
            Ok(before
                .as_ref()
                .is_some_and(|b| b.id == job.utterance.id && b.source.as_ref().is_some_and(|s| s.same(&source))))
        };
        let all: Vec<bool> = some.par_iter().map(same).collect::<Result<_>>()?;
        Ok(all.into_iter().all(|same| same))
    }

    /// Whether some utterances were made of the same recordings before, and their files are there.
    fn all_there(&self, jobs: &[Job], some: &[usize], before: &[Option<Indexed>]) -> Result<bool> {
        Ok(some.iter().all(|&i| self.is_there(&jobs[i])) && self.all_same(jobs, some, before)?)
    }

    /// Whether the files of an utterance are there, and whole.
    fn is_there(&self, job: &Job) -> bool {
        let there = |(folder, dim): (&PathBuf, &usize)| {
            fs::metadata(folder.join(&job.file)).is_ok_and(|m| m.len() == file_size(job.frames, *dim))
        };
        self.directory.parts().iter().zip(self.extractor.dims()).all(there)
    }

    fn utterance(&self, job: &Job, before: Option<&Indexed>, alone: bool) -> Result<Indexed> {
        self.go_on()?;
        let rate = self.extractor.config().sample_rate;
        let Utterance { id, place, samples, .. } = job.utterance;
        let folders = self.directory.parts();
        let source = self.source(job)?;
        let finished = before.is_some_and(|before| {
            before.file.as_deref() == Some(job.file.as_str()) && before.source.as_ref().is_some_and(|s| s.same(&source))
        });
        let indexed = self.indexed(job, source);
        if finished && self.is_there(job) {
            (self.progress)(*samples as f64 / f64::from(rate));
            return Ok(indexed);
        }
        self.directory.forget(&job.file)?;
        let mut files = UtteranceFiles::create(folders, &job.file, self.extractor.dims())?;
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
        self.directory.done(&indexed)?;
        Ok(indexed)
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
        source: None,
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
