//! Splits: which utterances are trained on and which are tested. Always whole utterances: the frames of one are too similar.

use crate::error::{Error, Problem, Result};
use crate::eval::probe::labels::read_text;
use crate::seed::{self, Stream};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Which utterances are trained on and which are tested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Split {
    /// Two lists of utterances.
    Lists {
        /// Utterances to train on.
        train: Vec<String>,
        /// Utterances to test on.
        test: Vec<String>,
    },
    /// Cross-validation: every utterance is tested once, by a probe that was trained on the other folds.
    Folds {
        /// Number of folds.
        folds: usize,
        /// The utterances; if there is no list, all that have features and labels.
        among: Option<Vec<String>>,
    },
}

impl Split {
    /// Two lists.
    ///
    /// # Errors
    /// If a list is empty, or if an utterance is in both.
    pub fn lists(train: Vec<String>, test: Vec<String>) -> Result<Split> {
        for (list, name) in [(&train, "train"), (&test, "test")] {
            if list.is_empty() {
                return Err(Error::failed(
                    format!("the list --{name} names no utterance"),
                    "give one utterance per line",
                ));
            }
        }
        let trained: HashMap<&str, ()> = train.iter().map(|id| (id.as_str(), ())).collect();
        let both: Vec<Problem> = test
            .iter()
            .filter(|id| trained.contains_key(id.as_str()))
            .map(|id| Problem::new(id, "is in both lists, --train and --test"))
            .collect();
        if !both.is_empty() {
            return Err(Error::problems(both, "remove each from one of the lists"));
        }
        Ok(Split::Lists { train, test })
    }

    /// Cross-validation over some utterances, or all.
    ///
    /// # Errors
    /// If there are fewer than two folds.
    pub fn folds(folds: usize, among: Option<Vec<String>>) -> Result<Split> {
        if folds < 2 {
            return Err(Error::usage(format!("--folds {folds}: needs at least 2"), "5 is usual"));
        }
        Ok(Split::Folds { folds, among })
    }
}

/// A list of utterances: one id per line, as in CPC_audio's split files.
///
/// # Errors
/// If it cannot be read, is empty, or names an utterance twice.
pub fn read_list(path: &Path) -> Result<Vec<String>> {
    let text = read_text(path)?;
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let mut ids = Vec::new();
    let mut twice = Vec::new();
    for (n, id) in text.lines().map(str::trim).enumerate().filter(|(_, id)| !id.is_empty()) {
        match seen.insert(id, n + 1) {
            None => ids.push(id.to_string()),
            Some(first) => {
                let at = format!("{} line {}", path.display(), n + 1);
                twice.push(Problem::new(at, format!("{id} was in line {first} already")));
            }
        }
    }
    if !twice.is_empty() {
        return Err(Error::problems(twice, "remove the second of each"));
    }
    if ids.is_empty() {
        return Err(Error::failed(format!("{}: names no utterance", path.display()), "give one utterance per line"));
    }
    Ok(ids)
}

/// Assigns `strata.len()` items to `folds` folds of nearly equal size; each stratum is spread over all of them.
///
/// The items of each stratum are shuffled, then assigned to the folds in turn; each stratum continues with the fold after the last one
/// used.
pub fn deal(strata: &[String], folds: usize, seed: u64, purpose: &str) -> Vec<Vec<usize>> {
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (i, stratum) in strata.iter().enumerate() {
        groups.entry(stratum).or_default().push(i);
    }
    let mut dealt = vec![Vec::new(); folds];
    let mut next = 0;
    for (index, mut items) in groups.into_values().enumerate() {
        shuffle(&mut items, &mut seed::stream(seed, purpose, index as u64));
        for item in items {
            dealt[next % folds].push(item);
            next += 1;
        }
    }
    dealt.iter_mut().for_each(|fold| fold.sort_unstable());
    dealt
}

/// Puts items in a random order (Fisher and Yates).
pub(super) fn shuffle<T>(items: &mut [T], rng: &mut Stream) {
    for i in (1..items.len()).rev() {
        items.swap(i, rng.below(i as u32 + 1) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(n: usize) -> Vec<String> {
        (0..n).map(|i| format!("u{i}")).collect()
    }

    #[test]
    fn an_utterance_in_both_lists_and_an_empty_list_are_refused() {
        let error = Split::lists(ids(4), vec!["x".into(), "u2".into(), "u3".into()]).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("u2: is in both") && text.contains("u3: is in both") && error.exit_code() == 1);
        assert!(Split::lists(ids(2), vec![]).unwrap_err().to_string().contains("--test"));
        assert_eq!(Split::folds(1, None).unwrap_err().exit_code(), 2);
    }

    #[test]
    fn a_list_names_each_utterance_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("list.txt");
        std::fs::write(&path, "a\n b \r\n\nc\n").unwrap();
        assert_eq!(read_list(&path).unwrap(), ["a", "b", "c"]);
        std::fs::write(&path, "a\nb\na\n").unwrap();
        assert!(read_list(&path).unwrap_err().to_string().contains("line 3: a was in line 1"));
        std::fs::write(&path, "\n").unwrap();
        assert!(read_list(&path).unwrap_err().to_string().contains("names no utterance"));
    }

    #[test]
    fn folds_hold_every_item_once_and_spread_each_stratum() {
        let strata: Vec<String> = (0..53).map(|i| format!("s{}", i % 5)).collect();
        let folds = deal(&strata, 4, 7, "folds");
        let mut all: Vec<usize> = folds.concat();
        all.sort_unstable();
        assert_eq!(all, (0..53).collect::<Vec<_>>());
        for fold in &folds {
            assert!((13..=14).contains(&fold.len()));
            for s in 0..5 {
                assert!((2..=3).contains(&fold.iter().filter(|&&i| i % 5 == s).count()));
            }
        }
        assert_eq!(folds, deal(&strata, 4, 7, "folds"));
        assert_ne!(folds, deal(&strata, 4, 8, "folds"));
    }
}
