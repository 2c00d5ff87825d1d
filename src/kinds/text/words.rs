//! Adds words to a trained text model.

use super::{TextModel, TextModelConfig};
use crate::durable;
use crate::error::{Error, Result};
use crate::eval::sentences::{expand, vectors::Skipped};
use crate::observer::Session;
use crate::weights::{Origin, ordered};
use candle_core::{Device, Tensor};
use serde::Serialize;
use std::fmt;
use std::path::{Path, PathBuf};

/// The parameter whose rows are words.
const EMBEDDING: &str = "gEncoder.embedding.weight";

/// The result of extending a vocabulary.
#[derive(Debug, Clone, Serialize)]
pub struct Expansion {
    /// The model directory that was written.
    pub model: PathBuf,
    /// Number of words in the vocabulary before.
    pub words_before: usize,
    /// Number of words added.
    pub words_added: usize,
    /// Number of words that the map was fitted on.
    pub fitted_on: usize,
    /// The share of the variance of those words' embeddings that the map explains.
    pub r2: f64,
    /// Numbers of words of the file that were skipped.
    pub skipped: Skipped,
}

/// Writes a model to `out` whose vocabulary has up to `most` additional words from a file of word vectors.
///
/// # Errors
/// The tokenizer accepts no words, the file cannot be read, or the model cannot be written.
pub fn expand_words(
    model: &TextModel,
    vectors: &Path,
    most: usize,
    out: &Path,
    session: &Session,
) -> Result<Expansion> {
    let vocabulary = model.tokenizer.words();
    model.tokenizer.with_words(&[])?; // a tokenizer that accepts no words is refused before the file is read
    let Some(table) = model.tensors.get(EMBEDDING) else {
        return Err(Error::failed(
            format!("{}: there is no {EMBEDDING} among its weights", model.reference),
            "copy or download the model again",
        ));
    };
    let (_, dim) = table.dims2()?;
    let old = table.flatten_all()?.to_vec1::<f32>()?;
    session.observer.note(&format!(
        "{}: a vocabulary of {} words, {dim}-dimensional",
        model.reference,
        vocabulary.len()
    ));
    let accept = |word: &str| model.tokenizer.is_word(word);
    let new = expand::expand(&vocabulary, &old, dim, vectors, most, &accept)?;
    let tokenizer = model.tokenizer.with_words(&new.words)?;
    // Between the old rows and the new ones there may be ids that no token has.
    let mut rows = old;
    rows.resize(model.tokenizer.size() * dim, 0.0);
    rows.extend_from_slice(&new.rows);
    let size = tokenizer.size();
    let mut tensors = ordered(&model.tensors);
    tensors.insert(EMBEDDING.into(), Tensor::from_vec(rows, (size, dim), &Device::Cpu)?);
    let mut config = TextModelConfig { tokenizer_sha256: tokenizer.sha256().into(), ..model.config.clone() };
    config.encoder.vocab_size = size;
    config.origin = Some(Origin {
        reference: model.reference.clone(),
        layout: format!("model directory, with {} words of a file of word vectors", new.words.len()),
    });
    durable::write_dir(out, |dir| TextModel::write(dir, &config, &tokenizer, &tensors))?;
    Ok(Expansion {
        model: out.to_path_buf(),
        words_before: vocabulary.len(),
        words_added: new.words.len(),
        fitted_on: new.fitted_on,
        r2: new.r2,
        skipped: new.skipped,
    })
}

impl fmt::Display for Expansion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} words added to {}; the map was fitted on {}, and explains {:.1} % of the variance of their embeddings",
            self.words_added,
            self.words_before,
            self.fitted_on,
            100.0 * self.r2
        )?;
        if self.skipped.not_utf8 > 0 {
            writeln!(f, "{} words of the file are not UTF-8 and were skipped", self.skipped.not_utf8)?;
        }
        if self.skipped.blank > 0 {
            let n = self.skipped.blank;
            writeln!(
                f,
                "{n} words of the file are empty or white space, such as a non-breaking space, and were skipped"
            )?;
        }
        writeln!(f, "model: {}", self.model.display())
    }
}
