//! Extracts features of whole recordings to a directory.
//!
//! Every utterance is processed piece by piece through a [`FeatureStream`](super::FeatureStream), so memory does not grow with its length. Short
//! utterances are distributed among threads; a long one uses all threads. Each finished utterance is a finished file with the digest of its
//! recording, so an interrupted extraction resumes where it stopped, and a recording that has changed is extracted again.

use crate::config::OnBadFile;
use crate::error::{Error, Problem, Result};
use crate::features::{
    Destination, FeatureDirectory, Format, Index, Indexed, LayerInfo, Made, Normalize, Pool, Source, UtteranceFiles,
    Wanted, file_names, file_size,
};
use crate::recordings::{Corpus, Medium, Pieces, Place, Utterance};
use crate::signal::Extractor;
use parking_lot::Mutex;
use rayon::prelude::*;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// Values of the signal per piece, 2 s of audio: the activations of a piece take a few megabytes.
const PIECE: usize = 32_000;

/// The pieces from which on an utterance is long: 30 s of audio.
const LONG: u64 = 15;

/// The place of samples from standard input.
const PIPE: &str = "-";

/// One utterance to extract: its source and the destination of its features.
struct Job<'a, M: Medium> {
    corpus: &'a Corpus<M>,
    utterance: &'a Utterance<M>,
    speaker: &'a str,
    /// Relative to the layer's folder, with `/` as separator.
    file: String,
    frames: u64,
    /// Its recording, wherever the command runs.
    recording: String,
}

/// Extracts the features of corpora to a directory, or a shard of them: utterances are dealt out by their place in the corpora.
///
/// `progress` is called from several threads with the seconds of signal that are done. `stop` ends the work after the current pieces.
///
/// # Errors
/// Two utterances share an id. Utterances are shorter than the receptive field of a frame, or files cannot be read; the error lists them
/// all by name, unless they are to be skipped. The directory holds other features. [`Error::Interrupted`] after `stop`.
pub fn extract<M: Medium>(
    extractor: &Extractor,
    made: &Made,
    corpora: &[Corpus<M>],
    on_bad_file: OnBadFile,
    to: Destination,
    progress: &(dyn Fn(f64) + Sync),
    stop: &AtomicBool,
) -> Result<Index> {
    let (jobs, mut problems) = jobs(extractor, made, corpora)?;
    problems.extend(corpora.iter().flat_map(|c| c.problems.iter().cloned()));
    if !problems.is_empty() && (on_bad_file == OnBadFile::Fail || jobs.is_empty()) {
        return Err(Error::BadFiles(problems));
    }
    let mut directory = FeatureDirectory::begin(to, made)?;
    let digests = Digests::default();
    let wanted: Vec<Wanted> = jobs.iter().map(Job::wanted).collect();
    let before = directory.claim(&wanted, &mut |i| digests.of(jobs[i].utterance))?;
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
    let least = LONG * PIECE as u64 / extractor.sizes().channels as u64;
    let long = |job: &Job<M>| job.utterance.samples > least.max(total / (4 * threads as u64));
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
    extractor: &Extractor,
    made: &Made,
    id: &str,
    dir: &Path,
    mut next: impl FnMut() -> Result<Vec<f32>> + Send,
) -> Result<Index> {
    let mut directory = FeatureDirectory::begin(dir.into(), made)?;
    let file = format!("{id}.npy");
    directory.claim(&[Wanted { id, file: &file, recording: PIPE, section: (0, 0) }], &mut |_| Ok(String::new()))?;
    directory.open(&[])?;
    let (width, mut samples) = (extractor.sizes().channels, 0);
    let counted = || {
        let piece = next()?;
        samples += piece.len() / width;
        Ok(piece)
    };
    let mut files = UtteranceFiles::create(directory.parts(), &file, &made.dims())?;
    let mut pooling = made.pool.start(extractor.dims(), extractor.timing().frame_rate);
    let take = |frames| files.take(id, &pooling.take(frames));
    extractor.stream().run(rayon::current_num_threads() == 1, counted, take)?;
    files.take(id, &pooling.finish())?;
    let frames = files.finish(made.normalize)? as usize;
    if frames == 0 {
        return Err(Error::failed(
            format!("{id}: {samples} samples are too few for one frame"),
            format!("give at least {} samples", extractor.sizes().encoder.receptive_field()),
        ));
    }
    let seconds = samples as f64 / extractor.sizes().rate;
    let source = Source { recording: PIPE.into(), sha256: String::new(), start: 0, samples: samples as u64 };
    let utterance =
        Indexed { id: id.into(), speaker: "-".into(), frames, seconds, file: Some(file), source: Some(source) };
    directory.end(vec![utterance], Vec::new())
}

/// The utterances to extract, and the problems of those that cannot be extracted.
fn jobs<'a, M: Medium>(
    extractor: &Extractor,
    made: &Made,
    corpora: &'a [Corpus<M>],
) -> Result<(Vec<Job<'a, M>>, Vec<Problem>)> {
    let (encoder, rate) = (&extractor.sizes().encoder, extractor.sizes().rate);
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
            if utterance.samples + (encoder.zeros_before() as u64) < field {
                let what = format!(
                    "is {:.3} s long, shorter than the {:.3} s that a frame sees",
                    utterance.samples as f64 / rate,
                    field as f64 / rate
                );
                problems.push(Problem::new(&utterance.place, what));
                continue;
            }
            let frames = encoder.frames(usize::try_from(utterance.samples).unwrap_or(usize::MAX)) as u64;
            let frames = made.pool.rows(frames, extractor.timing().frame_rate);
            let speaker = &corpus.speakers[utterance.speaker as usize];
            let recording = utterance.place.absolute();
            jobs.push(Job { corpus, utterance, speaker, file: corpus.tree_name(utterance), frames, recording });
        }
    }
    let names = file_names(jobs.iter().map(|job: &Job<M>| (job.file.as_str(), job.utterance.id.as_str())));
    jobs.iter_mut().zip(names).for_each(|(job, name)| job.file = name);
    Ok((jobs, problems))
}

impl<M: Medium> Job<'_, M> {
    fn wanted(&self) -> Wanted<'_> {
        let id = &self.utterance.id;
        Wanted { id, file: &self.file, recording: &self.recording, section: self.section() }
    }

    /// The first sample of the utterance in its file, and its length.
    fn section(&self) -> (u64, u64) {
        let Utterance { info, start, samples, .. } = self.utterance;
        (M::first(info, self.corpus.sample_rate) + start, *samples)
    }
}

/// The digests of recordings, each computed once although a file may hold many utterances.
#[derive(Default)]
struct Digests(Mutex<HashMap<PathBuf, Arc<OnceLock<String>>>>);

impl Digests {
    fn of<M: Medium>(&self, Utterance { place, info, .. }: &Utterance<M>) -> Result<String> {
        let compute = || M::digest(place, info).map_err(|what| Error::BadFiles(vec![Problem::new(place, what)]));
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
    extractor: &'a Extractor,
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

    fn source<M: Medium>(&self, job: &Job<M>) -> Result<Source> {
        let (start, samples) = job.section();
        Ok(Source { recording: job.recording.clone(), sha256: self.digests.of(job.utterance)?, start, samples })
    }

    fn indexed<M: Medium>(&self, job: &Job<M>, source: Source) -> Indexed {
        let rate = self.extractor.sizes().rate;
        Indexed { source: Some(source), ..indexed(job.utterance, job.speaker, job.frames, rate, job.file.clone()) }
    }

    /// Whether some utterances were made of the same recordings before.
    fn all_same<M: Medium>(&self, jobs: &[Job<M>], some: &[usize], before: &[Option<Indexed>]) -> Result<bool> {
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
    fn all_there<M: Medium>(&self, jobs: &[Job<M>], some: &[usize], before: &[Option<Indexed>]) -> Result<bool> {
        Ok(some.iter().all(|&i| self.is_there(&jobs[i])) && self.all_same(jobs, some, before)?)
    }

    /// Whether the files of an utterance are there, and whole.
    fn is_there<M: Medium>(&self, job: &Job<M>) -> bool {
        let there = |(folder, dim): (&PathBuf, &usize)| {
            fs::metadata(folder.join(&job.file)).is_ok_and(|m| m.len() == file_size(job.frames, *dim))
        };
        self.directory.parts().iter().zip(&self.made.dims()).all(there)
    }

    fn utterance<M: Medium>(&self, job: &Job<M>, before: Option<&Indexed>, alone: bool) -> Result<Indexed> {
        self.go_on()?;
        let (rate, width) = (self.extractor.sizes().rate, job.corpus.width);
        let Utterance { id, place, samples, .. } = job.utterance;
        let folders = self.directory.parts();
        let source = self.source(job)?;
        let finished = before.is_some_and(|before| {
            before.file.as_deref() == Some(job.file.as_str()) && before.source.as_ref().is_some_and(|s| s.same(&source))
        });
        let indexed = self.indexed(job, source);
        if finished && self.is_there(job) {
            (self.progress)(*samples as f64 / rate);
            return Ok(indexed);
        }
        self.directory.forget(&job.file)?;
        let mut files = UtteranceFiles::create(folders, &job.file, &self.made.dims())?;
        let mut pooling = self.made.pool.start(self.extractor.dims(), self.extractor.timing().frame_rate);
        let mut pieces = Pieces::new(job.corpus, job.utterance, (PIECE / width) as u64);
        let next = || {
            self.go_on()?;
            let piece = pieces.read()?;
            (self.progress)((piece.len() / width) as f64 / rate);
            Ok(piece)
        };
        self.extractor.stream().run(alone, next, |frames| files.take(id, &pooling.take(frames)))?;
        files.take(id, &pooling.finish())?;
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
pub fn indexed<M: Medium>(utterance: &Utterance<M>, speaker: &str, frames: u64, rate: f64, file: String) -> Indexed {
    Indexed {
        id: utterance.id.clone(),
        speaker: speaker.to_string(),
        frames: frames as usize,
        seconds: utterance.samples as f64 / rate,
        file: Some(file),
        source: None,
    }
}

/// The settings that features are computed with. `model` and `sha256` are the model's name and the hash of its weights.
pub fn made(
    model: &str,
    sha256: String,
    extractor: &Extractor,
    format: Format,
    normalize: Normalize,
    pool: Pool,
) -> Made {
    let many = extractor.layers().len() > 1;
    let layers = extractor.layers().iter().zip(extractor.dims());
    Made {
        model: model.into(),
        model_sha256: sha256,
        layers: layers.map(|(layer, &dim)| LayerInfo::new(&layer.to_string(), pool.dim(dim), format, many)).collect(),
        format,
        normalize,
        pool,
        removed: None,
        timing: pool.timing(extractor.timing()),
    }
}
