//! Which recordings have which labels, and which of them are trained on, validated on and tested.

use super::ClassifierConfig;
use super::body::Data;
use crate::error::{Error, Problem, Result};
use crate::eval::probe::labels::Labels;
use crate::eval::probe::several::several;
use crate::eval::probe::split::read_list;
use crate::eval::transcripts;
use crate::recordings::{AnyCorpus, Division};
use crate::seed::stream;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;

/// Recordings of a class in the training part, from which on some are kept for validation.
const ENOUGH: usize = 5;

/// The labeled recordings of a corpus.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Targets {
    /// The names of the classes, sorted.
    pub(super) classes: Vec<String>,
    /// Of each recording in the corpus, the classes that it has, if its label is known; with CTC, the symbols of its transcript in order.
    pub(super) of: Vec<Option<Vec<usize>>>,
    /// Recordings to train on.
    pub(super) train: Vec<usize>,
    /// Recordings to validate on.
    pub(super) valid: Vec<usize>,
    /// Recordings to test on.
    pub(super) test: Vec<usize>,
    /// Recordings without a label.
    pub(super) unlabeled: usize,
}

impl Targets {
    /// The labels of recordings, divided as the configuration says. `note` is told how.
    ///
    /// # Errors
    /// The labels or the lists cannot be read; they name recordings that are not there; there are fewer than two classes to learn, or a class
    /// is tested that no training recording has.
    pub(super) fn read(cfg: &ClassifierConfig, data: &Data, items: &str, note: &dyn Fn(&str)) -> Result<Targets> {
        let corpus = &*data.corpus;
        let of = match &data.labels {
            Some(labels) => labels.iter().map(|label| Some(each_label(cfg, label))).collect(),
            None => labels(cfg, corpus)?,
        };
        let labeled: Vec<usize> = (0..corpus.count()).filter(|&i| of[i].is_some()).collect();
        let unlabeled = corpus.count() - labeled.len();
        if labeled.is_empty() {
            return Err(Error::failed(
                format!("{}: no recording of {} has a label in it", cfg.data.labels, cfg.data.path),
                format!(
                    "use the names of the recordings, such as `{}`",
                    if corpus.count() > 0 { corpus.id(0) } else { "" }
                ),
            ));
        }
        let (train, test) = divide(cfg, data, &labeled, items, note)?;
        let classes: BTreeSet<&String> = train.iter().flat_map(|&i| of[i].iter().flatten()).collect();
        let classes: Vec<String> = classes.into_iter().cloned().collect();
        if cfg.finetune.ctc.is_some() && classes.is_empty() {
            return Err(Error::failed(
                format!("{}: the transcripts of the training recordings are empty", cfg.data.labels),
                "give what is said in them after each name",
            ));
        }
        if classes.len() < 2 && !((cfg.finetune.multi_label || cfg.finetune.ctc.is_some()) && classes.len() == 1) {
            return Err(Error::failed(
                format!(
                    "{}: the training recordings are all of {}",
                    cfg.data.labels,
                    classes.first().map_or("no class".into(), |class| format!("one class, `{class}`"))
                ),
                "give recordings of at least two classes to train on",
            ));
        }
        let unknown: BTreeMap<&String, usize> = test
            .iter()
            .flat_map(|&i| of[i].iter().flatten().filter(|label| !classes.contains(label)).map(move |label| (label, i)))
            .collect();
        if !unknown.is_empty() {
            let (is, remedy) = match cfg.finetune.ctc {
                Some(_) => (
                    "has the symbol",
                    "train on recordings with every symbol that is tested, or write it as another symbol",
                ),
                None => (
                    "is of the class",
                    "train on recordings of every class that is tested, or leave the others out of the labels",
                ),
            };
            let problems = unknown.into_iter().map(|(class, i)| {
                Problem::new(corpus.place(i), format!("{is} `{class}`, which no training recording has"))
            });
            return Err(Error::problems(problems.collect(), remedy));
        }
        let place: HashMap<&str, usize> = classes.iter().enumerate().map(|(k, name)| (name.as_str(), k)).collect();
        let numbered: Vec<Option<Vec<usize>>> = of
            .iter()
            .map(|labels| {
                labels.as_ref().map(|labels| labels.iter().filter_map(|l| place.get(l.as_str()).copied()).collect())
            })
            .collect();
        let train = share(&train, &numbered, cfg, classes.len(), corpus);
        let (train, valid) = hold_out(&train, &numbered, cfg, corpus);
        Ok(Targets { classes, of: numbered, train, valid, test, unlabeled })
    }

    /// A recording's target: 1 for each class that it has (K).
    pub(super) fn row(&self, i: usize) -> Vec<f32> {
        let mut row = vec![0.0; self.classes.len()];
        self.of[i].iter().flatten().for_each(|&k| row[k] = 1.0);
        row
    }

    /// How many of these recordings have each class (K).
    pub(super) fn counts(&self, of: &[usize]) -> Vec<usize> {
        let mut counts = vec![0; self.classes.len()];
        of.iter().flat_map(|&i| self.of[i].iter().flatten()).for_each(|&k| counts[k] += 1);
        counts
    }
}

/// The labels that a cell of a table states.
fn each_label(cfg: &ClassifierConfig, label: &str) -> Vec<String> {
    match cfg.finetune.ctc {
        Some(spelling) => spelling.symbols(label),
        None if cfg.finetune.multi_label => several(label),
        None => vec![label.to_string()],
    }
}

/// The labels of each recording, if they are known.
fn labels(cfg: &ClassifierConfig, corpus: &dyn AnyCorpus) -> Result<Vec<Option<Vec<String>>>> {
    if cfg.data.labels == "speaker" {
        return Ok((0..corpus.count()).map(|i| Some(vec![corpus.subject(i).to_string()])).collect());
    }
    let path = Path::new(&cfg.data.labels);
    let labels = match cfg.finetune.ctc {
        Some(spelling) => transcripts::read(path, spelling)?,
        None => match Labels::read(path)? {
            Labels::Utterances { labels, .. } => labels,
            _ => {
                return Err(Error::failed(
                    format!("{}: holds labels of frames", path.display()),
                    "give one label for each recording: lines of a name, a tab and a label; transcripts are for --ctc",
                ));
            }
        },
    };
    let mut used: HashSet<&str> = HashSet::new();
    let mut of = Vec::with_capacity(corpus.count());
    for i in 0..corpus.count() {
        let found = corpus.names(i).into_iter().find_map(|name| labels.get_key_value(&name));
        of.push(found.map(|(name, label)| {
            used.insert(name);
            each_label(cfg, label)
        }));
    }
    let mut missing: Vec<&String> = labels.keys().filter(|name| !used.contains(name.as_str())).collect();
    missing.sort();
    if !missing.is_empty() {
        let problems = missing.iter().map(|name| {
            Problem::new(
                path.display(),
                format!("labels `{name}`, and no recording of {} has that name", cfg.data.path),
            )
        });
        return Err(Error::problems(
            problems.collect(),
            "take them out of the labels, or check that DATA is where these recordings are",
        ));
    }
    Ok(of)
}

/// The recordings that a list names.
fn listed(list: &str, corpus: &dyn AnyCorpus, among: &[usize]) -> Result<Vec<usize>> {
    let wanted: HashSet<String> = read_list(Path::new(list))?.into_iter().collect();
    let mut met: HashSet<&String> = HashSet::new();
    let mut chosen = Vec::new();
    for &i in among {
        let found: Vec<&String> = corpus.names(i).iter().filter_map(|name| wanted.get(name)).collect();
        if !found.is_empty() {
            met.extend(found);
            chosen.push(i);
        }
    }
    let mut missing: Vec<&String> = wanted.iter().filter(|name| !met.contains(name)).collect();
    missing.sort();
    match missing.is_empty() {
        true => Ok(chosen),
        false => Err(Error::problems(
            missing.iter().map(|name| Problem::new(list, format!("no labeled recording is called `{name}`"))).collect(),
            "take them out of the list, or give them labels",
        )),
    }
}

/// What is held out together: a subject, or the recordings of a file.
pub(super) fn unit(corpus: &dyn AnyCorpus, i: usize, by_subject: bool) -> String {
    if by_subject { corpus.subject(i).to_string() } else { corpus.file(i) }
}

/// Whether subjects are held out as a whole: there are several, and they are not what is to be told apart.
pub(super) fn by_subject(cfg: &ClassifierConfig, corpus: &dyn AnyCorpus, among: &[usize]) -> bool {
    let mut subjects = among.iter().map(|&i| corpus.subject(i));
    let first = subjects.next();
    cfg.data.division == Division::Subject && cfg.data.labels != "speaker" && subjects.any(|s| Some(s) != first)
}

/// The recordings to train on (validation included), and those to test.
fn divide(
    cfg: &ClassifierConfig,
    data: &Data,
    labeled: &[usize],
    items: &str,
    note: &dyn Fn(&str),
) -> Result<(Vec<usize>, Vec<usize>)> {
    let corpus = &*data.corpus;
    let test = match (cfg.data.test.is_empty(), &data.tested) {
        (false, _) => listed(&cfg.data.test, corpus, labeled)?,
        (true, Some(tested)) => labeled.iter().copied().filter(|&i| tested[i]).collect(),
        (true, None) => {
            let subjects = by_subject(cfg, corpus, labeled);
            let test = drawn(labeled, cfg.data.test_share, "test", cfg, corpus, subjects);
            let what = if subjects { "subjects" } else { items };
            note(&format!(
                "{} of {} {items} are tested: a share of {} of the {what}, drawn with the seed (--test names others)",
                test.len(),
                labeled.len(),
                cfg.data.test_share
            ));
            test
        }
    };
    let held: HashSet<usize> = test.iter().copied().collect();
    let train = match cfg.data.train.is_empty() {
        true => labeled.iter().copied().filter(|i| !held.contains(i)).collect(),
        false => listed(&cfg.data.train, corpus, labeled)?,
    };
    if let Some(&both) = train.iter().find(|i| held.contains(i)) {
        return Err(Error::usage(
            format!("{} is in {} and in {}", corpus.id(both), cfg.data.train, cfg.data.test),
            "a recording is either trained on or tested: take it out of one of the lists",
        ));
    }
    if train.is_empty() {
        return Err(Error::usage("no recordings remain to train on", "name fewer in --test"));
    }
    Ok((train, test))
}

/// The recordings of a seeded share of the units, at least one of two or more.
fn drawn(
    among: &[usize],
    share: f64,
    purpose: &str,
    cfg: &ClassifierConfig,
    corpus: &dyn AnyCorpus,
    subjects: bool,
) -> Vec<usize> {
    let key = |&i: &usize| (stream(cfg.seed, &format!("{purpose}/{}", unit(corpus, i, subjects)), 0).next_u64(), i);
    let mut keyed: Vec<(u64, usize)> = among.iter().map(key).collect();
    keyed.sort_unstable();
    let units = keyed.chunk_by(|a, b| a.0 == b.0).count();
    let count = match share > 0.0 && units >= 2 {
        true => ((share * units as f64).round() as usize).clamp(1, units - 1),
        false => 0,
    };
    let mut chosen: Vec<usize> = keyed.chunk_by(|a, b| a.0 == b.0).take(count).flatten().map(|(_, i)| *i).collect();
    chosen.sort_unstable();
    chosen
}

/// A share of the recordings of every class, at least one, in a seeded order: a smaller share is a part of a larger one. A recording of several
/// labels counts for the rarest of them, one without labels for a class of its own. Transcripts are all of one class.
fn share(
    among: &[usize],
    of: &[Option<Vec<usize>>],
    cfg: &ClassifierConfig,
    classes: usize,
    corpus: &dyn AnyCorpus,
) -> Vec<usize> {
    let mut counts = vec![0usize; classes];
    among.iter().flat_map(|&i| of[i].iter().flatten()).for_each(|&k| counts[k] += 1);
    let mut by_class: BTreeMap<usize, Vec<(u64, usize)>> = BTreeMap::new();
    for &i in among {
        let rarest = match cfg.finetune.ctc {
            Some(_) => 0,
            None => of[i].iter().flatten().min_by_key(|&&k| (counts[k], k)).copied().unwrap_or(classes),
        };
        let key = stream(cfg.seed, &format!("labels/{}", corpus.id(i)), 0).next_u64();
        by_class.entry(rarest).or_default().push((key, i));
    }
    let mut chosen = Vec::new();
    for mut members in by_class.into_values() {
        members.sort_unstable();
        let n = ((cfg.finetune.fraction * members.len() as f64).round() as usize).clamp(1, members.len());
        chosen.extend(members.into_iter().take(n).map(|(_, i)| i));
    }
    chosen.sort_unstable();
    chosen
}

/// Keeps some of the training recordings for validation: subjects where there are at least three, else recordings of the classes that have
/// enough, if these are at least half of them. Of transcripts, any recordings.
fn hold_out(
    train: &[usize],
    of: &[Option<Vec<usize>>],
    cfg: &ClassifierConfig,
    corpus: &dyn AnyCorpus,
) -> (Vec<usize>, Vec<usize>) {
    let subjects: BTreeSet<&str> = train.iter().map(|&i| corpus.subject(i)).collect();
    let classes: BTreeSet<usize> = train.iter().flat_map(|&i| of[i].iter().flatten().copied()).collect();
    let mut valid: Vec<usize> = Vec::new();
    if by_subject(cfg, corpus, train) && subjects.len() >= 3 {
        valid = drawn(train, cfg.data.valid_share, "validation", cfg, corpus, true);
        // What is validated must not be the only example of a class.
        let left: BTreeSet<usize> =
            train.iter().filter(|i| !valid.contains(i)).flat_map(|&i| of[i].iter().flatten().copied()).collect();
        if left != classes && cfg.finetune.ctc.is_none() {
            valid.clear();
        }
    }
    if valid.is_empty() && cfg.finetune.ctc.is_some() {
        if train.len() >= ENOUGH {
            valid = drawn(train, cfg.data.valid_share, "validation", cfg, corpus, false);
        }
    } else if valid.is_empty() {
        let members = |k: usize| -> Vec<usize> {
            train.iter().copied().filter(|&i| of[i].as_ref().is_some_and(|of| of.first() == Some(&k))).collect()
        };
        let enough: Vec<Vec<usize>> =
            classes.iter().map(|&k| members(k)).filter(|members| members.len() >= ENOUGH).collect();
        // A validation of few of the classes would choose a model that is good at these.
        if 2 * enough.len() >= classes.len() {
            let held = enough.iter().flat_map(|of| drawn(of, cfg.data.valid_share, "validation", cfg, corpus, false));
            valid.extend(held);
        }
        valid.sort_unstable();
    }
    let held: HashSet<usize> = valid.iter().copied().collect();
    (train.iter().copied().filter(|i| !held.contains(i)).collect(), valid)
}
