//! The list of recordings to train on.

use crate::audio::{self, AudioInfo};
use crate::config::OnBadFile;
use crate::data;
use crate::error::{Error, Problem, Result};
use crate::recordings::names::{stem, without_ending};
use crate::recordings::{
    Columns, FoundRecording, Medium, Place, RecordingsConfig, Sound, Unused, manifest, scan, table,
};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A section may end up to this many seconds after its file, and is then shortened: manifests round their times.
const ROUNDING: f64 = 0.05;

/// One recording, or a section of one.
#[derive(Debug, Clone)]
pub struct Utterance<M: Medium = Sound> {
    /// The name used in lists; see [`Corpus`].
    pub id: String,
    /// Index into [`Corpus::speakers`].
    pub speaker: u32,
    /// The place it is read from.
    pub place: Place,
    /// The contents of the recording's header.
    pub info: M::Info,
    /// Start of the utterance in the recording, in frames at the rate of the corpus; a frame of audio is a sample.
    pub start: u64,
    /// Its length, in frames at the rate of the corpus.
    pub samples: u64,
}

/// The recordings of a directory, a manifest or tables.
///
/// The speaker is the first folder below the directory (as in LibriSpeech and CPC_audio), `-` for files in the directory
/// itself, or the speaker given in a manifest. The id of an utterance is its file name without extension, if these names
/// are unique in the corpus. Otherwise, every id is the path below the directory without extension (or with it, if the
/// paths without it are not unique). Sections of a manifest without ids get their times appended: `a:1.5-3`.
///
/// In parquet files, columns give the speaker and the id of an utterance ([`Columns`]). If no column gives an id, it is
/// the file name in `audio.path`, or else the name of the table and the row number: `train-00000-of-00002-17`.
#[derive(Debug, Clone)]
pub struct Corpus<M: Medium = Sound> {
    /// Sorted by the speaker's name, then by id, so the order of the directory does not matter.
    pub utterances: Vec<Utterance<M>>,
    /// The names of the speakers, sorted.
    pub speakers: Vec<String>,
    /// Recordings that cannot be used, sorted by place.
    pub problems: Vec<Problem>,
    /// Recordings whose headers contradict them, and how they are read; sorted by place.
    pub remarks: Vec<Problem>,
    /// What is in the directory or the manifest and is not used.
    pub unused: Unused,
    /// Frames per second: lengths are counted and windows are read at this rate.
    pub sample_rate: M::Rate,
    /// Values in a frame: 1 for audio.
    pub width: usize,
    /// The directory that ids and lists are relative to.
    pub(super) root: PathBuf,
}

impl Corpus {
    /// Opens a directory, a manifest, a single recording or parquet files for training. `progress` is called with the number
    /// of recordings examined so far; it is called from several threads.
    ///
    /// # Errors
    ///
    /// As [`Corpus::inspect`]. With `on_bad_file = fail`, also every file that cannot be used, as far as the headers show;
    /// with `skip`, only if no file can be used.
    pub fn open(data: &Path, cfg: &RecordingsConfig, progress: &(dyn Fn(usize) + Sync)) -> Result<Corpus> {
        Corpus::inspect_columns(data, &cfg.columns, cfg.sample_rate, progress)?.usable(cfg.on_bad_file)
    }

    /// Inspects a directory, a manifest, a single recording or parquet files; recordings that cannot be used are problems of
    /// the corpus, not errors.
    ///
    /// # Errors
    ///
    /// `data` does not exist or cannot be read, is neither a directory nor a manifest, or contains no audio.
    pub fn inspect(data: &Path, sample_rate: u32, progress: &(dyn Fn(usize) + Sync)) -> Result<Corpus> {
        Corpus::inspect_columns(data, &Columns::default(), sample_rate, progress)
    }

    /// As [`Corpus::inspect`]; `columns` names the columns of parquet files and their roles.
    ///
    /// # Errors
    ///
    /// As [`Corpus::inspect`], and those of [`Corpus::of_tables`].
    pub fn inspect_columns(
        data: &Path,
        columns: &Columns,
        sample_rate: u32,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<Corpus> {
        if let Some((files, root)) = data::at(data)? {
            return Corpus::of_tables(&files, &root, columns, sample_rate, progress);
        }
        let metadata = std::fs::metadata(data).map_err(Error::io(data, "open"))?;
        let listed = if metadata.is_dir() {
            let scan::Listed { found, tables, problems, unused } = scan::directory(data)?;
            if found.is_empty() && !tables.is_empty() {
                let corpus = Corpus::of_tables(&tables, data, columns, sample_rate, progress)?;
                return Ok(Corpus { unused, ..corpus });
            }
            manifest::Listed { found, problems, root: data.to_path_buf(), unused }
        } else if manifest::is_name(data) {
            manifest::read(data)?
        } else if audio::is_audio_name(data) || audio::is_foreign_name(data) || starts_as_audio(data)? {
            let root = data.parent().unwrap_or(Path::new("")).to_path_buf();
            manifest::Listed { found: vec![scan::file(data, &root)], root, ..manifest::Listed::default() }
        } else {
            manifest::read(data)?
        };
        Corpus::of_found(listed, sample_rate, progress)
    }

    /// Inspects parquet files whose rows are utterances; `root` is the directory that names are relative to. A file, row
    /// group or row that cannot be used is a problem of the corpus, not an error.
    ///
    /// # Errors
    ///
    /// A file does not have the requested columns.
    pub fn of_tables(
        files: &[PathBuf],
        root: &Path,
        columns: &Columns,
        sample_rate: u32,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<Corpus> {
        let (found, problems) = table::scan(files, root, columns, true, progress)?;
        let listed = manifest::Listed { found, problems, root: root.to_path_buf(), unused: Unused::default() };
        Corpus::of_found(listed, sample_rate, progress)
    }

    fn of_found(listed: manifest::Listed, sample_rate: u32, progress: &(dyn Fn(usize) + Sync)) -> Result<Corpus> {
        let manifest::Listed { mut found, mut problems, root, unused } = listed;
        let looked = look(&found, progress);
        found.iter_mut().zip(&looked).for_each(|(found, info)| whole(found, info.as_ref().ok()));
        let ids = names(&found);
        let mut utterances = Vec::with_capacity(found.len());
        let mut seen_bad: std::collections::HashSet<&Path> = Default::default();
        for ((found, id), info) in found.iter().zip(ids).zip(&looked) {
            let info = match info {
                Ok(info) => info,
                Err(problem) => {
                    // A manifest may name several sections of one bad file.
                    if matches!(found.place, Place::Row(_)) || seen_bad.insert(found.place.file()) {
                        problems.push(problem.clone());
                    }
                    continue;
                }
            };
            match section(found, info, sample_rate) {
                Ok((start, samples)) => {
                    let place = found.place.clone();
                    let utterance = Utterance { id, speaker: 0, place, info: *info, start, samples };
                    utterances.push((found.speaker.as_str(), utterance));
                }
                Err(what) => {
                    let place = found.line.clone().unwrap_or_else(|| found.place.to_string());
                    problems.push(Problem::new(place, what));
                }
            }
        }
        let remarks = remarks(utterances.iter().map(|(_, u)| (&u.place, &u.info)));
        let corpus = Corpus::new(sample_rate, 1, root).filled(utterances)?;
        Ok(Corpus { remarks, unused, ..corpus.with_problems(problems) })
    }

    /// The recordings whose samples are all equal, such as digital silence, among at most `most` of all, evenly spread. A usual recording costs
    /// one short read.
    pub fn constant(&self, most: usize) -> Vec<Problem> {
        let mut seen: std::collections::HashSet<&Path> = Default::default();
        let each = self.utterances.iter().filter(|u| match &u.place {
            Place::File(path) => seen.insert(path),
            Place::Row(_) => true,
        });
        let each: Vec<&Utterance> = each.collect();
        let each = each.iter().step_by(each.len().div_ceil(most.max(1)).max(1));
        let mut found: Vec<Problem> = each
            .collect::<Vec<_>>()
            .into_par_iter()
            .filter_map(|u| match audio::constant(&u.place, &u.info) {
                Ok(None) => None,
                Ok(Some(0.0)) => Some(Problem::new(&u.place, "is digital silence: all samples are 0")),
                Ok(Some(value)) => Some(Problem::new(&u.place, format!("is constant: all samples are {value}"))),
                Err(problem) => Some(problem),
            })
            .collect();
        found.sort_by(|a, b| (&a.at, &a.what).cmp(&(&b.at, &b.what)));
        found
    }
}

impl<M: Medium> Corpus<M> {
    /// A corpus without utterances.
    pub(super) fn new(sample_rate: M::Rate, width: usize, root: PathBuf) -> Self {
        let (remarks, unused) = (vec![], Unused::default());
        Corpus { utterances: vec![], speakers: vec![], problems: vec![], remarks, unused, sample_rate, width, root }
    }

    /// The same with these utterances, each with the name of its speaker, whatever number it has been given.
    ///
    /// # Errors
    /// Two of them share an id.
    pub(super) fn filled(mut self, mut utterances: Vec<(&str, Utterance<M>)>) -> Result<Self> {
        utterances.sort_by(|a, b| (a.0, &a.1.id).cmp(&(b.0, &b.1.id)));
        repeated(&utterances.iter().map(|(_, u)| (u.id.as_str(), &u.place)).collect::<Vec<_>>())?;
        self.utterances.reserve_exact(utterances.len());
        for (speaker, utterance) in utterances {
            if self.speakers.last().is_none_or(|last| last != speaker) {
                self.speakers.push(speaker.to_string());
            }
            self.utterances.push(Utterance { speaker: (self.speakers.len() - 1) as u32, ..utterance });
        }
        Ok(self)
    }

    /// The same with these problems, sorted by place.
    pub(super) fn with_problems(self, mut problems: Vec<Problem>) -> Self {
        problems.sort_by(|a, b| (&a.at, &a.what).cmp(&(&b.at, &b.what)));
        Corpus { problems, ..self }
    }

    /// The same if it can be used.
    ///
    /// # Errors
    /// With `on_bad_file = fail`, it has problems; else, it has nothing but problems.
    pub fn usable(self, on_bad_file: OnBadFile) -> Result<Self> {
        let fatal = on_bad_file == OnBadFile::Fail && !self.problems.is_empty();
        if fatal || self.utterances.is_empty() {
            return Err(Error::BadFiles(self.problems));
        }
        Ok(self)
    }

    /// SHA-256 of the list of utterances: their ids, speakers, lengths and sections, but not of their samples.
    pub fn digest(&self) -> Vec<u8> {
        let mut sum = Sha256::new();
        for speaker in &self.speakers {
            sum.update(format!("{speaker}\n"));
        }
        for Utterance { id, speaker, start, samples, .. } in &self.utterances {
            sum.update(format!("{id}\n{speaker} {start} {samples}\n"));
        }
        sum.finalize().to_vec()
    }

    /// Frames per second.
    pub fn rate(&self) -> f64 {
        self.sample_rate.into()
    }

    /// The total length of all utterances, in seconds.
    pub fn seconds(&self) -> f64 {
        self.utterances.iter().map(|u| u.samples).sum::<u64>() as f64 / self.rate()
    }

    /// The name of an utterance in an output tree with the layout of the input: its path below the root without extension,
    /// with `/` as separator; for a row, the speaker and the id.
    pub fn tree_name(&self, utterance: &Utterance<M>) -> String {
        match (&utterance.place, self.speakers.get(utterance.speaker as usize)) {
            (Place::File(path), _) => without_ending(&scan::relative(path, &self.root)).to_string(),
            (Place::Row(_), Some(speaker)) if speaker != "-" => format!("{speaker}/{}", utterance.id),
            (Place::Row(_), _) => utterance.id.clone(),
        }
    }

    /// A corpus of the utterances for whose ids `keep` returns true.
    pub fn only(&self, keep: impl Fn(&str) -> bool) -> Corpus<M> {
        self.part(|i| keep(&self.utterances[i].id))
    }

    /// A corpus of some of the utterances, in the same order; speakers without utterances are omitted.
    pub(super) fn part(&self, keep: impl Fn(usize) -> bool) -> Corpus<M> {
        let mut part = Corpus::new(self.sample_rate, self.width, self.root.clone());
        let mut last = None;
        for (i, utterance) in self.utterances.iter().enumerate().filter(|(i, _)| keep(*i)) {
            if last != Some(utterance.speaker) {
                last = Some(utterance.speaker);
                part.speakers.push(self.speakers[utterance.speaker as usize].clone());
            }
            let speaker = (part.speakers.len() - 1) as u32;
            part.utterances.push(Utterance { speaker, ..self.utterances[i].clone() });
        }
        part
    }
}

/// Whether a file begins like a recording, whatever its name.
fn starts_as_audio(path: &Path) -> Result<bool> {
    let mut first = Vec::new();
    let mut file = std::fs::File::open(path).map_err(Error::io(path, "open"))?;
    (&mut file).take(16).read_to_end(&mut first).map_err(Error::io(path, "read"))?;
    Ok(audio::recognized(&first).is_some())
}

/// The headers of all recordings, each read once, in parallel.
fn look(found: &[FoundRecording], progress: &(dyn Fn(usize) + Sync)) -> Vec<std::result::Result<AudioInfo, Problem>> {
    let mut first: HashMap<&Path, usize> = HashMap::with_capacity(found.len());
    let mut files = Vec::with_capacity(found.len());
    let mut add = |f| {
        files.push(f);
        files.len() - 1
    };
    let which: Vec<usize> = found
        .iter()
        .map(|f| match &f.place {
            Place::File(path) => *first.entry(path).or_insert_with(|| add(f)),
            Place::Row(_) => add(f),
        })
        .collect();
    let done = AtomicUsize::new(0);
    let infos: Vec<_> = files
        .par_iter()
        .map(|found| {
            if let Some(looked) = &found.looked {
                return looked.clone();
            }
            let info = audio::probe(&found.place);
            progress(done.fetch_add(1, Ordering::Relaxed) + 1);
            info
        })
        .collect();
    which.into_iter().map(|i| infos[i].clone()).collect()
}

/// A section that is the whole recording is none: many manifests give the length of every recording.
fn whole(found: &mut FoundRecording, info: Option<&AudioInfo>) {
    let seconds = info.map_or(f64::NAN, AudioInfo::seconds);
    if let (0.0, Some(end)) = (found.section.0.unwrap_or(0.0), found.section.1)
        && (end - seconds).abs() <= ROUNDING
    {
        found.section = (None, None);
    }
}

/// The remarks on recordings, one for each.
fn remarks<'a>(of: impl Iterator<Item = (&'a Place, &'a AudioInfo)>) -> Vec<Problem> {
    let mut remarks: Vec<Problem> = of.filter_map(|(place, info)| Some(Problem::new(place, info.remark()?))).collect();
    remarks.sort_by(|a, b| (&a.at, &a.what).cmp(&(&b.at, &b.what)));
    remarks.dedup();
    remarks
}

/// Start and length of an utterance in samples, or why it is not available.
fn section(found: &FoundRecording, info: &AudioInfo, rate: u32) -> std::result::Result<(u64, u64), String> {
    let lossless = info.is_exact();
    if let Some(frames) = found.frames
        && lossless
        && frames != info.frames
    {
        return Err(format!("says {frames} frames, but {} has {}", found.place, info.frames));
    }
    let held = info.samples_at(rate);
    let seconds = info.seconds();
    let (start, end) = (found.section.0.unwrap_or(0.0), found.section.1.unwrap_or(seconds));
    if start >= seconds || end > seconds + ROUNDING {
        return Err(format!(
            "the section from {start} s to {end} s is not within {}, which is {seconds:.2} s long",
            found.place
        ));
    }
    let start = (start * f64::from(rate)).round() as u64;
    let end = if found.section.1.is_some() { (end * f64::from(rate)).round() as u64 } else { held };
    let start = start.min(held);
    Ok((start, end.min(held).saturating_sub(start)))
}

/// The ids of utterances: names without extensions if they are unique, otherwise paths, otherwise paths with extensions.
pub(super) fn names(found: &[FoundRecording]) -> Vec<String> {
    let ways: [fn(&str) -> &str; 3] = [|r| stem(without_ending(r)), without_ending, |r| r];
    let mut ids = Vec::new();
    for way in ways {
        ids = found.iter().map(|f| f.id.clone().unwrap_or_else(|| way(&f.relative).to_string() + &times(f))).collect();
        let mut sorted: Vec<&String> = ids.iter().collect();
        sorted.sort_unstable();
        if sorted.windows(2).all(|pair| pair[0] != pair[1]) {
            break;
        }
    }
    ids
}

fn times(found: &FoundRecording) -> String {
    match found.section {
        (None, None) => String::new(),
        (start, end) => format!(":{}-{}", start.unwrap_or(0.0), end.map_or(String::new(), |e| e.to_string())),
    }
}

/// Rejects ids shared by two utterances (a manifest lists one twice, or gives the same id to two).
fn repeated(ids: &[(&str, &Place)]) -> Result<()> {
    let mut first: HashMap<&str, &Place> = HashMap::with_capacity(ids.len());
    let mut problems = Vec::new();
    for (id, place) in ids {
        if let Some(other) = first.insert(id, place) {
            let what = format!("names {other} and {place}");
            problems.push(Problem::new(format!("id `{id}`"), what));
        }
    }
    match problems.is_empty() {
        true => Ok(()),
        false => Err(Error::problems(problems, "give an `id` of its own to each line or row")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::fixtures::{counting, fixture, wav};

    fn open(path: &Path) -> Result<Corpus> {
        Corpus::open(path, &RecordingsConfig::default(), &|_| {})
    }

    fn ids(corpus: &Corpus) -> Vec<&str> {
        corpus.utterances.iter().map(|u| u.id.as_str()).collect()
    }

    #[test]
    fn the_first_folder_is_the_speaker_and_the_order_is_by_name() {
        let dir = tempfile::tempdir().unwrap();
        for path in ["s2/x/2.wav", "s1/9.wav", "s2/x/1.wav", "loose.wav", "s2/.hidden.wav", ".trash/1.wav"] {
            counting(&dir.path().join(path), 100, 0);
        }
        std::fs::write(dir.path().join("s2/notes.txt"), "no audio").unwrap();
        let corpus = open(dir.path()).unwrap();
        assert_eq!(corpus.speakers, ["-", "s1", "s2"]);
        assert_eq!(ids(&corpus), ["loose", "9", "1", "2"]);
        assert_eq!(corpus.utterances[3].speaker, 2);
        assert_eq!(corpus.utterances[3].samples, 100);
    }

    #[test]
    fn names_that_repeat_make_paths_of_all_ids() {
        let dir = tempfile::tempdir().unwrap();
        ["a/1.wav", "b/1.wav", "b/2.wav"].iter().for_each(|p| counting(&dir.path().join(p), 100, 0));
        assert_eq!(ids(&open(dir.path()).unwrap()), ["a/1", "b/1", "b/2"]);
        std::fs::copy(fixture("tone.flac"), dir.path().join("a/1.flac")).unwrap();
        assert_eq!(ids(&open(dir.path()).unwrap()), ["a/1.flac", "a/1.wav", "b/1.wav", "b/2.wav"]);
    }

    #[test]
    fn other_rates_are_counted_at_the_rate_of_the_corpus() {
        let dir = tempfile::tempdir().unwrap();
        wav(&dir.path().join("a/slow.wav"), 8_000, 1, 800, |_, _| 0);
        wav(&dir.path().join("a/fast.wav"), 44_100, 2, 44_100, |_, _| 0);
        let corpus = open(dir.path()).unwrap();
        assert_eq!(corpus.utterances.iter().map(|u| u.samples).collect::<Vec<_>>(), [16_000, 1_600]);
        assert_eq!(corpus.seconds(), 1.1);
    }

    #[test]
    fn every_bad_file_is_named_at_once_or_left_out() {
        let dir = tempfile::tempdir().unwrap();
        counting(&dir.path().join("a/good.wav"), 100, 0);
        std::fs::write(dir.path().join("a/empty.wav"), "").unwrap();
        std::fs::write(dir.path().join("a/text.flac"), "this is a poem, not a recording").unwrap();
        std::fs::create_dir(dir.path().join("a/folder.wav")).unwrap();
        let error = open(dir.path()).unwrap_err();
        let Error::BadFiles(problems) = &error else { panic!("{error}") };
        assert_eq!(problems.len(), 2, "{error}");
        assert!(problems[0].at.ends_with("empty.wav") && problems[0].what.contains("0 bytes"), "{error}");
        assert!(problems[1].at.ends_with("text.flac") && problems[1].what.contains("not audio"), "{error}");
        let cfg = RecordingsConfig { on_bad_file: OnBadFile::Skip, ..RecordingsConfig::default() };
        let corpus = Corpus::open(dir.path(), &cfg, &|_| {}).unwrap();
        assert_eq!((ids(&corpus), corpus.problems.len()), (vec!["good"], 2));
        std::fs::remove_file(dir.path().join("a/good.wav")).unwrap();
        assert!(matches!(Corpus::open(dir.path(), &cfg, &|_| {}), Err(Error::BadFiles(p)) if p.len() == 2));
        assert_eq!(Corpus::inspect(dir.path(), 16_000, &|_| {}).unwrap().problems.len(), 2);
    }

    #[test]
    fn a_place_without_audio_is_an_error_that_says_what_was_looked_for() {
        let dir = tempfile::tempdir().unwrap();
        let error = open(dir.path()).unwrap_err().to_string();
        assert!(error.contains("no files in this directory"), "{error}");
        std::fs::write(dir.path().join("a.txt"), "x").unwrap();
        let error = open(dir.path()).unwrap_err().to_string();
        assert!(error.contains("none of the 1 files") && error.contains(".flac"), "{error}");
        let error = open(&dir.path().join("a.txt")).unwrap_err();
        assert!(error.to_string().contains("neither a directory nor a manifest") && error.exit_code() == 2, "{error}");
        let error = open(&dir.path().join("missing")).unwrap_err().to_string();
        assert!(error.contains("cannot open") && error.contains("missing"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_but_not_in_circles() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        counting(&dir.path().join("data/a/1.wav"), 100, 0);
        counting(&dir.path().join("elsewhere/2.wav"), 100, 0);
        symlink(dir.path().join("elsewhere"), dir.path().join("data/b")).unwrap();
        symlink(dir.path().join("data"), dir.path().join("data/a/up")).unwrap();
        assert_eq!(ids(&open(&dir.path().join("data")).unwrap()), ["1", "2"]);
        symlink(dir.path().join("gone.wav"), dir.path().join("data/a/gone.wav")).unwrap();
        let error = open(&dir.path().join("data")).unwrap_err().to_string();
        assert!(error.contains("gone.wav: a link to something that is not there"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn what_may_not_be_read_is_a_problem_with_its_name() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        counting(&dir.path().join("a/1.wav"), 100, 0);
        counting(&dir.path().join("b/2.wav"), 100, 0);
        counting(&dir.path().join("c/3.wav"), 100, 0);
        let forbid = |p: &str| std::fs::set_permissions(dir.path().join(p), PermissionsExt::from_mode(0o000)).unwrap();
        forbid("b");
        forbid("c/3.wav");
        // Root can read everything.
        if std::fs::read_dir(dir.path().join("b")).is_ok() {
            return;
        }
        let problems = Corpus::inspect(dir.path(), 16_000, &|_| {}).unwrap().problems;
        let text: Vec<String> = problems.iter().map(|p| p.to_string()).collect();
        assert!(text[0].contains("/b: cannot be read: Permission denied"), "{text:?}");
        assert!(text[1].contains("/c/3.wav: cannot be opened: Permission denied"), "{text:?}");
        std::fs::set_permissions(dir.path().join("b"), PermissionsExt::from_mode(0o700)).unwrap();
    }

    #[test]
    fn a_tsv_manifest_names_files_below_its_root() {
        let dir = tempfile::tempdir().unwrap();
        counting(&dir.path().join("audio/s1/1.wav"), 100, 0);
        counting(&dir.path().join("audio/s2/2.wav"), 200, 0);
        let list = dir.path().join("train.tsv");
        let root = dir.path().join("audio");
        std::fs::write(&list, format!("{}\ns1/1.wav\t100\ns2/2.wav\t200\n", root.display())).unwrap();
        let corpus = open(&list).unwrap();
        assert_eq!((ids(&corpus), corpus.speakers.clone()), (vec!["1", "2"], vec!["s1".to_string(), "s2".into()]));
        std::fs::write(&list, "audio\ns1/1.wav\t99\ns2/2.wav\tmany\ns2/3.wav\t7\n").unwrap();
        let error = open(&list).unwrap_err().to_string();
        assert!(error.contains("train.tsv:2: says 99 frames"), "{error}");
        assert!(error.contains("train.tsv:3: `many` is not a number of frames"), "{error}");
        assert!(error.contains("s2/3.wav: cannot be opened: No such file"), "{error}");
    }

    #[test]
    fn a_jsonl_manifest_names_speakers_ids_and_sections() {
        let dir = tempfile::tempdir().unwrap();
        counting(&dir.path().join("s1/1.wav"), 32_000, 0);
        let list = dir.path().join("list.jsonl");
        let lines = [
            r#"{"path": "s1/1.wav", "end": 0.5}"#,
            r#"{"path": "s1/1.wav", "start": 1.5, "speaker": 84, "text": "unused"}"#,
            r#"{"path": "s1/1.wav", "start": 1.0, "end": 2.01, "id": "last", "speaker": "s3"}"#,
        ];
        std::fs::write(&list, lines.join("\n")).unwrap();
        let corpus = open(&list).unwrap();
        assert_eq!(corpus.speakers, ["84", "s1", "s3"]);
        assert_eq!(ids(&corpus), ["1:1.5-", "1:0-0.5", "last"]);
        let places: Vec<(u64, u64)> = corpus.utterances.iter().map(|u| (u.start, u.samples)).collect();
        assert_eq!(places, [(24_000, 8_000), (0, 8_000), (16_000, 16_000)]);
        let bad = ["{}", "oops", r#"{"path": "s1/1.wav", "start": 2.5}"#, r#"{"path": "a", "start": 2, "end": 1}"#];
        std::fs::write(&list, bad.join("\n")).unwrap();
        let error = open(&list).unwrap_err().to_string();
        assert!(error.contains("list.jsonl:1: missing field `path`"), "{error}");
        assert!(error.contains("list.jsonl:2: expected"), "{error}");
        assert!(error.contains("list.jsonl:3: the section from 2.5 s"), "{error}");
        assert!(error.contains("list.jsonl:4: start, end and"), "{error}");
        std::fs::write(&list, [r#"{"path": "s1/1.wav"}"#; 2].join("\n")).unwrap();
        let error = open(&list).unwrap_err().to_string();
        assert!(error.contains("id `s1/1.wav`: names"), "{error}");
    }
}
