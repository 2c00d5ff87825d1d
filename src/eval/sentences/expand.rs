//! Vocabulary expansion: words that a model was not trained on get embeddings from a large file of word vectors.
//!
//! The method is that of skip-thought (Kiros et al., NeurIPS 2015, section 2.2) and of contrastive predictive coding on text (van den Oord
//! et al., 2018, section 3.3). On the words that both vocabularies share, a linear map is fitted from the word vectors x to the
//! embeddings y; other words get the y that the map gives for their x. The map has an intercept and minimizes
//! sum |W x + b - y|^2 + r |W|^2, in closed form, from the normal equations in f64 by Cholesky factorization. r is a ten-thousandth of the
//! mean over the dimensions of x of their sums of squares, so that it only matters where dimensions are almost linearly dependent.

use crate::error::{Error, Result};
use crate::eval::probe::precondition::{cholesky, solve};
use crate::eval::sentences::vectors::{Skipped, WordVectors};
use rayon::prelude::*;
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// The penalty as a fraction of the mean of the diagonal of X'X.
const RIDGE: f64 = 1e-4;

/// Number of words processed together.
const BATCH: usize = 256;

/// New words with their embeddings.
#[derive(Debug, Clone)]
pub struct Expanded {
    /// The words, in the order of the file.
    pub words: Vec<String>,
    /// Their embeddings, (words, dim).
    pub rows: Vec<f32>,
    /// Number of words the map was fitted on.
    pub fitted_on: usize,
    /// The share of the variance of those words' embeddings that the map explains, measured on the words it was fitted on.
    pub r2: f64,
    /// Numbers of words of the file that were skipped.
    pub skipped: Skipped,
}

/// Fits the map, and applies it to the first `most` words of a file that are not in the vocabulary and that `accept` accepts. (These could
/// be the words that the model's tokenizer would make a token of; for a tokenizer that lower-cases, these are lower-case words.)
///
/// `vocabulary` holds each word with its row in `embedding` (rows, `dim`). The file is read twice; memory is needed only for the new rows
/// and the normal equations.
///
/// # Errors
/// Errors of [`WordVectors`]; if the vocabulary does not fit the embedding, or the file does not share more words with it than a vector
/// has dimensions.
pub fn expand(
    vocabulary: &[(String, u32)],
    embedding: &[f32],
    dim: usize,
    vectors: &Path,
    most: usize,
    accept: &dyn Fn(&str) -> bool,
) -> Result<Expanded> {
    let rows: HashMap<&str, u32> = vocabulary.iter().map(|(word, row)| (word.as_str(), *row)).collect();
    if dim == 0 || vocabulary.iter().any(|(_, row)| (*row as usize + 1).saturating_mul(dim) > embedding.len()) {
        let what = format!("a vocabulary of {} words leaves its embedding of {} values", rows.len(), embedding.len());
        return Err(Error::failed(what, "the tokenizer and the weights must belong to the same model"));
    }
    let (map, fitted_on, r2) = fit(&rows, embedding, dim, vectors)?;
    let mut file = WordVectors::open(vectors)?;
    let (mut words, mut seen, mut batch) = (Vec::new(), HashSet::new(), Vec::new());
    let mut out = Expanded { words: Vec::new(), rows: Vec::new(), fitted_on, r2, skipped: Skipped::default() };
    if most > 0 {
        file.for_each(|word, vector| {
            if !rows.contains_key(word) && accept(word) && seen.insert(word.to_string()) {
                words.push(word.to_string());
                batch.extend(vector.iter().map(|&x| f64::from(x)).chain([1.0]));
                if batch.len() == BATCH * map.wide {
                    map.append(&batch, &mut out.rows);
                    batch.clear();
                }
            }
            Ok(words.len() < most)
        })?;
    }
    map.append(&batch, &mut out.rows);
    Ok(Expanded { words, skipped: file.skipped(), ..out })
}

/// A linear map: rows (dim, wide) of weights; the last weight of each row is its intercept.
struct Map {
    weights: Vec<f64>,
    wide: usize,
}

impl Map {
    /// Appends the rows of some words; their vectors end with a 1 for the intercept.
    fn append(&self, vectors: &[f64], out: &mut Vec<f32>) {
        let one = |x: &[f64]| -> Vec<f32> {
            let value = |w: &[f64]| w.iter().zip(x).map(|(w, x)| w * x).sum::<f64>() as f32;
            self.weights.chunks_exact(self.wide).map(value).collect()
        };
        let rows: Vec<Vec<f32>> = vectors.par_chunks_exact(self.wide).map(one).collect();
        rows.iter().for_each(|row| out.extend_from_slice(row));
    }
}

/// The normal equations: X'X (wide, wide) and X'Y (wide, dim), where the last column of X is ones.
struct Normal {
    xx: Vec<f64>,
    xy: Vec<f64>,
    wide: usize,
    dim: usize,
}

impl Normal {
    /// Adds words: their vectors (n, wide) and embeddings (n, dim).
    fn add(&mut self, x: &[f64], y: &[f64]) {
        let (wide, dim) = (self.wide, self.dim);
        let rows = self.xx.par_chunks_exact_mut(wide).zip(self.xy.par_chunks_exact_mut(dim));
        rows.enumerate().for_each(|(i, (xx, xy))| {
            for (x, y) in x.chunks_exact(wide).zip(y.chunks_exact(dim)) {
                xx.iter_mut().zip(x).for_each(|(sum, other)| *sum += x[i] * other);
                xy.iter_mut().zip(y).for_each(|(sum, other)| *sum += x[i] * other);
            }
        });
    }
}

/// The map, the number of words it was fitted on, and the share of the variance that it explains.
fn fit(rows: &HashMap<&str, u32>, embedding: &[f32], dim: usize, vectors: &Path) -> Result<(Map, usize, f64)> {
    let mut file = WordVectors::open(vectors)?;
    let wide = file.dim() + 1;
    let mut normal = Normal { xx: vec![0.0; wide * wide], xy: vec![0.0; wide * dim], wide, dim };
    let (mut seen, mut squares) = (HashSet::new(), 0.0);
    let (mut x, mut y) = (Vec::new(), Vec::new());
    file.for_each(|word, vector| {
        let Some((&known, &row)) = rows.get_key_value(word) else { return Ok(true) };
        if seen.insert(known) {
            let own = &embedding[row as usize * dim..][..dim];
            squares += own.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>();
            x.extend(vector.iter().map(|&v| f64::from(v)).chain([1.0]));
            y.extend(own.iter().map(|&v| f64::from(v)));
            if x.len() == BATCH * wide {
                normal.add(&x, &y);
                x.clear();
                y.clear();
            }
        }
        Ok(true)
    })?;
    normal.add(&x, &y);
    let n = seen.len();
    if n <= wide {
        let what =
            format!("{}: has {n} words of the model's vocabulary, with {} values each", vectors.display(), wide - 1);
        let remedy =
            "the map needs more shared words than a vector has dimensions: check that language and letter case agree";
        return Err(Error::failed(what, remedy));
    }
    let Normal { mut xx, xy, .. } = normal;
    let ridge = RIDGE * (0..wide - 1).map(|i| xx[i * wide + i]).sum::<f64>() / (wide - 1) as f64;
    (0..wide - 1).for_each(|i| xx[i * wide + i] += ridge);
    if !cholesky(&mut xx, wide) {
        let what = format!("{}: the vectors of the shared words determine no linear map", vectors.display());
        return Err(Error::failed(what, "check whether they are all zero or extremely large; give another file"));
    }
    let column = |c: usize| {
        let mut w: Vec<f64> = (0..wide).map(|i| xy[i * dim + c]).collect();
        solve(&xx, &mut w);
        w
    };
    let weights: Vec<f64> = (0..dim).into_par_iter().map(column).collect::<Vec<_>>().concat();
    // Since (X'X + R) W = X'Y, the squared error is |Y|^2 - W.X'Y - W.R W.
    let (mut explained, mut total) = (0.0, squares);
    for (c, w) in weights.chunks_exact(wide).enumerate() {
        explained += w.iter().enumerate().map(|(i, w)| w * xy[i * dim + c]).sum::<f64>();
        explained += ridge * w[..wide - 1].iter().map(|w| w * w).sum::<f64>();
        total -= xy[(wide - 1) * dim + c].powi(2) / n as f64;
    }
    let r2 = if total > 0.0 { 1.0 - (squares - explained) / total } else { 0.0 };
    Ok((Map { weights, wide }, n, r2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::stream;
    use std::fmt::Write as _;

    /// A file of `words` six-dimensional GloVe vectors, and the four-dimensional embeddings that a planted map gives them.
    fn planted(words: usize, noise: f32) -> (tempfile::TempDir, std::path::PathBuf, Vec<f32>) {
        let mut rng = stream(3, "planted", 0);
        let map: Vec<f32> = (0..4 * 7).map(|_| rng.normal()).collect();
        let (mut text, mut embedding) = (String::new(), Vec::new());
        for word in 0..words {
            let x: Vec<f32> = (0..6).map(|_| rng.normal()).chain([1.0]).collect();
            write!(text, "w{word}").unwrap();
            x[..6].iter().for_each(|x| write!(text, " {x}").unwrap());
            text.push('\n');
            let y = map.chunks(7).map(|w| w.iter().zip(&x).map(|(w, x)| w * x).sum::<f32>());
            embedding.extend(y.map(|y| y + noise * rng.normal()));
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("glove.txt");
        std::fs::write(&path, text).unwrap();
        (dir, path, embedding)
    }

    #[test]
    fn a_planted_map_gives_new_words_their_rows() {
        let (_dir, path, embedding) = planted(700, 0.0);
        // The model knows every second word of the first 600, with its rows in another order.
        let known: Vec<(String, u32)> = (0..300).map(|i| (format!("w{}", 2 * i), 299 - i as u32)).collect();
        let own: Vec<f32> = (0..300).rev().flat_map(|i| embedding[2 * i * 4..][..4].to_vec()).collect();
        let found = expand(&known, &own, 4, &path, 350, &|word| word != "w3").unwrap();
        assert_eq!(
            (found.fitted_on, found.words.len(), found.rows.len(), found.skipped),
            (300, 350, 1400, Skipped::default())
        );
        assert_eq!(found.words[..3], ["w1", "w5", "w7"]);
        for (word, row) in found.words.iter().zip(found.rows.chunks(4)) {
            let n: usize = word[1..].parse().unwrap();
            for (got, want) in row.iter().zip(&embedding[n * 4..][..4]) {
                assert!((got - want).abs() < 2e-3, "{word}: {got} {want}");
            }
        }
        assert!(found.r2 > 0.999_999 && found.r2 <= 1.0, "{}", found.r2);
    }

    #[test]
    fn noise_lowers_the_share_that_is_explained() {
        let (_dir, path, embedding) = planted(2000, 2.0);
        let known: Vec<(String, u32)> = (0..2000).map(|i| (format!("w{i}"), i)).collect();
        let found = expand(&known, &embedding, 4, &path, 10, &|_| true).unwrap();
        assert!(found.words.is_empty() && found.rows.is_empty());
        // The residuals' share, from the rows themselves.
        let mean: Vec<f64> =
            (0..4).map(|c| embedding.iter().skip(c).step_by(4).map(|&y| f64::from(y)).sum::<f64>() / 2000.0).collect();
        let total: f64 =
            embedding.chunks(4).flatten().zip(mean.iter().cycle()).map(|(&y, m)| (f64::from(y) - m).powi(2)).sum();
        let explained = 1.0 - 4.0 * 2000.0 * 4.0 / total;
        assert!((found.r2 - explained).abs() < 0.02, "{} {explained}", found.r2);
    }

    #[test]
    fn a_file_with_too_few_words_in_common_and_a_vocabulary_of_another_model_are_refused() {
        let (_dir, path, embedding) = planted(20, 0.0);
        let known: Vec<(String, u32)> = (0..7).map(|i| (format!("w{i}"), i)).collect();
        let text = expand(&known, &embedding, 4, &path, 10, &|_| true).unwrap_err().to_string();
        assert!(text.contains("glove.txt: has 7 words of the model's vocabulary, with 6 values"), "{text}");
        let text = expand(&known, &embedding[..8], 4, &path, 10, &|_| true).unwrap_err().to_string();
        assert!(text.contains("leaves its embedding"), "{text}");
    }
}
