//! Sentence vectors from a trained text model: z, one row per sentence, in the order of the file.

use crate::durable;
use crate::error::{Error, Result};
use crate::features::Format;
use crate::kinds::text::{CpcText, TextModel};
use crate::nn::ParamStore;
use crate::ops::tokens::Sentences;
use crate::text::{Counts, Piece, Source, Tokenizer};
use candle_core::{DType, Device};
use rayon::prelude::*;
use std::path::Path;
use std::sync::Arc;

/// Number of sentences encoded at once.
const AT_ONCE: usize = 4096;

/// Extracts sentence vectors.
pub struct SentenceExtractor {
    model: CpcText,
    tokenizer: Arc<Tokenizer>,
    max_tokens: usize,
    dim: usize,
}

impl SentenceExtractor {
    /// A trained model on a device.
    ///
    /// # Errors
    /// Its tensors do not match its sizes.
    pub fn open(model: TextModel, device: &Device) -> Result<Self> {
        let store = ParamStore::new(0, device);
        let (tensors, reference) = (model.tensors.clone(), model.reference.clone());
        let extractor = SentenceExtractor::build(model, &store)?;
        store.load(&tensors, None, &reference)?;
        Ok(extractor)
    }

    /// The same network with the initial weights of training, as a baseline.
    ///
    /// # Errors
    /// No model can be built with these sizes.
    pub fn untrained(model: TextModel, seed: u64, device: &Device) -> Result<Self> {
        SentenceExtractor::build(model, &ParamStore::new(seed, device))
    }

    /// The network of a model with the weights in `store`.
    fn build(TextModel { config, tokenizer, .. }: TextModel, store: &ParamStore) -> Result<Self> {
        let model = CpcText::new(&config.encoder, &config.context, &config.heads, &store.frozen())?;
        Ok(SentenceExtractor { model, tokenizer, max_tokens: config.max_tokens, dim: config.encoder.hidden_dim })
    }

    /// D, the dimension of a vector.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The vectors of sentences (S, D), row-major. A sentence that contains only unknown words has the vector of the unknown
    /// token.
    ///
    /// # Errors
    /// A sentence has no tokens, because the tokenizer has no token for unknown words.
    pub fn vectors(&self, sentences: &[String]) -> Result<Vec<f32>> {
        let mut all = Vec::with_capacity(sentences.len() * self.dim);
        for some in sentences.chunks(AT_ONCE) {
            let encode = |sentence: &String| {
                let encoded =
                    self.tokenizer.encode(sentence, self.max_tokens).and_then(|encoded| match encoded.ids.len() {
                        0 => Err("has no token that the model knows".to_string()),
                        _ => Ok(encoded.ids),
                    });
                encoded.map_err(|what| {
                    let short: String = sentence.chars().take(60).collect();
                    Error::failed(
                        format!("the sentence {short:?} {what}"),
                        "remove it, or use a model whose vocabulary contains its words",
                    )
                })
            };
            let encoded: Vec<Vec<u32>> = some.par_iter().map(encode).collect::<Result<_>>()?;
            let mut offsets = vec![0u32];
            let mut ids = Vec::new();
            for sentence in encoded {
                ids.extend(sentence);
                offsets.push(ids.len() as u32);
            }
            let z = self.model.encode(&Sentences::new(&ids, &offsets)?)?;
            all.extend(z.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?);
        }
        Ok(all)
    }

    /// Writes the vectors of a text's sentences to `path` atomically: a `.npy` file (N, D), or a `.parquet` file with the columns
    /// `sentence` and `vector`. `progress` is called with the number of sentences done.
    ///
    /// # Errors
    /// The text cannot be read, it contains no sentences, or the file cannot be written.
    pub fn write(&self, source: &Source, path: &Path, format: Format, progress: &dyn Fn(u64)) -> Result<Counts> {
        let unfinished = durable::unfinished(path)?;
        let mut out = format.rows(&unfinished, self.dim, true)?;
        let (mut waiting, mut done) = (Vec::with_capacity(AT_ONCE), 0u64);
        let mut flush = |waiting: &mut Vec<String>| -> Result<()> {
            let vectors = self.vectors(waiting)?;
            out.write(waiting, &vectors)?;
            done += waiting.len() as u64;
            progress(done);
            waiting.clear();
            Ok(())
        };
        let counts = source.read(&mut |piece| {
            if let Piece::Sentence(sentence) = piece {
                waiting.push(sentence.to_string());
                if waiting.len() == AT_ONCE {
                    return flush(&mut waiting);
                }
            }
            Ok(())
        })?;
        flush(&mut waiting)?;
        if counts.sentences == 0 {
            return Err(Error::bad_file(source.files().first().map_or(Path::new(""), |p| p), "contains no sentences"));
        }
        out.finish()?;
        durable::keep(unfinished, path)?;
        Ok(counts)
    }
}
