//! Splits utterances into those trained on and those validated on.

use crate::data::plain;
use crate::error::{Error, Problem, Result};
use crate::recordings::names::{stem, without_ending};
use crate::recordings::scan::relative;
use crate::recordings::{Corpus, Medium, Place, Utterance};
use crate::seed::stream;
use std::collections::HashMap;
use std::path::Path;

impl<M: Medium> Corpus<M> {
    /// Splits into training and validation sets.
    ///
    /// A list has one id per line: an id of the corpus, or a path below the directory of the corpus with or without
    /// extension; `#` begins a comment. With both lists, utterances in neither are omitted. With `train` alone, a share of
    /// it is kept for validation; with `valid` alone, the rest is trained on; without lists, a share of everything is kept.
    /// The share is a share of the units that utterances belong to, rounded, but at least one of two or more (unless `share` is 0), and depends
    /// only on their names and the seed. Problems stay with the training set.
    ///
    /// # Errors
    ///
    /// A list cannot be read, contains a name that the corpus does not have or that several utterances share, lists nothing, or
    /// both lists contain the same utterance.
    pub fn split(
        self,
        train: Option<&Path>,
        valid: Option<&Path>,
        share: f64,
        unit: Unit<M>,
        seed: u64,
    ) -> Result<(Self, Self)> {
        // 0: omitted, 1: trained on, 2: validated on.
        let mut role = vec![0u8; self.utterances.len()];
        let index = if train.is_some() || valid.is_some() { Some(Index::new(&self)) } else { None };
        match (&index, train) {
            (Some(index), Some(list)) => index.read(list)?.into_iter().for_each(|i| role[i] = 1),
            _ => role.fill(1),
        }
        if let (Some(index), Some(list)) = (&index, valid) {
            let chosen = index.read(list)?;
            if let Some(train) = train {
                let both = chosen.iter().filter(|&&i| role[i] == 1);
                let both: Vec<String> =
                    both.map(|&i| format!("{}: also in {}", self.utterances[i].id, train.display())).collect();
                refuse(
                    list,
                    &both,
                    "an utterance is used for either training or validation: remove it from one of the lists",
                )?;
            }
            chosen.into_iter().for_each(|i| role[i] = 2);
        } else {
            for i in self.share(&role, share, unit, seed) {
                role[i] = 2;
            }
        }
        drop(index);
        let valid = self.part(|i| role[i] == 2);
        let mut train = self.part(|i| role[i] == 1);
        if train.utterances.is_empty() {
            return Err(Error::usage(
                "no utterances remain for training",
                "use a shorter validation list or a smaller share",
            ));
        }
        train.problems = self.problems;
        Ok((train, valid))
    }

    /// The utterances with role 1 in a seeded share of the units.
    fn share(&self, role: &[u8], share: f64, unit: Unit<M>, seed: u64) -> Vec<usize> {
        let mut keyed: Vec<(u64, usize)> = (0..role.len())
            .filter(|&i| role[i] == 1)
            .map(|i| (stream(seed, &unit(self, &self.utterances[i]), 0).next_u64(), i))
            .collect();
        keyed.sort_unstable();
        let n = keyed.chunk_by(|a, b| a.0 == b.0).count();
        let count = if share > 0.0 && n >= 2 { ((share * n as f64).round() as usize).clamp(1, n - 1) } else { 0 };
        keyed.chunk_by(|a, b| a.0 == b.0).take(count).flatten().map(|(_, i)| *i).collect()
    }
}

/// What is either trained on or validated on as a whole: the name of what an utterance belongs to.
pub type Unit<M> = fn(&Corpus<M>, &Utterance<M>) -> String;

/// Every utterance by itself.
pub fn utterance<M: Medium>(_: &Corpus<M>, utterance: &Utterance<M>) -> String {
    utterance.id.clone()
}

/// All utterances of a file, or the one of a row of a table.
pub fn recording<M: Medium>(corpus: &Corpus<M>, utterance: &Utterance<M>) -> String {
    corpus.tree_name(utterance)
}

/// All utterances of a speaker, or of a subject.
pub fn speaker<M: Medium>(corpus: &Corpus<M>, utterance: &Utterance<M>) -> String {
    corpus.speakers.get(utterance.speaker as usize).cloned().unwrap_or_default()
}

/// Utterances indexed by every name that a list may use for them.
struct Index<'a, M: Medium> {
    corpus: &'a Corpus<M>,
    names: HashMap<String, Vec<usize>>,
}

impl<'a, M: Medium> Index<'a, M> {
    fn new(corpus: &'a Corpus<M>) -> Self {
        let mut names: HashMap<String, Vec<usize>> = HashMap::new();
        for (i, utterance) in corpus.utterances.iter().enumerate() {
            let path = match &utterance.place {
                Place::File(path) => relative(path, &corpus.root),
                Place::Row(_) => utterance.id.clone(),
            };
            let bare = without_ending(&path).to_string();
            for name in [utterance.id.clone(), stem(&bare).to_string(), bare, path] {
                let known = names.entry(name).or_default();
                if known.last() != Some(&i) {
                    known.push(i);
                }
            }
        }
        Index { corpus, names }
    }

    /// The utterances that a list names, each of them once.
    fn read(&self, list: &Path) -> Result<Vec<usize>> {
        let text = plain::text(list)?;
        let (mut chosen, mut faults) = (Vec::new(), Vec::new());
        for (number, line) in text.lines().enumerate() {
            let id = line.split('#').next().unwrap_or("").trim().trim_start_matches("./");
            if id.is_empty() {
                continue;
            }
            match self.names.get(id).map(Vec::as_slice) {
                Some([one]) => chosen.push(*one),
                // An id may also be the name of other files; the id takes precedence.
                Some(several) => match several.iter().find(|&&i| self.corpus.utterances[i].id == id) {
                    Some(one) => chosen.push(*one),
                    None => {
                        faults.push(format!("line {}: `{id}` is the name of {} utterances", number + 1, several.len()))
                    }
                },
                None => faults.push(format!("line {}: no utterance is called `{id}`", number + 1)),
            }
        }
        let example = self.corpus.utterances.first().map_or("", |u| u.id.as_str());
        refuse(list, &faults, &format!("ids are file names or paths without extension, such as `{example}`"))?;
        if chosen.is_empty() {
            return Err(Error::usage(
                format!("{}: names no utterances", list.display()),
                "write one id per line into it",
            ));
        }
        chosen.sort_unstable();
        chosen.dedup();
        Ok(chosen)
    }
}

/// Returns an error that names the faults of a list, if there are any.
fn refuse(list: &Path, faults: &[String], remedy: &str) -> Result<()> {
    if faults.is_empty() {
        return Ok(());
    }
    let problems = faults.iter().map(|fault| Problem::new(list.display(), fault)).collect();
    Err(Error::usage(Error::BadFiles(problems).to_string(), remedy))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::fixtures::counting;

    fn corpus(dir: &Path) -> Corpus {
        for i in 0..20 {
            counting(&dir.join(format!("s{}/u{i}.wav", i % 3)), 100, 0);
        }
        Corpus::inspect(dir, 16_000, &|_| {}).unwrap()
    }

    fn ids(corpus: &Corpus) -> Vec<String> {
        let mut ids: Vec<String> = corpus.utterances.iter().map(|u| u.id.clone()).collect();
        ids.sort();
        ids
    }

    #[test]
    fn a_share_is_seeded_and_complete() {
        let dir = tempfile::tempdir().unwrap();
        let all = corpus(dir.path());
        let (train, valid) = all.clone().split(None, None, 0.1, utterance, 5).unwrap();
        assert_eq!((train.utterances.len(), valid.utterances.len()), (18, 2));
        let mut both = [ids(&train), ids(&valid)].concat();
        both.sort();
        assert_eq!(both, ids(&all));
        assert_eq!(ids(&all.clone().split(None, None, 0.1, utterance, 5).unwrap().1), ids(&valid));
        assert_ne!(ids(&all.clone().split(None, None, 0.1, utterance, 6).unwrap().1), ids(&valid));
        let count = |share| all.clone().split(None, None, share, utterance, 5).unwrap().1.utterances.len();
        assert_eq!([count(0.0), count(0.001), count(0.5), count(0.999)], [0, 1, 10, 19]);
        let speakers: Vec<&str> =
            valid.utterances.iter().map(|u| valid.speakers[u.speaker as usize].as_str()).collect();
        assert!(valid.utterances.iter().zip(speakers).all(|(u, s)| u.place.to_string().contains(s)));
    }

    #[test]
    fn a_share_of_speakers_divides_none() {
        let dir = tempfile::tempdir().unwrap();
        let (train, valid) = corpus(dir.path()).split(None, None, 0.4, speaker, 5).unwrap();
        assert_eq!((train.speakers.len(), valid.speakers.len()), (2, 1));
        assert!(valid.speakers.iter().all(|speaker| !train.speakers.contains(speaker)));
        assert_eq!(train.utterances.len() + valid.utterances.len(), 20);
    }

    #[test]
    fn lists_choose_by_id_or_path() {
        let dir = tempfile::tempdir().unwrap();
        let all = corpus(dir.path());
        let (a, b) = (dir.path().join("train.txt"), dir.path().join("valid.txt"));
        std::fs::write(&a, "# some\nu0\n\ns1/u1 # a path\r\n./s2/u2.wav\nu0\n").unwrap();
        std::fs::write(&b, "u3\n").unwrap();
        let (train, valid) = all.clone().split(Some(&a), Some(&b), 0.5, utterance, 1).unwrap();
        assert_eq!((ids(&train), ids(&valid)), (vec!["u0".into(), "u1".into(), "u2".into()], vec!["u3".to_string()]));
        let (train, valid) = all.clone().split(None, Some(&b), 0.5, utterance, 1).unwrap();
        assert_eq!((train.utterances.len(), ids(&valid)), (19, vec!["u3".to_string()]));
        let (train, valid) = all.clone().split(Some(&a), None, 0.3, utterance, 1).unwrap();
        assert_eq!((train.utterances.len(), valid.utterances.len()), (2, 1));
        std::fs::write(&b, "u1\nu3\n").unwrap();
        let error = all.split(Some(&a), Some(&b), 0.5, utterance, 1).unwrap_err().to_string();
        assert!(error.contains("valid.txt: u1: also in"), "{error}");
    }

    #[test]
    fn unknown_ids_are_named_with_their_lines() {
        let dir = tempfile::tempdir().unwrap();
        let all = corpus(dir.path());
        let list = dir.path().join("train.txt");
        std::fs::write(&list, "u0\nnobody\n").unwrap();
        let error = all.clone().split(Some(&list), None, 0.1, utterance, 1).unwrap_err();
        assert!(error.to_string().ends_with("train.txt: line 2: no utterance is called `nobody`"), "{error}");
        assert!(error.remedy().contains("`u0`"), "{}", error.remedy());
        std::fs::write(&list, (0..30).map(|i| format!("no{i}\n")).collect::<String>()).unwrap();
        let error = all.clone().split(Some(&list), None, 0.1, utterance, 1).unwrap_err().to_string();
        assert!(error.lines().count() == 21 && error.ends_with("... and 10 more"), "{error}");
        std::fs::write(&list, "# nothing\n").unwrap();
        assert!(
            all.split(Some(&list), None, 0.1, utterance, 1).unwrap_err().to_string().contains("names no utterances")
        );
    }
}
