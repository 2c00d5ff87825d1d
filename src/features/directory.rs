//! The directory of an extraction while it is written: what is finished already, what belongs to other inputs, and how it becomes whole.
//!
//! An utterance is finished when its files are in place and a line in a journal says which recording they were made of: its place and the
//! SHA-256 of its bytes. A recording of the same name that is another one is therefore made again. `index.json` says that the directory is
//! complete only when everything is; then the journal is removed. One process at a time writes to a directory, or several [shards](Share), each
//! of which has its own journal: the run without a shard that comes after them finishes the directory.

use super::index::{self, Index, Indexed, JOURNAL, LayerInfo, Made, PARTS, Source, must_be_empty};
use crate::durable::{self, Lock};
use crate::error::{Error, Problem, Result};
use crate::group::Share;
use parking_lot::Mutex;
use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A directory of features to write, or a shard of what is to be in it.
#[derive(Debug, Clone, Copy)]
pub struct Destination<'a> {
    /// The directory.
    pub dir: &'a Path,
    /// The shard, if not all utterances are to be written.
    pub shard: Option<Share>,
}

/// The whole directory.
impl<'a> From<&'a Path> for Destination<'a> {
    fn from(dir: &'a Path) -> Self {
        Destination { dir, shard: None }
    }
}

impl Destination<'_> {
    /// Whether utterance `i` of the input is to be written.
    pub fn has(&self, i: usize) -> bool {
        self.shard.is_none_or(|shard| shard.has(i as u64))
    }

    fn journal(&self) -> PathBuf {
        self.dir.join(match self.shard {
            None => format!("{JOURNAL}.jsonl"),
            Some(Share { rank, ranks }) => format!("{JOURNAL}-{rank}-of-{ranks}.jsonl"),
        })
    }
}

/// A directory that features are being written to.
#[derive(Debug)]
pub struct FeatureDirectory {
    dir: PathBuf,
    made: Made,
    parts: Vec<PathBuf>,
    /// What was finished before.
    finished: Vec<Indexed>,
    complete: bool,
    left_out: Vec<String>,
    journal: Mutex<Option<File>>,
    journal_path: PathBuf,
    is_shard: bool,
    _locks: Vec<Lock>,
}

/// An utterance that is to be in the directory.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its `.npy` file, relative to a layer's folder.
    pub file: &'a str,
    /// The place of its recording, as [`Source::recording`].
    pub recording: &'a str,
    /// Its first sample and its length, as in [`Source`].
    pub section: (u64, u64),
}

impl FeatureDirectory {
    /// Opens or creates a directory for features made with these settings.
    ///
    /// # Errors
    /// The directory holds other features or other files; another process writes to it, or works on the same shard; the disk refuses.
    pub fn begin(to: Destination, made: &Made) -> Result<Self> {
        let dir = to.dir;
        let (locks, index) = index::begin(dir, to.shard, || {
            let index = Index::read(dir)?;
            match &index {
                Some(index) if index.made.same(made) => {}
                Some(_) => {
                    return Err(Error::usage(
                        format!("{} holds features of another model, or of other settings", dir.display()),
                        "choose another --out, or remove that directory",
                    ));
                }
                None => must_be_empty(dir)?,
            }
            if index.is_none() && to.shard.is_some() {
                // From here on, the other shards know what the directory is for.
                let (made, left_out, utterances) = (made.clone(), Vec::new(), Vec::new());
                Index { complete: false, made, left_out, utterances }.write(dir)?;
            }
            Ok(index)
        })?;
        let parts = made.layers.iter().map(|layer| match made.format.separate() {
            true => dir.join(&layer.path),
            false => dir.join(PARTS).join(&layer.path),
        });
        let mut finished = index.as_ref().map_or_else(Vec::new, |index| index.utterances.clone());
        for path in journals(dir)? {
            finished.extend(journal(&path)?);
        }
        Ok(FeatureDirectory {
            parts: parts.collect(),
            dir: dir.to_path_buf(),
            made: made.clone(),
            finished: latest(finished),
            complete: index.as_ref().is_some_and(|index| index.complete),
            left_out: index.map_or_else(Vec::new, |index| index.left_out),
            journal: Mutex::new(None),
            journal_path: to.journal(),
            is_shard: to.shard.is_some(),
            _locks: locks,
        })
    }

    /// The folder to which the `.npy` files of each layer are written.
    pub fn parts(&self) -> &[PathBuf] {
        &self.parts
    }

    /// For each wanted utterance, what was finished under its name before, if it was made of the same recording. `digest` computes the SHA-256
    /// of a wanted utterance's recording. Nothing is written; what is left over are the utterances of other inputs, which [`FeatureDirectory::end`]
    /// keeps.
    ///
    /// # Errors
    /// A name is that of an utterance of another input. The format is one file for all, and there are utterances of other inputs.
    pub fn claim(
        &mut self,
        wanted: &[Wanted<'_>],
        digest: &mut dyn FnMut(usize) -> Result<String>,
    ) -> Result<Vec<Option<Indexed>>> {
        let mut by_place: HashMap<(&str, u64, u64), usize> = HashMap::new();
        let (mut by_id, mut by_file): (HashMap<&str, usize>, HashMap<&str, usize>) = (HashMap::new(), HashMap::new());
        for (i, utterance) in self.finished.iter().enumerate() {
            if let Some(source) = &utterance.source {
                by_place.insert((&source.recording, source.start, source.samples), i);
            }
            by_id.insert(&utterance.id, i);
            utterance.file.as_deref().map(|file| by_file.insert(file, i));
        }
        let mut mine: Vec<Option<usize>> =
            wanted.iter().map(|w| by_place.get(&(w.recording, w.section.0, w.section.1)).copied()).collect();
        let mut claimed: HashSet<usize> = mine.iter().flatten().copied().collect();
        let mut faults = Vec::new();
        for (i, wanted) in wanted.iter().enumerate() {
            let found = [by_id.get(wanted.id), by_file.get(wanted.file)];
            for at in found.into_iter().flatten().copied() {
                if claimed.contains(&at) {
                    continue;
                }
                let other = &self.finished[at];
                // Without a source it is not known of what it was made, so it is made again, as is a recording whose length has changed.
                // Otherwise it may be the same recording in another place.
                if let Some(source) = other.source.as_ref().filter(|source| source.recording != wanted.recording) {
                    let (start, samples) = wanted.section;
                    let here = Source { recording: String::new(), sha256: digest(i)?, start, samples };
                    if !source.same(&here) {
                        let what =
                            format!("`{}` names {} there, and {} here", other.id, source.recording, wanted.recording);
                        faults.push(Problem::new(self.dir.display(), what));
                        continue;
                    }
                }
                claimed.insert(at);
                mine[i].get_or_insert(at);
            }
        }
        if !faults.is_empty() {
            return Err(Error::problems(faults, "choose another --out"));
        }
        let others: Vec<&Indexed> =
            self.finished.iter().enumerate().filter(|(i, _)| !claimed.contains(i)).map(|(_, u)| u).collect();
        if let (false, Some(first)) = (self.made.format.separate(), others.first()) {
            let place = first.source.as_ref().map_or(&first.id, |source| &source.recording);
            return Err(Error::usage(
                format!(
                    "{} holds {} utterances of other inputs, such as {place}, and --format {} writes one file for all",
                    self.dir.display(),
                    others.len(),
                    self.made.format
                ),
                "give all inputs at once with a new --out, choose another --out, or use --format npy",
            ));
        }
        let before = mine.iter().map(|at| at.map(|at| self.finished[at].clone())).collect();
        self.finished = others.into_iter().cloned().collect();
        Ok(before)
    }

    /// Whether the one file of all utterances is there and holds exactly `wanted`, as far as their places say.
    pub fn has_all(&self, before: &[Option<Indexed>]) -> bool {
        let there = |layer: &LayerInfo| self.dir.join(&layer.path).is_file();
        self.complete
            && !self.made.format.separate()
            && before.iter().all(Option::is_some)
            && self.made.layers.iter().all(there)
    }

    /// Whether everything was in the directory when it was opened.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Marks the directory as incomplete, with the utterances that are finished.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn open(&self, before: &[Option<Indexed>]) -> Result<()> {
        let path = &self.journal_path;
        let mut journal = File::options().create(true).append(true).open(path).map_err(Error::io(path, "write"))?;
        // The last line may be cut off.
        journal.write_all(b"\n").map_err(Error::io(path, "write"))?;
        *self.journal.lock() = Some(journal);
        if self.is_shard && !self.complete {
            return Ok(());
        }
        let _alone = self.is_shard.then(|| index::alone(&self.dir)).transpose()?;
        let utterances = self.finished.iter().chain(before.iter().flatten()).cloned().collect();
        self.index(false, utterances, self.left_out.clone()).write(&self.dir)
    }

    /// Removes the files of an utterance that is to be made again.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn forget(&self, file: &str) -> Result<()> {
        for folder in &self.parts {
            let path = folder.join(file);
            match fs::remove_file(&path) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(Error::io(&path, "remove")(e)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Records that the files of an utterance are in place.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn done(&self, utterance: &Indexed) -> Result<()> {
        let path = &self.journal_path;
        let mut line = serde_json::to_vec(utterance)
            .map_err(|e| Error::failed(format!("{}: {e}", path.display()), "report this as a bug in cpc"))?;
        line.push(b'\n');
        match &mut *self.journal.lock() {
            Some(journal) => journal.write_all(&line).map_err(Error::io(path, "write")),
            None => Ok(()),
        }
    }

    /// Joins the parts if the format is a single file, and writes the index: the utterances of other inputs, then `utterances`. A line of
    /// `left_out` is `place: what`, with the place as [`Source::recording`]; lines of before about other places are kept. A shard writes nothing
    /// here: its utterances are in its journal, and the index that is returned is only of them.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn end(self, utterances: Vec<Indexed>, left_out: Vec<String>) -> Result<Index> {
        if self.is_shard {
            return Ok(self.index(false, utterances, left_out));
        }
        let place = |line: &'_ String| line.split_once(": ").map_or(line.clone(), |(place, _)| place.to_string());
        let recordings = utterances.iter().filter_map(|u| Some(u.source.as_ref()?.recording.clone()));
        let now: HashSet<String> = recordings.chain(left_out.iter().map(place)).collect();
        let others = self.left_out.iter().filter(|line| !now.contains(&place(line)));
        let left_out: Vec<String> = others.chain(&left_out).cloned().collect();
        let mut index = self.index(true, self.finished.iter().cloned().chain(utterances).collect(), left_out);
        if !self.made.format.separate() {
            for (layer, folder) in self.made.layers.iter().zip(&self.parts) {
                let path = self.dir.join(&layer.path);
                let unfinished = durable::unfinished(&path)?;
                self.made.format.join(&unfinished, folder, &index.utterances, &self.made.timing)?;
                durable::keep(unfinished, &path)?;
            }
            index.utterances.iter_mut().for_each(|u| u.file = None);
        }
        index.write(&self.dir)?;
        let parts = self.dir.join(PARTS);
        if parts.exists() {
            fs::remove_dir_all(&parts).map_err(Error::io(&parts, "remove"))?;
        }
        for journal in journals(&self.dir)? {
            fs::remove_file(&journal).map_err(Error::io(&journal, "remove"))?;
        }
        durable::remove_old_locks(&self.dir)?;
        Ok(index)
    }

    fn index(&self, complete: bool, utterances: Vec<Indexed>, left_out: Vec<String>) -> Index {
        Index { complete, made: self.made.clone(), left_out, utterances }
    }
}

/// The journals of a directory, of all shards.
fn journals(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir).map_err(Error::io(dir, "read"))?;
    let mut paths: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(JOURNAL))
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    Ok(paths)
}

/// The lines of a journal. The last may be cut off.
fn journal(path: &Path) -> Result<Vec<Indexed>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(Error::io(path, "read")(e)),
    }
}

/// The last of those that share an id, a file or a recording.
fn latest(finished: Vec<Indexed>) -> Vec<Indexed> {
    let (mut ids, mut files, mut sections) = (HashSet::new(), HashSet::new(), HashSet::new());
    let keep: Vec<bool> = finished
        .iter()
        .rev()
        .map(|u| {
            let section = u.source.as_ref().map(|s| (&s.recording, s.start, s.samples));
            // All three are to be remembered, whichever of them is known already.
            let new = [
                ids.insert(&u.id),
                u.file.as_ref().is_none_or(|f| files.insert(f)),
                section.is_none_or(|s| sections.insert(s)),
            ];
            new.into_iter().all(|new| new)
        })
        .collect();
    let mut keep = keep.into_iter().rev();
    finished.into_iter().filter(|_| keep.next().unwrap_or(true)).collect()
}
