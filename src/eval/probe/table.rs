//! The labeled rows of one feature set, utterance by utterance; or rows already in memory, each an item of its own.
//!
//! Rows are kept in memory if they fit into half of the free memory; otherwise they are read again at each pass. Every pass processes
//! them in the same *parts* of whole utterances and the same *chunks* of [`CHUNK`] rows, so that the result is the same to the last bit
//! either way, and for every number of threads.

use crate::error::{Error, Problem, Result};
use crate::eval::probe::labels::Labels;
use crate::eval::probe::protocol::{Alignment, LabelCut, Protocol, ratio};
use crate::eval::probe::split::deal;
use crate::eval::probe::standard::Standard;
use crate::features::{FeatureSet, FeatureUtterance};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Number of rows processed at once: few enough to stay in a core's cache.
pub const CHUNK: usize = 512;

/// Number of parts into which the rows are divided, to be processed in parallel.
const PARTS: usize = 32;

/// How features and labels are read.
#[derive(Debug, Clone)]
pub struct Reading {
    /// What is classified.
    pub protocol: Protocol,
    /// Which end is cut when labels and frames are not equally many.
    pub cut: LabelCut,
    /// Frame labels per second.
    pub label_rate: f64,
    /// Frames per second.
    pub frame_rate: f64,
    /// Names of frame labels by id; without them an id is its own name.
    pub names: Option<Vec<String>>,
    /// Bytes of rows that are kept in memory ([`memory_limit`]).
    pub limit: usize,
    /// Whether folds and what is held out keep the utterances of a subject together.
    pub by_subject: bool,
    /// Raised to end the work at the next utterance.
    pub stop: Arc<AtomicBool>,
}

/// One utterance of a table.
#[derive(Debug, Clone)]
pub struct Item {
    /// Its id.
    pub id: String,
    /// Its speaker or label: each is spread evenly over the folds.
    pub stratum: String,
    /// Its subject, if the utterances of a subject are kept together.
    pub subject: Option<String>,
    /// Its rows in the table.
    pub rows: Range<usize>,
    index: usize,
    frames: Range<usize>,
}

/// The classes that occur in the labels, in alphabetical order, and the class of each label.
pub(crate) fn classes_of(labels: &[String]) -> (Vec<String>, Vec<u32>) {
    let mut names = labels.to_vec();
    names.sort_unstable();
    names.dedup();
    let class = |label: &String| names.binary_search(label).unwrap_or_default() as u32;
    let classes = labels.iter().map(class).collect();
    (names, classes)
}

/// Labeled rows.
pub struct Table<'a> {
    /// None for rows already in memory.
    set: Option<&'a FeatureSet>,
    dim: usize,
    protocol: Protocol,
    rate: f64,
    items: Vec<Item>,
    classes: Vec<u32>,
    names: Vec<String>,
    data: Option<Vec<f32>>,
    stop: Arc<AtomicBool>,
}

impl std::fmt::Debug for Table<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Table({} rows of {} utterances)", self.classes.len(), self.items.len())
    }
}

/// The labels of an utterance's rows, before classes are numbered.
enum LabelMatch {
    Ids(Vec<u32>),
    Word(String, usize),
}

impl<'a> Table<'a> {
    /// Gathers the rows of the utterances `ids` of a set.
    ///
    /// # Errors
    /// Utterances that have no features, no frames or no label, or whose labels do not fit their frames (all of them are named); labels
    /// without a name; labels that do not fit the protocol; features that cannot be read or are not finite.
    pub fn gather(set: &'a FeatureSet, ids: &[String], labels: &Labels, reading: &Reading) -> Result<Table<'a>> {
        if matches!(labels, Labels::Frames { .. }) && reading.protocol != Protocol::Frame {
            let what = format!("--level {} with the frame labels of {}", reading.protocol.name(), labels.name());
            return Err(Error::usage(what, "give --level frame, or labels of whole utterances"));
        }
        let ratio = ratio(reading.label_rate, reading.frame_rate)?;
        let mut table = Table {
            set: Some(set),
            dim: set.dim(),
            protocol: reading.protocol,
            rate: reading.frame_rate,
            items: Vec::with_capacity(ids.len()),
            classes: Vec::new(),
            names: Vec::new(),
            data: None,
            stop: reading.stop.clone(),
        };
        let (mut problems, mut found, mut rows) = (Vec::new(), Vec::new(), 0);
        for id in ids {
            match locate(set, id, labels, reading, ratio) {
                Ok((index, frames, labels)) => {
                    let utterance = &set.utterances()[index];
                    let n = match &labels {
                        LabelMatch::Ids(ids) => ids.len(),
                        LabelMatch::Word(_, n) => *n,
                    };
                    let stratum = match &labels {
                        LabelMatch::Word(word, _) => word.clone(),
                        LabelMatch::Ids(_) => utterance.speaker.clone().unwrap_or_default(),
                    };
                    let subject = reading.by_subject.then(|| utterance.speaker.clone()).flatten();
                    if reading.by_subject && subject.is_none() {
                        problems
                            .push(Problem::new(id, "names no subject, and --division subject keeps subjects together"));
                    }
                    table.items.push(Item { id: id.clone(), stratum, subject, rows: rows..rows + n, index, frames });
                    found.push(labels);
                    rows += n;
                }
                Err(what) => problems.push(Problem::new(id, what)),
            }
        }
        if !problems.is_empty() {
            return Err(Error::problems(
                problems,
                "every utterance in the lists needs features and labels that fit together: correct the lists, or \
                 --labels, --label-rate and --frame-rate",
            ));
        }
        table.number(&found, reading.names.as_deref(), labels)?;
        table.load(reading.limit)?;
        Ok(table)
    }

    /// A table of rows (N, `dim`) already in memory, with one label each; each label is spread evenly over the folds. Set `stop` to true
    /// to stop the work.
    ///
    /// # Errors
    /// If there are not exactly `dim` values for each label, or if some are not finite.
    pub fn of_rows(dim: usize, rows: Vec<f32>, labels: &[String], stop: Arc<AtomicBool>) -> Result<Table<'static>> {
        if dim == 0 || rows.len() != labels.len() * dim {
            let what = format!("{} values are not {} rows of {dim}", rows.len(), labels.len());
            return Err(Error::failed(what, "give one row for each label, all of the same length"));
        }
        if let Some(at) = rows.iter().position(|x| !x.is_finite()) {
            let what = format!("row {}, column {}: the value is {}", at / dim, at % dim, rows[at]);
            return Err(Error::failed(what, "rows must hold finite numbers: check how this one was computed"));
        }
        let (names, classes) = classes_of(labels);
        let item = |(i, label): (usize, &String)| Item {
            id: i.to_string(),
            stratum: label.clone(),
            subject: None,
            rows: i..i + 1,
            index: i,
            frames: 0..1,
        };
        let items = labels.iter().enumerate().map(item).collect();
        let (protocol, rate) = (Protocol::Utterance, 1.0);
        Ok(Table { set: None, dim, protocol, rate, items, classes, names, data: Some(rows), stop })
    }

    /// Assigns items to folds of nearly equal size, as places in `items`: each stratum is spread over all folds; or whole subjects are assigned,
    /// if they are kept together. The number of subjects if that is smaller than the number of folds.
    ///
    /// # Errors
    /// There are fewer subjects than folds.
    pub fn deal(
        &self,
        items: &[usize],
        folds: usize,
        seed: u64,
        purpose: &str,
    ) -> std::result::Result<Vec<Vec<usize>>, usize> {
        let of = |&i: &usize| &self.items[i];
        let subjects: Option<Vec<&String>> = items.iter().map(|i| of(i).subject.as_ref()).collect();
        let Some(subjects) = subjects.filter(|subjects| !subjects.is_empty()) else {
            let strata: Vec<String> = items.iter().map(|i| of(i).stratum.clone()).collect();
            return Ok(deal(&strata, folds, seed, purpose));
        };
        let mut names = subjects.clone();
        names.sort_unstable();
        names.dedup();
        if names.len() < folds {
            return Err(names.len());
        }
        let dealt = deal(&vec![String::new(); names.len()], folds, seed, purpose);
        let places = |fold: &Vec<usize>| {
            let mine: Vec<&String> = fold.iter().map(|&n| names[n]).collect();
            (0..items.len()).filter(|&i| mine.contains(&subjects[i])).collect()
        };
        Ok(dealt.iter().map(places).collect())
    }

    /// Numbers the classes that occur, in the order of their ids or alphabetically.
    fn number(&mut self, found: &[LabelMatch], names: Option<&[String]>, labels: &Labels) -> Result<()> {
        let mut ids: BTreeMap<u32, u32> = BTreeMap::new();
        let mut words: BTreeMap<&str, u32> = BTreeMap::new();
        for labels in found {
            match labels {
                LabelMatch::Ids(list) => ids.extend(list.iter().map(|&id| (id, 0))),
                LabelMatch::Word(word, n) if *n > 0 => words.extend([(word.as_str(), 0)]),
                LabelMatch::Word(..) => (),
            }
        }
        ids.values_mut().zip(0..).for_each(|(slot, class)| *slot = class);
        words.values_mut().zip(0..).for_each(|(slot, class)| *slot = class);
        for labels in found {
            match labels {
                LabelMatch::Ids(list) => self.classes.extend(list.iter().map(|id| ids[id])),
                LabelMatch::Word(word, n) if *n > 0 => {
                    self.classes.extend(std::iter::repeat_n(words[word.as_str()], *n))
                }
                LabelMatch::Word(..) => (),
            }
        }
        self.names = words.keys().map(|word| word.to_string()).collect();
        for &id in ids.keys() {
            let name = names.map_or_else(|| Some(id.to_string()), |names| names.get(id as usize).cloned());
            self.names.push(name.ok_or_else(|| {
                let lines = names.map_or(0, <[String]>::len);
                let what = format!("label {id} of {} has no name: there are {lines} names", labels.name());
                Error::failed(what, "line n of the names, from 0, names label n: give the right file with --names")
            })?);
        }
        Ok(())
    }

    /// Reads all rows into memory, if they fit.
    fn load(&mut self, limit: usize) -> Result<()> {
        let dim = self.dim();
        if self.classes.len().saturating_mul(dim).saturating_mul(size_of::<f32>()) > limit {
            return Ok(());
        }
        let mut data = vec![0.0f32; self.classes.len() * dim];
        let mut rest = data.as_mut_slice();
        let mut places = Vec::with_capacity(self.items.len());
        for item in &self.items {
            let (place, after) = std::mem::take(&mut rest).split_at_mut(item.rows.len() * dim);
            places.push((item, place));
            rest = after;
        }
        let errors: Vec<Error> = places
            .into_par_iter()
            .filter_map(|(item, place)| {
                let mut rows = Vec::new();
                let read = self.read(item, &mut Vec::new(), &mut rows);
                if read.is_ok() {
                    place.copy_from_slice(&rows);
                }
                read.err()
            })
            .collect();
        // Faults in files are reported all together; of other errors, the first is returned.
        let mut bad = Vec::new();
        for error in errors {
            match error {
                Error::BadFiles(problems) => bad.extend(problems),
                other => return Err(other),
            }
        }
        if !bad.is_empty() {
            return Err(Error::problems(bad, "extract these features again, or remove the utterances from the lists"));
        }
        self.data = Some(data);
        Ok(())
    }

    /// Dimension of a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The utterances, in the order in which they were requested.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// The class of each row.
    pub fn classes(&self) -> &[u32] {
        &self.classes
    }

    /// The names of the classes.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether the rows are in memory; if not, they are read again at each pass.
    pub fn in_memory(&self) -> bool {
        self.data.is_some()
    }

    /// Number of rows of some utterances.
    pub fn rows_of(&self, items: &[usize]) -> usize {
        items.iter().map(|&i| self.items[i].rows.len()).sum()
    }

    /// Number of rows of each class in some utterances.
    pub fn counts(&self, items: &[usize]) -> Vec<u64> {
        let mut counts = vec![0; self.names.len()];
        for &i in items {
            self.classes[self.items[i].rows.clone()].iter().for_each(|&c| counts[c as usize] += 1);
        }
        counts
    }

    /// Appends an utterance's rows as stored in the features; `frames` is scratch space.
    fn read(&self, item: &Item, frames: &mut Vec<f32>, out: &mut Vec<f32>) -> Result<()> {
        let before = out.len();
        let dim = self.dim();
        if let Some(set) = self.set {
            set.read(item.index, frames)?;
            if frames.len() == set.utterances()[item.index].frames * dim {
                self.protocol.take(frames, dim, item.frames.clone(), self.rate, out);
            }
        }
        if out.len() - before != item.rows.len() * dim {
            return Err(Error::failed(
                format!("{}: the features changed while they were read", item.id),
                "run the command again",
            ));
        }
        Ok(())
    }

    /// Standardized rows of one utterance.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn rows(&self, item: usize, standard: &Standard) -> Result<Vec<f32>> {
        let mut out = Vec::new();
        self.with_raw(item, &mut (Vec::new(), Vec::new()), |raw| standard.append(raw, &mut out))?;
        Ok(out)
    }

    fn with_raw(&self, item: usize, room: &mut (Vec<f32>, Vec<f32>), f: impl FnOnce(&[f32])) -> Result<()> {
        // Every pass over the rows goes through here.
        if self.stop.load(Ordering::Relaxed) {
            return Err(Error::Interrupted { kept: "a probe keeps nothing; run it again".into() });
        }
        let item = &self.items[item];
        if let Some(data) = &self.data {
            f(&data[item.rows.start * self.dim()..item.rows.end * self.dim()]);
        } else {
            room.1.clear();
            self.read(item, &mut room.0, &mut room.1)?;
            f(&room.1);
        }
        Ok(())
    }

    /// Divides utterances into parts with about the same number of rows. The result depends on the rows alone.
    pub fn parts<'i>(&self, items: &'i [usize]) -> Vec<&'i [usize]> {
        let total = self.rows_of(items);
        let goal = total.div_ceil(PARTS).max(CHUNK);
        let (mut parts, mut start, mut rows) = (Vec::new(), 0, 0);
        for (at, &i) in items.iter().enumerate() {
            rows += self.items[i].rows.len();
            if rows >= goal || at + 1 == items.len() {
                parts.push(&items[start..=at]);
                (start, rows) = (at + 1, 0);
            }
        }
        parts
    }

    /// Passes the standardized rows of a part to `f`, [`CHUNK`] at a time: rows (n, D) and their classes (n).
    ///
    /// # Errors
    /// If rows cannot be read; errors that `f` returns.
    pub fn chunks(
        &self,
        part: &[usize],
        standard: &Standard,
        mut f: impl FnMut(&[f32], &[u32]) -> Result<()>,
    ) -> Result<()> {
        let dim = self.dim();
        let (mut rows, mut classes) = (Vec::with_capacity(CHUNK * dim), Vec::with_capacity(CHUNK));
        let mut room = (Vec::new(), Vec::new());
        for &i in part {
            let mut result = Ok(());
            self.with_raw(i, &mut room, |raw| {
                let labels = &self.classes[self.items[i].rows.clone()];
                let mut at = 0;
                while at < labels.len() && result.is_ok() {
                    let n = (CHUNK - classes.len()).min(labels.len() - at);
                    standard.append(&raw[at * dim..(at + n) * dim], &mut rows);
                    classes.extend_from_slice(&labels[at..at + n]);
                    at += n;
                    if classes.len() == CHUNK {
                        result = f(&rows, &classes);
                        rows.clear();
                        classes.clear();
                    }
                }
            })?;
            result?;
        }
        if classes.is_empty() { Ok(()) } else { f(&rows, &classes) }
    }
}

/// Returns where an utterance is, which of its frames are used, and their labels; or a description of what is wrong.
fn locate(
    set: &FeatureSet,
    id: &str,
    labels: &Labels,
    reading: &Reading,
    ratio: f64,
) -> std::result::Result<(usize, Range<usize>, LabelMatch), String> {
    let index = set.find(id).ok_or("has no features")?;
    let utterance = &set.utterances()[index];
    if utterance.frames == 0 {
        return Err("its features have no frames".into());
    }
    let no_label = || format!("has no label in {}", labels.name());
    let word = match labels {
        Labels::Frames { ids, .. } => {
            let ids = ids.get(id).ok_or_else(no_label)?;
            let alignment = Alignment::new(utterance.frames, ids.len(), ratio, reading.cut).map_err(|apart| {
                format!(
                    "has {} frames ({} per second) and {} labels ({} per second): {:.1} % apart, and 5 % is allowed",
                    utterance.frames,
                    reading.frame_rate,
                    ids.len(),
                    reading.label_rate,
                    100.0 * apart
                )
            })?;
            let found = alignment.indices().map(|i| ids[i]).collect();
            return Ok((index, alignment.frames, LabelMatch::Ids(found)));
        }
        Labels::Utterances { labels, .. } => labels.get(id).ok_or_else(no_label)?.clone(),
        Labels::Speakers => speaker(utterance)?.to_string(),
    };
    let rows = reading.protocol.rows(utterance.frames, reading.frame_rate);
    Ok((index, 0..utterance.frames, LabelMatch::Word(word, rows)))
}

fn speaker(utterance: &FeatureUtterance) -> std::result::Result<&str, String> {
    utterance.speaker.as_deref().ok_or_else(|| "the features do not name its speaker".into())
}

/// Bytes of rows to keep in memory: half of the free memory (on Linux, also within a container's limit), or 4 GiB if that is unknown.
pub fn memory_limit() -> usize {
    let number = |path: &str| std::fs::read_to_string(path).ok()?.trim().parse::<usize>().ok();
    let free = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|l| l.strip_prefix("MemAvailable:"))?;
        Some(line.trim().trim_end_matches("kB").trim().parse::<usize>().ok()? << 10)
    });
    let within = number("/sys/fs/cgroup/memory.max")
        .and_then(|max| Some(max.saturating_sub(number("/sys/fs/cgroup/memory.current")?)));
    free.map_or(4 << 30, |free| free.min(within.unwrap_or(free)) / 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::probe::fixtures::{Corpus, reading};

    #[test]
    fn a_raised_flag_ends_the_next_pass() {
        let corpus = Corpus::new(3, 50, 2, 2);
        let (set, reading) = (corpus.set(), reading(Protocol::Frame));
        let table = Table::gather(&set, &corpus.ids(), &corpus.labels(), &reading).unwrap();
        let pass = || table.chunks(&[0, 1, 2], &Standard::identity(2), |_, _| Ok(()));
        assert!(pass().is_ok());
        reading.stop.store(true, Ordering::Relaxed);
        assert_eq!(pass().unwrap_err().exit_code(), 130);
    }

    #[test]
    fn chunks_give_every_row_once_in_memory_and_streamed() {
        let corpus = Corpus::new(9, 301, 3, 4);
        let set = corpus.set();
        let labels = corpus.labels();
        let gather =
            |limit| Table::gather(&set, &corpus.ids(), &labels, &Reading { limit, ..reading(Protocol::Frame) });
        let (memory, stream) = (gather(usize::MAX).unwrap(), gather(0).unwrap());
        assert!(memory.in_memory() && !stream.in_memory());
        let items: Vec<usize> = (0..9).collect();
        let collect = |table: &Table| {
            let (mut rows, mut classes, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
            for part in table.parts(&items) {
                let keep = |x: &[f32], y: &[u32]| {
                    rows.extend_from_slice(x);
                    classes.extend_from_slice(y);
                    sizes.push(y.len());
                    Ok(())
                };
                table.chunks(part, &Standard::identity(3), keep).unwrap();
            }
            (rows, classes, sizes)
        };
        let all = collect(&memory);
        assert_eq!(all, collect(&stream));
        assert_eq!(all.0, corpus.rows.concat());
        assert_eq!(all.1, memory.classes());
        assert_eq!(all.1.len(), 9 * 301);
        assert!(all.2.iter().all(|&n| n <= CHUNK) && all.2.contains(&CHUNK), "{:?}", all.2);
    }

    #[test]
    fn every_utterance_that_does_not_belong_is_named() {
        let corpus = Corpus::new(4, 50, 2, 2);
        let set = corpus.set();
        let Labels::Frames { path, mut ids } = corpus.labels() else { panic!() };
        ids.remove("u000");
        ids.insert("u001".into(), vec![0; 44]);
        let labels = Labels::Frames { path, ids };
        let wanted = [corpus.ids(), vec!["stranger".into()]].concat();
        let error = Table::gather(&set, &wanted, &labels, &reading(Protocol::Frame)).unwrap_err();
        let text = error.to_string();
        for part in [
            "u000: has no label",
            "u001: has 50 frames (100 per second) and 44 labels",
            "12.0 % apart",
            "stranger: has no features",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        let named = Reading { names: Some(vec!["a".into()]), ..reading(Protocol::Frame) };
        let error = Table::gather(&set, &corpus.ids(), &corpus.labels(), &named).unwrap_err();
        assert!(error.to_string().contains("label 1") && error.to_string().contains("1 names"), "{error}");
        let error = Table::gather(&set, &corpus.ids(), &corpus.labels(), &reading(Protocol::Utterance)).unwrap_err();
        assert_eq!(error.exit_code(), 2);
    }

    #[test]
    fn features_that_are_not_numbers_and_utterances_without_frames_are_named() {
        let mut corpus = Corpus::new(5, 20, 2, 2);
        corpus.rows[1][7] = f32::NAN;
        corpus.rows[3][0] = f32::INFINITY;
        let set = corpus.set();
        let text =
            Table::gather(&set, &corpus.ids(), &corpus.labels(), &reading(Protocol::Frame)).unwrap_err().to_string();
        assert!(text.contains("u001") && text.contains("u003"), "{text}");
        let mut corpus = Corpus::new(3, 20, 2, 2);
        corpus.rows[2].clear();
        let set = corpus.set();
        let text =
            Table::gather(&set, &corpus.ids(), &corpus.labels(), &reading(Protocol::Frame)).unwrap_err().to_string();
        assert!(text.contains("u002: its features have no frames"), "{text}");
    }
}
