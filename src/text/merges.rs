//! Chooses the pairs of symbols to merge: byte-pair encoding (Sennrich et al. 2016, "Neural machine translation of rare
//! words with subword units", section 3.2).
//!
//! The `tokenizers` crate has trainers, but two runs of them need not agree: ids of WordPiece's inner letters follow the
//! order of a hash map with a random key, and so do ties. Here the most frequent pair is merged, ties go to the pair with
//! the smallest ids, and nothing depends on the order of a map.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};

/// Rarer pairs are not merged: a pair that occurs once carries no information about other text.
const RAREST: u64 = 2;

/// Two adjacent symbols.
type Pair = (u32, u32);

/// A word as symbols, with its number of occurrences.
pub(super) struct Word {
    pub(super) symbols: Vec<u32>,
    pub(super) count: u64,
}

/// Merges pairs in `words` until there are `most` symbols or nothing is left to merge. New symbols are appended to
/// `symbols`, spelled by `join`. Returns the pairs in the order of merging.
pub(super) fn merge(
    words: &mut [Word],
    symbols: &mut Vec<String>,
    most: usize,
    join: impl Fn(&str, &str) -> String,
) -> Vec<Pair> {
    let mut ids: HashMap<String, u32> = symbols.iter().cloned().zip(0..).collect();
    let mut counts: HashMap<Pair, u64> = HashMap::new();
    // The words that contain a pair, or contained it earlier.
    let mut places: HashMap<Pair, Vec<usize>> = HashMap::new();
    for (i, word) in words.iter().enumerate() {
        for pair in pairs(&word.symbols) {
            *counts.entry(pair).or_default() += word.count;
            places.entry(pair).or_default().push(i);
        }
    }
    // Counts in the queue may be outdated; only entries with the current count are used.
    let mut queue: BinaryHeap<(u64, Reverse<Pair>)> = counts.iter().map(|(&pair, &n)| (n, Reverse(pair))).collect();
    let mut merges = Vec::new();
    while symbols.len() < most {
        let Some((count, Reverse(pair))) = queue.pop() else { break };
        if count < RAREST {
            break;
        }
        if counts.get(&pair) != Some(&count) {
            continue;
        }
        let text = join(&symbols[pair.0 as usize], &symbols[pair.1 as usize]);
        let new = *ids.entry(text).or_insert_with_key(|text| {
            symbols.push(text.clone());
            symbols.len() as u32 - 1
        });
        merges.push(pair);
        let mut held = places.remove(&pair).unwrap_or_default();
        held.sort_unstable();
        held.dedup();
        let mut changed = BTreeSet::new();
        for i in held {
            let word = &mut words[i];
            for old in pairs(&word.symbols) {
                if let Some(n) = counts.get_mut(&old) {
                    *n = n.saturating_sub(word.count);
                }
                changed.insert(old);
            }
            replace(&mut word.symbols, pair, new);
            for now in pairs(&word.symbols) {
                *counts.entry(now).or_default() += word.count;
                if now.0 == new || now.1 == new {
                    places.entry(now).or_default().push(i);
                }
                changed.insert(now);
            }
        }
        for pair in changed {
            match counts.get(&pair) {
                Some(0) | None => {
                    counts.remove(&pair);
                }
                Some(&n) => queue.push((n, Reverse(pair))),
            }
        }
    }
    merges
}

fn pairs(symbols: &[u32]) -> impl Iterator<Item = Pair> + '_ {
    symbols.windows(2).map(|pair| (pair[0], pair[1]))
}

/// Replaces every `pair` by `new`, from the left.
fn replace(symbols: &mut Vec<u32>, pair: Pair, new: u32) {
    let (mut from, mut to) = (0, 0);
    while from < symbols.len() {
        if from + 1 < symbols.len() && (symbols[from], symbols[from + 1]) == pair {
            symbols[to] = new;
            from += 2;
        } else {
            symbols[to] = symbols[from];
            from += 1;
        }
        to += 1;
    }
    symbols.truncate(to);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::stream;

    fn words(list: &[(&str, u64)]) -> (Vec<Word>, Vec<String>) {
        let letters: BTreeSet<char> = list.iter().flat_map(|(word, _)| word.chars()).collect();
        let symbols: Vec<String> = letters.iter().map(char::to_string).collect();
        let id = |c: char| letters.iter().position(|l| *l == c).unwrap() as u32;
        let words = list.iter().map(|(word, count)| Word { symbols: word.chars().map(id).collect(), count: *count });
        (words.collect(), symbols)
    }

    fn joined(a: &str, b: &str) -> String {
        format!("{a}{b}")
    }

    #[test]
    fn the_example_of_the_paper_is_merged_in_its_order() {
        // The words of Sennrich et al. 2016, Algorithm 1, without their end-of-word symbol. By hand: `es` and `st` 9 times, then
        // `est` 9, then `lo` and `ow` 7, then `low` 7.
        let (mut words, mut symbols) = words(&[("low", 5), ("lower", 2), ("newest", 6), ("widest", 3)]);
        let letters = symbols.len();
        let merges = merge(&mut words, &mut symbols, letters + 4, joined);
        let made: Vec<&str> = symbols[letters..].iter().map(String::as_str).collect();
        assert_eq!((merges.len(), made), (4, vec!["es", "est", "lo", "low"]));
    }

    #[test]
    fn what_is_left_is_what_counting_anew_at_every_step_gives() {
        let mut rng = stream(5, "words", 0);
        for _ in 0..50 {
            let mut list = Vec::new();
            for _ in 0..30 {
                let word: String = (0..1 + rng.below(9)).map(|_| ['a', 'b', 'c'][rng.below(3) as usize]).collect();
                list.push((word, 1 + u64::from(rng.below(4))));
            }
            let list: Vec<(&str, u64)> = list.iter().map(|(w, n)| (w.as_str(), *n)).collect();
            let (mut fast, mut symbols) = words(&list);
            let merges = merge(&mut fast, &mut symbols, 25, joined);
            let (mut slow, mut expected) = words(&list);
            let mut best = Vec::new();
            while expected.len() < 25 {
                let mut counts: HashMap<Pair, u64> = HashMap::new();
                slow.iter().for_each(|w| pairs(&w.symbols).for_each(|p| *counts.entry(p).or_default() += w.count));
                let Some((&pair, &n)) = counts.iter().max_by_key(|(pair, n)| (**n, Reverse(**pair))) else { break };
                if n < RAREST {
                    break;
                }
                let text = joined(&expected[pair.0 as usize], &expected[pair.1 as usize]);
                let new = expected.iter().position(|s| *s == text).unwrap_or_else(|| {
                    expected.push(text);
                    expected.len() - 1
                });
                slow.iter_mut().for_each(|w| replace(&mut w.symbols, pair, new as u32));
                best.push(pair);
            }
            assert_eq!((merges, symbols), (best, expected));
            assert!(fast.iter().zip(&slow).all(|(a, b)| a.symbols == b.symbols));
        }
    }
}
