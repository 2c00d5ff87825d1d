//! The mean of random word vectors: a baseline for word counts alone, compressed into a vector of the given size.
//!
//! Each word has a vector of standard normal numbers that depends on the word and the seed alone, so that no vocabulary has to be fixed.
//! Words are those of [`tfidf`](super::tfidf). Random vectors are a baseline that is hard to beat by a large margin (Wieting and Kiela,
//! "No training required", ICLR 2019).

use crate::eval::sentences::tfidf::words;
use crate::seed::stream;
use rayon::prelude::*;
use std::collections::HashMap;

/// Vectors (N, `dim`) of sentences: the mean of the vectors of their words; zeros for a sentence without words.
pub fn bag(sentences: &[&str], dim: usize, seed: u64) -> Vec<f32> {
    let texts: Vec<Vec<String>> = sentences.par_iter().map(|s| words(s)).collect();
    let mut distinct: Vec<&str> = texts.iter().flatten().map(String::as_str).collect();
    distinct.sort_unstable();
    distinct.dedup();
    let draw = |word: &str| -> Vec<f32> {
        let mut rng = stream(seed, &format!("sentences/bag/{word}"), 0);
        (0..dim).map(|_| rng.normal()).collect()
    };
    let vectors: HashMap<&str, Vec<f32>> = distinct.par_iter().map(|&word| (word, draw(word))).collect();
    let mut rows = vec![0.0f32; sentences.len() * dim];
    rows.par_chunks_mut(dim.max(1)).zip(&texts).for_each(|(row, text)| {
        let scale = 1.0 / text.len().max(1) as f32;
        for vector in text.iter().filter_map(|word| vectors.get(word.as_str())) {
            row.iter_mut().zip(vector).for_each(|(r, v)| *r += scale * v);
        }
    });
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_the_mean_of_its_words_in_any_order_and_company() {
        let rows = bag(&["light darkness", "Darkness, light!", "light", "darkness", "a"], 8, 1);
        let row = |i: usize| &rows[i * 8..][..8];
        assert_eq!(row(0), row(1));
        for c in 0..8 {
            assert!((row(0)[c] - 0.5 * (row(2)[c] + row(3)[c])).abs() < 1e-6);
        }
        assert_eq!(row(4), [0.0; 8], "no word of two letters");
        assert_eq!(bag(&["light"], 8, 1), row(2));
        assert_ne!(bag(&["light"], 8, 2), row(2));
    }
}
