//! Batches, read from disk by dedicated threads, a few ahead of the trainer.
//!
//! A batch is a function of its position, so each of n threads reads every n-th batch, and the loader takes them in turn: their number changes
//! neither the order nor any byte. In the same way each of several processes reads its share of the batches.

use crate::audio::Reader;
use crate::audio::augment::{self, AugmentSide, Tools};
use crate::config::OnBadFile;
use crate::data::{Course, Position};
use crate::error::{Error, Problem, Result};
use crate::recordings::plan::Plan;
use crate::recordings::windows::Windows;
use crate::recordings::{Medium, Place};
use crate::seed::stream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Windows that are learned from together.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowBatch {
    /// The frames, shape (rows, window, width), row after row: for audio, mono samples.
    pub samples: Vec<f32>,
    /// The same windows as c is computed from them, if augmentation makes them differ from `samples`, which are then the future; else empty.
    pub past: Vec<f32>,
    /// The number of windows; at most the batch size, at least 2 in training.
    pub rows: usize,
    /// Frames in a window.
    pub window: usize,
    /// Values in a frame: 1 for audio.
    pub width: usize,
    /// The epoch that the batch belongs to.
    pub epoch: u64,
    /// Its number in the epoch.
    pub index: u64,
    /// What each row came from; more than one where a window spans joined utterances.
    pub files: Vec<Vec<Place>>,
    /// Files that could not be read; the next windows that could took their places (`on_bad_file = skip` only).
    pub skipped: Vec<Problem>,
    /// The position of the loader's batch after this one: what a checkpoint has to keep.
    pub next: Position,
}

/// Reads batches in order.
struct BatchReader<M: Medium> {
    windows: Arc<Windows<M>>,
    batch: usize,
    seed: u64,
    at: Position,
    plan: Plan,
    reader: M::Reader,
    noise_reader: Reader,
    tools: Tools,
}

impl<M: Medium> BatchReader<M> {
    fn new(windows: Arc<Windows<M>>, batch: usize, seed: u64, at: Position) -> Result<Self> {
        let plan = Plan::new(&windows, batch, seed, at.epoch);
        if plan.batches() == 0 {
            return Err(Error::failed(
                format!("there is no batch: of {} windows, no two can share a batch of {batch}", windows.len()),
                "a batch needs at least two windows; use more audio, a shorter data.window, a train.batch_size of at least 2, \
                 or data.sampler = uniform",
            ));
        }
        Ok(BatchReader {
            windows,
            batch,
            seed,
            at,
            plan,
            reader: M::Reader::default(),
            noise_reader: Reader::new(),
            tools: Tools::default(),
        })
    }

    /// Passes over one batch.
    fn pass(&mut self) {
        self.at.batch += 1;
        if self.at.batch >= self.plan.batches() {
            self.at = Position { epoch: self.at.epoch + 1, batch: 0 };
            self.plan = Plan::new(&self.windows, self.batch, self.seed, self.at.epoch);
        }
    }

    /// The batch here, and then passes over `share` batches to the next of this process, and over `others` of it; None if `stop` was raised
    /// meanwhile.
    fn next(&mut self, share: u64, others: u64, stop: &AtomicBool) -> Result<Option<WindowBatch>> {
        let Some(mut batch) = self.readable(stop)? else { return Ok(None) };
        (0..share).for_each(|_| self.pass());
        batch.next = self.at;
        (0..others).for_each(|_| self.pass());
        Ok(Some(batch))
    }

    /// The batch here. If its group cannot be read, it is the first of the following batches that can, so that it is still a function of the
    /// position alone.
    fn readable(&mut self, stop: &AtomicBool) -> Result<Option<WindowBatch>> {
        let mut skipped: Vec<Problem> = Vec::new();
        let (batches, mut unreadable) = (self.plan.batches(), None);
        for ahead in 0..batches {
            let at = Position { batch: (self.at.batch + ahead) % batches, ..self.at };
            // The windows of a group replace each other: after one of its batches, the others need not be tried.
            let group = self.plan.places(at.batch).group;
            if unreadable == Some(group) {
                continue;
            }
            let Some(batch) = self.read(at, stop)? else { return Ok(None) };
            for problem in &batch.skipped {
                if !skipped.contains(problem) {
                    skipped.push(problem.clone());
                }
            }
            if batch.rows >= 2 {
                return Ok(Some(WindowBatch { skipped, index: self.at.batch, ..batch }));
            }
            unreadable = Some(group);
        }
        Err(Error::BadFiles(skipped))
    }

    /// Augments the `row`-th window of the batch at a position, and adds what c is computed from to `past` if that differs.
    fn augment(
        &mut self,
        at: Position,
        row: usize,
        window: &mut [f32],
        past: &mut Vec<f32>,
    ) -> std::result::Result<(), Problem> {
        let config = self.windows.config();
        if config.augment.is_empty() {
            return Ok(());
        }
        let place = at.batch.wrapping_mul(65_536).wrapping_add(row as u64);
        let mut random = stream(self.seed, &format!("augment/{}", at.epoch), place);
        let mut change = |window: &mut [f32]| -> std::result::Result<(), Problem> {
            if let Some(noise) = self.windows.noise() {
                self.tools.noise = noise.draw(window.len(), &mut random, &mut self.noise_reader)?;
            }
            augment::apply(&config.augment, window, config.sample_rate, &mut random, &mut self.tools);
            Ok(())
        };
        let side = config.augment_side;
        if side == AugmentSide::Both {
            return change(window);
        }
        let mut view = window.to_vec();
        if side != AugmentSide::Future {
            change(&mut view)?;
        }
        if side != AugmentSide::Past {
            change(window)?;
        }
        past.extend(view);
        Ok(())
    }

    /// Reads one batch; rows that cannot be read are replaced, or missing if the whole group cannot be read.
    fn read(&mut self, at: Position, stop: &AtomicBool) -> Result<Option<WindowBatch>> {
        let mut skipped = Vec::new();
        let (window, width) = (self.windows.config().window, self.windows.corpus().width);
        let size = window * width;
        let places = self.plan.places(at.batch);
        let order = self.plan.order(places.group);
        let group = self.plan.group(places.group);
        let mut samples = vec![0.0; places.rows as usize * size];
        let mut past = Vec::new();
        let mut files = Vec::with_capacity(places.rows as usize);
        // Replacements are the places after the batch, in the group's order, wrapping around to the start of the batch.
        let mut spare = (0..group - places.rows).map(|k| (places.first + places.rows + k) % group);
        let mut wanted = places.first..places.first + places.rows;
        let mut next = wanted.next();
        while let Some(place) = next {
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let slots = &mut samples[files.len() * size..][..size];
            let read = self.windows.read(&self.plan.layout, order.at(place), &mut self.reader, slots);
            let read = read.and_then(|from| self.augment(at, files.len(), slots, &mut past).map(|()| from));
            match read {
                Ok(from) => {
                    files.push(from);
                    next = wanted.next();
                }
                Err(problem) if self.windows.config().on_bad_file == OnBadFile::Fail => {
                    return Err(Error::BadFiles(vec![problem]));
                }
                Err(problem) => {
                    if !skipped.contains(&problem) {
                        skipped.push(problem);
                    }
                    next = spare.next().or_else(|| wanted.next());
                }
            }
        }
        samples.truncate(files.len() * size);
        Ok(Some(WindowBatch {
            samples,
            past,
            rows: files.len(),
            window,
            width,
            epoch: at.epoch,
            index: at.batch,
            files,
            skipped,
            next: at,
        }))
    }
}

/// Returns batches in order, endlessly, read ahead by one or more threads.
pub struct RecordingLoader {
    readers: Vec<ReadingThread>,
    /// The reader whose turn it is.
    turn: usize,
    stop: Arc<AtomicBool>,
    at: Position,
    waited: Duration,
}

/// A thread that reads every n-th batch.
struct ReadingThread {
    batches: Option<Receiver<Result<WindowBatch>>>,
    thread: Option<JoinHandle<()>>,
}

impl RecordingLoader {
    /// Starts `threads` threads that read batches of at most `batch` windows along `course`, `data.prefetch` of them ahead.
    ///
    /// # Errors
    ///
    /// There is no batch of at least two windows, or a thread cannot be started.
    pub fn start<M: Medium>(
        windows: Arc<Windows<M>>,
        batch: usize,
        seed: u64,
        course: impl Into<Course>,
        threads: usize,
    ) -> Result<RecordingLoader> {
        let (threads, Course { at, share }) = (threads.max(1), course.into());
        let ahead = windows.config().prefetch.div_ceil(threads);
        let mut first = BatchReader::new(windows.clone(), batch, seed, at)?;
        if first.at.batch >= first.plan.batches() {
            first.pass();
        }
        (0..share.rank).for_each(|_| first.pass());
        let mut loader = RecordingLoader {
            readers: Vec::new(),
            turn: 0,
            stop: Arc::new(AtomicBool::new(false)),
            at: first.at,
            waited: Duration::ZERO,
        };
        for _ in 0..threads {
            let mut reader = BatchReader::new(windows.clone(), batch, seed, first.at)?;
            (0..share.ranks).for_each(|_| first.pass());
            let (sender, batches) = sync_channel(ahead);
            let stopped = loader.stop.clone();
            let others = share.ranks * (threads as u64 - 1);
            let work = move || {
                while let Some(batch) = reader.next(share.ranks, others, &stopped).transpose() {
                    let last = batch.is_err();
                    if sender.send(batch).is_err() || last {
                        break;
                    }
                }
            };
            let thread = std::thread::Builder::new().name("data".into()).spawn(work).map_err(|e| {
                Error::failed(
                    format!("cannot start a thread for reading data: {e}"),
                    "free some memory, or allow more threads",
                )
            })?;
            loader.readers.push(ReadingThread { batches: Some(batches), thread: Some(thread) });
        }
        Ok(loader)
    }

    /// Returns the next batch; blocks until it has been read.
    ///
    /// # Errors
    ///
    /// With `on_bad_file = fail`, a file that cannot be read; with `skip`, only if no file can be read. The loader returns no
    /// further batches after an error.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<WindowBatch> {
        let began = Instant::now();
        let batch = self.readers[self.turn].batches.as_ref().and_then(|batches| batches.recv().ok());
        self.turn = (self.turn + 1) % self.readers.len();
        self.waited += began.elapsed();
        let batch = batch.unwrap_or_else(|| {
            Err(Error::failed(
                "the thread that reads data has stopped",
                "see the previous error; if there is none, report this",
            ))
        })?;
        self.at = batch.next;
        Ok(batch)
    }

    /// The position of the batch that [`RecordingLoader::next`] gives next.
    pub fn position(&self) -> Position {
        self.at
    }

    /// How long [`RecordingLoader::next`] has waited for data, in all.
    pub fn waited(&self) -> Duration {
        self.waited
    }
}

impl Drop for RecordingLoader {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Dropping the receivers unblocks threads that wait for room in a channel, and they end.
        self.readers.iter_mut().for_each(|reader| reader.batches = None);
        for thread in self.readers.iter_mut().filter_map(|reader| reader.thread.take()) {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::fixtures::counting;
    use crate::group::Share;
    use crate::recordings::{Corpus, NoiseCorpus, RecordingsConfig, Sampler, WindowCut};
    use std::collections::HashSet;
    use std::path::Path;

    /// Any number gives the same batches.
    const THREADS: usize = 3;

    const SAMPLERS: [Sampler; 4] = [Sampler::Uniform, Sampler::SameSpeaker, Sampler::SameSequence, Sampler::Sequential];

    /// Three speakers with a few utterances each; every sample value of an utterance encodes its position.
    fn tree(root: &Path) {
        for (s, speaker) in ["s1", "s2", "s3"].iter().enumerate() {
            for u in 0..4u64 {
                let path = root.join(speaker).join(format!("{speaker}{u}.wav"));
                counting(&path, 500 + 130 * u + 77 * s as u64, 5000 * s as i16 + 1200 * u as i16);
            }
        }
    }

    fn config(sampler: Sampler) -> RecordingsConfig {
        RecordingsConfig { window: 100, sampler, prefetch: 2, ..RecordingsConfig::default() }
    }

    fn windows(root: &Path, cfg: &RecordingsConfig) -> Arc<Windows> {
        let corpus = Corpus::open(root, cfg, &|_| {}).unwrap();
        Arc::new(Windows::new(Arc::new(corpus), cfg).unwrap())
    }

    #[test]
    fn a_loader_that_starts_in_the_middle_gives_what_one_from_the_beginning_gives() {
        let dir = tempfile::tempdir().unwrap();
        tree(dir.path());
        for sampler in SAMPLERS {
            let windows = windows(dir.path(), &config(sampler));
            let mut loader = RecordingLoader::start(windows.clone(), 4, 9, Position::default(), 1).unwrap();
            let mut positions = vec![loader.position()];
            let mut batches = Vec::new();
            while batches.len() < 60 {
                batches.push(loader.next().unwrap());
                positions.push(loader.position());
            }
            assert!(positions[60].epoch >= 2, "{sampler:?}: {:?}", positions[60]);
            for k in (0..60).step_by(7) {
                let mut other = RecordingLoader::start(windows.clone(), 4, 9, positions[k], THREADS).unwrap();
                assert_eq!(other.next().unwrap(), batches[k], "{sampler:?} at {k}");
                assert_eq!(other.next().unwrap(), batches[(k + 1).min(59)], "{sampler:?} after {k}");
                if k + 2 >= 60 {
                    break;
                }
            }
        }
    }

    #[test]
    fn augmented_windows_are_the_same_wherever_a_loader_starts_and_differ_on_their_side_alone() {
        let dir = tempfile::tempdir().unwrap();
        tree(dir.path());
        let plain = windows(dir.path(), &config(Sampler::Uniform));
        let start = |windows: &Arc<Windows>, at| RecordingLoader::start(windows.clone(), 4, 9, at, THREADS).unwrap();
        let unchanged = start(&plain, Position::default()).next().unwrap();
        assert!(unchanged.past.is_empty());
        for side in [AugmentSide::Past, AugmentSide::Future, AugmentSide::Both, AugmentSide::Each] {
            let augment = vec!["gain".parse().unwrap(), "time-dropout:2".parse().unwrap()];
            let config = RecordingsConfig { augment, augment_side: side, ..config(Sampler::Uniform) };
            let augmented = windows(dir.path(), &config);
            let mut whole = start(&augmented, Position::default());
            let first = whole.next().unwrap();
            assert_eq!(first.files, unchanged.files);
            let same = |view: &[f32]| view == unchanged.samples;
            match side {
                AugmentSide::Past => assert!(!same(&first.past) && same(&first.samples)),
                AugmentSide::Future => assert!(same(&first.past) && !same(&first.samples)),
                AugmentSide::Both => assert!(first.past.is_empty() && !same(&first.samples)),
                AugmentSide::Each => {
                    assert!(!same(&first.past) && !same(&first.samples) && first.past != first.samples);
                }
            }
            let at = whole.position();
            assert_eq!(whole.next().unwrap(), start(&augmented, at).next().unwrap());
        }
    }

    #[test]
    fn recorded_noise_is_mixed_in_and_a_bad_recording_of_it_is_named() {
        let (dir, sounds) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        tree(dir.path());
        let noise = sounds.path().join("n.wav");
        counting(&noise, 40, 30_000); // shorter than a window: it is repeated
        let config = RecordingsConfig { augment: vec!["noise".parse().unwrap()], ..config(Sampler::Uniform) };
        let corpus = Arc::new(Corpus::open(sounds.path(), &config, &|_| {}).unwrap());
        let plain = windows(dir.path(), &config);
        let noisy = Windows::clone(&plain).with_noise(Some(NoiseCorpus::new(corpus).unwrap()));
        let start = |windows: Windows| RecordingLoader::start(Arc::new(windows), 4, 9, Position::default(), THREADS);
        let batch = start(noisy.clone()).unwrap().next().unwrap();
        let added: Vec<f32> = batch.past[..100].iter().zip(&batch.samples).map(|(a, b)| a - b).collect();
        // Nearly constant, as the recording is; made noise is not.
        assert!(added.iter().all(|x| (x / added[0] - 1.0).abs() < 0.01), "{added:?}");
        std::fs::write(&noise, "no sound").unwrap();
        let error = start(noisy).unwrap().next().unwrap_err().to_string();
        assert!(error.contains("n.wav"), "{error}");
    }

    #[test]
    fn an_epoch_has_every_window_of_its_plan_once() {
        let dir = tempfile::tempdir().unwrap();
        tree(dir.path());
        for sampler in SAMPLERS {
            for cut in [WindowCut::Joined, WindowCut::Utterance] {
                let windows = windows(dir.path(), &RecordingsConfig { cut, ..config(sampler) });
                for epoch in 0..3 {
                    let plan = Plan::new(&windows, 4, 1, epoch);
                    let mut seen = HashSet::new();
                    for i in 0..plan.batches() {
                        let places = plan.places(i);
                        assert!((2..=4).contains(&places.rows), "{sampler:?}: {places:?}");
                        let order = plan.order(places.group);
                        for place in places.first..places.first + places.rows {
                            assert!(seen.insert(order.at(place)), "{sampler:?} {cut:?}");
                        }
                    }
                    assert_eq!(seen.len() as u64, plan.windows());
                    assert_eq!(plan.windows() + plan.left_out(), plan.layout.windows());
                    assert!(plan.left_out() < 12, "{sampler:?}: {}", plan.left_out());
                    assert!(seen.iter().all(|&w| w < plan.layout.windows()));
                }
            }
        }
    }

    #[test]
    fn rows_are_windows_of_one_speaker_or_one_sequence_as_asked() {
        let dir = tempfile::tempdir().unwrap();
        tree(dir.path());
        for sampler in [Sampler::SameSpeaker, Sampler::SameSequence] {
            let mut loader =
                RecordingLoader::start(windows(dir.path(), &config(sampler)), 4, 3, Position::default(), THREADS)
                    .unwrap();
            for _ in 0..40 {
                let batch = loader.next().unwrap();
                assert_eq!(batch.samples.len(), batch.rows * batch.window);
                let of = |place: &Place| match sampler {
                    Sampler::SameSpeaker => place.file().parent().unwrap().to_path_buf(),
                    _ => place.file().to_path_buf(),
                };
                let sources: HashSet<std::path::PathBuf> = batch.files.iter().flatten().map(of).collect();
                assert_eq!(sources.len(), 1, "{sampler:?}: {sources:?}");
            }
        }
    }

    #[test]
    fn sequential_rows_go_on_where_they_stopped() {
        let dir = tempfile::tempdir().unwrap();
        counting(&dir.path().join("a/long.wav"), 5000, -2000);
        let mut loader = RecordingLoader::start(
            windows(dir.path(), &config(Sampler::Sequential)),
            3,
            3,
            Position::default(),
            THREADS,
        )
        .unwrap();
        let (first, second) = (loader.next().unwrap(), loader.next().unwrap());
        for row in 0..3 {
            let last = first.samples[row * 100 + 99] * 32_768.0;
            assert_eq!(second.samples[row * 100] * 32_768.0, last + 1.0);
        }
    }

    #[test]
    fn joined_windows_run_over_the_ends_of_utterances() {
        let dir = tempfile::tempdir().unwrap();
        counting(&dir.path().join("a/1.wav"), 150, 0);
        counting(&dir.path().join("a/2.wav"), 70, 1000);
        counting(&dir.path().join("a/3.wav"), 180, 2000);
        let cfg = RecordingsConfig { valid_windows: 4, ..config(Sampler::Uniform) };
        let mut batches = crate::recordings::validation_batches(windows(dir.path(), &cfg), 4, Share::ALL);
        let batch = batches.next().unwrap().unwrap();
        assert!(batches.next().is_none());
        let got: Vec<i32> = batch.samples.iter().map(|x| (x * 32_768.0) as i32).collect();
        let joined: Vec<i32> = (0..150).chain(1000..1070).chain(2000..2180).collect();
        assert_eq!(got, joined);
        assert_eq!(batch.files[1].len(), 2);
        assert_eq!(batch.files[2].len(), 2);
    }

    #[test]
    fn a_bad_file_fails_or_is_replaced_as_asked() {
        let dir = tempfile::tempdir().unwrap();
        tree(dir.path());
        let cfg = config(Sampler::SameSpeaker);
        for on_bad_file in [OnBadFile::Fail, OnBadFile::Skip] {
            let windows = windows(dir.path(), &RecordingsConfig { on_bad_file, ..cfg.clone() });
            // The file becomes unreadable after it was inspected.
            let bad = dir.path().join("s2/s22.wav");
            let kept = std::fs::read(&bad).unwrap();
            std::fs::write(&bad, &kept[..44]).unwrap();
            let mut loader = RecordingLoader::start(windows.clone(), 4, 3, Position::default(), THREADS).unwrap();
            let batches: Vec<Result<WindowBatch>> = (0..20).map(|_| loader.next()).collect();
            match on_bad_file {
                OnBadFile::Fail => {
                    let error = batches.iter().find_map(|b| b.as_ref().err()).unwrap();
                    assert!(matches!(error, Error::BadFiles(p) if p[0].at.ends_with("s22.wav")), "{error}");
                }
                OnBadFile::Skip => {
                    let batches: Vec<WindowBatch> = batches.into_iter().map(|b| b.unwrap()).collect();
                    assert!(batches.iter().any(|b| b.skipped.iter().any(|p| p.at.ends_with("s22.wav"))));
                    assert!(batches.iter().all(|b| b.files.iter().flatten().all(|f| f.file() != bad)));
                    let mut again = RecordingLoader::start(windows, 4, 3, batches[4].next, THREADS).unwrap();
                    assert_eq!(again.next().unwrap(), batches[5]);
                }
            }
            std::fs::write(&bad, kept).unwrap();
        }
    }

    #[test]
    fn when_nothing_can_be_read_there_is_an_error_and_no_endless_search() {
        let dir = tempfile::tempdir().unwrap();
        tree(dir.path());
        for sampler in SAMPLERS {
            let cfg = RecordingsConfig { on_bad_file: OnBadFile::Skip, ..config(sampler) };
            let copy = tempfile::tempdir().unwrap();
            tree(copy.path());
            let windows = windows(copy.path(), &cfg);
            drop(copy);
            let error = RecordingLoader::start(windows.clone(), 4, 3, Position::default(), THREADS)
                .unwrap()
                .next()
                .unwrap_err();
            assert!(matches!(&error, Error::BadFiles(p) if p.len() == 12), "{sampler:?}: {error}");
            assert!(crate::recordings::validation_batches(windows, 4, Share::ALL).next().unwrap().is_err());
        }
    }

    #[test]
    fn dropping_a_loader_with_a_full_channel_ends_its_thread() {
        let dir = tempfile::tempdir().unwrap();
        tree(dir.path());
        let windows = windows(dir.path(), &config(Sampler::Uniform));
        for taken in 0..5 {
            let mut loader = RecordingLoader::start(windows.clone(), 4, 3, Position::default(), THREADS).unwrap();
            (0..taken).for_each(|_| drop(loader.next().unwrap()));
        }
        assert_eq!(Arc::strong_count(&windows), 1);
    }

    #[test]
    fn a_corpus_with_a_single_window_is_refused_and_so_is_a_batch_of_one() {
        let dir = tempfile::tempdir().unwrap();
        counting(&dir.path().join("a/1.wav"), 150, 0);
        let windows = windows(dir.path(), &config(Sampler::Uniform));
        let error = RecordingLoader::start(windows, 4, 3, Position::default(), THREADS).err().unwrap();
        assert!(error.to_string().contains("of 1 windows"), "{error}");
        tree(dir.path());
        for sampler in SAMPLERS {
            let windows = self::windows(dir.path(), &config(sampler));
            assert!(RecordingLoader::start(windows, 1, 3, Position::default(), THREADS).is_err(), "{sampler:?}");
        }
    }
}
