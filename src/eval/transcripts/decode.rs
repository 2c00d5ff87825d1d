//! From the scores of frames to the sequence that they say: the best path, or the best sequence by prefix beam search (Hannun et al. 2014).
//!
//! The last column of the scores is the blank, as in [`crate::ops::ctc`].

use crate::ops::ctc::{log_add, log_softmax};
use std::collections::{BTreeMap, HashMap};

/// The labels of the best column of each frame, with equal neighbours merged and without blanks. `scores` are (T, `width`).
pub fn greedy(scores: &[f64], width: usize) -> Vec<usize> {
    // The first of equal scores.
    let best = |row: &[f64]| (0..row.len()).fold(0, |best, k| if row[k] > row[best] { k } else { best });
    let mut path: Vec<usize> = scores.chunks_exact(width).map(best).collect();
    path.dedup();
    path.retain(|&k| k + 1 < width);
    path
}

/// The log-probability of a prefix by all paths so far that say it, apart for those that end with a blank and with its last label.
#[derive(Debug, Clone, Copy)]
struct Paths {
    blank: f64,
    label: f64,
}

impl Paths {
    const NONE: Paths = Paths { blank: f64::NEG_INFINITY, label: f64::NEG_INFINITY };

    fn all(self) -> f64 {
        log_add(self.blank, self.label)
    }
}

/// The most probable sequence among the `beam` best prefixes of each frame; with a beam of 1, the best path ([`greedy`]). `scores` are
/// (T, `width`), not normalized.
pub fn prefix_beam(scores: &[f64], width: usize, beam: usize) -> Vec<usize> {
    if beam <= 1 {
        return greedy(scores, width);
    }
    let blank = width - 1;
    let mut prefixes = Prefixes::default();
    let mut kept = vec![(EMPTY, Paths { blank: 0.0, label: f64::NEG_INFINITY })];
    for row in scores.chunks_exact(width) {
        let mut p = row.to_vec();
        log_softmax(&mut p);
        let mut next: BTreeMap<(usize, Option<usize>), Paths> = BTreeMap::new();
        for &(prefix, paths) in &kept {
            let last = prefixes.last(prefix);
            let same = next.entry((prefix, None)).or_insert(Paths::NONE);
            same.blank = log_add(same.blank, paths.all() + p[blank]);
            if let Some(last) = last {
                same.label = log_add(same.label, paths.label + p[last]);
            }
            for (k, p) in p[..blank].iter().enumerate() {
                // The same label again is another one only after a blank.
                let from = if last == Some(k) { paths.blank } else { paths.all() };
                let longer = prefixes.longer.get(&(prefix, k)).map_or((prefix, Some(k)), |&known| (known, None));
                let longer = next.entry(longer).or_insert(Paths::NONE);
                longer.label = log_add(longer.label, from + p);
            }
        }
        let mut best: Vec<_> = next.into_iter().collect();
        best.sort_by(|a, b| b.1.all().total_cmp(&a.1.all()).then_with(|| a.0.cmp(&b.0)));
        best.truncate(beam);
        kept = best.into_iter().map(|((prefix, k), paths)| (prefixes.with(prefix, k), paths)).collect();
    }
    kept.first().map_or(Vec::new(), |&(prefix, _)| prefixes.labels(prefix))
}

/// The number of the prefix without labels.
const EMPTY: usize = 0;

/// Prefixes by number: each is one with a label fewer, and a label. Time does not grow with their lengths.
#[derive(Default)]
struct Prefixes {
    /// Of prefix 1, 2, ...: the shorter one, and the last label.
    ends: Vec<(usize, usize)>,
    longer: HashMap<(usize, usize), usize>,
}

impl Prefixes {
    fn last(&self, prefix: usize) -> Option<usize> {
        prefix.checked_sub(1).map(|at| self.ends[at].1)
    }

    /// A prefix with one more label, if there is one.
    fn with(&mut self, prefix: usize, label: Option<usize>) -> usize {
        let Some(label) = label else { return prefix };
        self.ends.push((prefix, label));
        self.longer.insert((prefix, label), self.ends.len());
        self.ends.len()
    }

    fn labels(&self, mut prefix: usize) -> Vec<usize> {
        let mut labels = Vec::new();
        while let Some(at) = prefix.checked_sub(1) {
            labels.push(self.ends[at].1);
            prefix = self.ends[at].0;
        }
        labels.reverse();
        labels
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::random;
    use crate::ops::ctc::ctc;
    use candle_core::{Device, Tensor};

    fn scores(time: usize, width: usize, seed: u64) -> Vec<f64> {
        let noise = (random(&[time * width], seed) * 1.5).unwrap();
        noise.to_vec1().unwrap()
    }

    #[test]
    fn a_wide_beam_finds_the_most_probable_of_all_sequences() {
        let (time, width) = (5, 3);
        let mut differ = 0;
        for seed in 0..40 {
            let scores = scores(time, width, seed);
            // Every sequence of up to five labels; the loss is that of the op, which is tested against all paths.
            let mut all: Vec<Vec<usize>> = vec![Vec::new()];
            for n in 0..time {
                let longer: Vec<Vec<usize>> = all
                    .iter()
                    .filter(|s| s.len() == n)
                    .flat_map(|s| (0..2).map(|k| [s.clone(), vec![k]].concat()))
                    .collect();
                all.extend(longer);
            }
            let tensor = Tensor::from_slice(&scores, (1, time, width), &Device::Cpu).unwrap();
            let possible = |s: &&Vec<usize>| crate::ops::ctc::frames_needed(s) <= time;
            let loss = |s: &Vec<usize>| ctc(&tensor, &[time], &[s]).unwrap().to_vec1::<f64>().unwrap()[0];
            let best = all.iter().filter(possible).min_by(|a, b| loss(a).total_cmp(&loss(b))).unwrap();
            assert_eq!(&prefix_beam(&scores, width, 1000), best, "seed {seed}");
            differ += usize::from(best != &greedy(&scores, width));
        }
        assert!(differ > 3, "the best path is not always the best sequence: {differ}");
    }

    #[test]
    fn a_path_is_merged_and_its_blanks_are_dropped() {
        let path = [0, 0, 2, 0, 1, 1, 2, 2];
        let scores: Vec<f64> = path.iter().flat_map(|&k| (0..3).map(move |j| if j == k { 9.0 } else { 0.0 })).collect();
        for beam in [1, 4] {
            assert_eq!(prefix_beam(&scores, 3, beam), [0, 0, 1], "beam {beam}");
        }
        assert!(prefix_beam(&[], 3, 4).is_empty() && greedy(&[], 3).is_empty());
    }
}
