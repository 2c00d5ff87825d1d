//! TF-IDF of single words, as scikit-learn's `TfidfVectorizer` computes it with its defaults.
//!
//! Words are runs of two or more letters, digits or underscores in the lower-cased text (`\b\w\w+\b`). A word that occurs in d of n
//! sentences has the weight idf = ln((1 + n) / (1 + d)) + 1; a sentence is represented by its counts times idf, scaled to length 1.
//! (The definition of a letter differs from Python's for some combining marks, which are letters here.)

use crate::eval::sentences::sparse::SparseRows;
use std::collections::{BTreeMap, HashMap};

/// The words of a sentence, lower-cased, in order.
pub fn words(sentence: &str) -> Vec<String> {
    let lower = sentence.to_lowercase();
    let runs = lower.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    runs.filter(|run| run.chars().nth(1).is_some()).map(String::from).collect()
}

/// The words of some sentences with their weights.
#[derive(Debug, Clone)]
pub struct Tfidf {
    words: Vec<String>,
    columns: HashMap<String, u32>,
    idf: Vec<f64>,
}

impl Tfidf {
    /// The vocabulary of `sentences`, in code point order, and its weights.
    pub fn fit<'s>(sentences: impl IntoIterator<Item = &'s str>) -> Tfidf {
        let (mut counts, mut n) = (BTreeMap::<String, u64>::new(), 0u64);
        for sentence in sentences {
            let mut own = words(sentence);
            own.sort_unstable();
            own.dedup();
            own.into_iter().for_each(|word| *counts.entry(word).or_default() += 1);
            n += 1;
        }
        let idf = counts.values().map(|&d| ((1 + n) as f64 / (1 + d) as f64).ln() + 1.0).collect();
        let words: Vec<String> = counts.into_keys().collect();
        let columns = words.iter().cloned().zip(0..).collect();
        Tfidf { words, columns, idf }
    }

    /// The words, in the order of their columns.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// The row of a sentence: its columns, in order, with their values. Unknown words are skipped.
    pub fn row(&self, sentence: &str) -> Vec<(u32, f64)> {
        let mut counts = BTreeMap::<u32, f64>::new();
        for column in words(sentence).iter().filter_map(|word| self.columns.get(word)) {
            *counts.entry(*column).or_default() += 1.0;
        }
        let mut row: Vec<(u32, f64)> = counts.into_iter().map(|(c, n)| (c, n * self.idf[c as usize])).collect();
        let length = row.iter().map(|(_, x)| x * x).sum::<f64>().sqrt();
        row.iter_mut().for_each(|(_, x)| *x /= length);
        row
    }

    /// Appends the row of a sentence; for a pair, |a - b| followed by a * b, with twice as many columns.
    pub(super) fn append(&self, first: &str, second: Option<&str>, rows: &mut SparseRows) {
        let a = self.row(first);
        let Some(second) = second else { return rows.push(a) };
        let b: BTreeMap<u32, f64> = self.row(second).into_iter().collect();
        let (mut apart, mut both) = (b.clone(), Vec::new());
        for (column, x) in a {
            match b.get(&column) {
                Some(y) => {
                    apart.insert(column, (x - y).abs());
                    both.push((column + self.words.len() as u32, x * y));
                }
                None => drop(apart.insert(column, x)),
            }
        }
        rows.push(apart.into_iter().chain(both));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_two_letters_or_more() {
        assert_eq!(
            words("I am the Alpha_1, O 42: don't \u{c9}T\u{c9}"),
            ["am", "the", "alpha_1", "42", "don", "\u{e9}t\u{e9}"]
        );
        assert!(words(" a . ,").is_empty());
    }

    #[test]
    fn a_pair_has_the_differences_and_the_products() {
        let fitted = Tfidf::fit(["light day", "day night", "night light"]);
        let mut rows = SparseRows::new(6);
        fitted.append("day night", Some("light night"), &mut rows);
        let root = 0.5f64.sqrt() as f32;
        let got: Vec<(u32, f32)> = rows.row(0).collect();
        assert_eq!(got.iter().map(|x| x.0).collect::<Vec<_>>(), [0, 1, 2, 5]);
        for ((_, x), want) in got.iter().zip([root, root, 0.0, 0.5]) {
            assert!((x - want).abs() < 1e-6, "{got:?}");
        }
    }
}
