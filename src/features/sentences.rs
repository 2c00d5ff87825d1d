//! Vectors of sentences by a trained text model: z, a row a sentence, in the order of the file.

use super::index::Format;
use super::npy::NpyWriter;
use super::sentence_table::SentenceTable;
use crate::durable;
use crate::error::{Error, Result};
use crate::model::CpcText;
use crate::nn::ParamStore;
use crate::ops::tokens::Sentences;
use crate::text::{Counts, Piece, Source, Tokenizer};
use crate::weights::TextModel;
use candle_core::{DType, Device};
use rayon::prelude::*;
use std::path::Path;

/// Sentences that are encoded at once.
const AT_ONCE: usize = 4096;

/// Where vectors go.
enum Out {
    Npy(NpyWriter),
    Parquet(SentenceTable),
}

/// Makes vectors of sentences.
pub struct SentenceExtractor {
    model: CpcText,
    tokenizer: Tokenizer,
    max_tokens: usize,
    dim: usize,
}

impl SentenceExtractor {
    /// A trained model on a device.
    ///
    /// # Errors
    /// Its tensors are not those of its sizes.
    pub fn open(model: TextModel, device: &Device) -> Result<Self> {
        let store = ParamStore::new(0, device);
        let (tensors, reference) = (model.tensors.clone(), model.reference.clone());
        let extractor = SentenceExtractor::build(model, &store)?;
        store.load(&tensors, None, &reference)?;
        Ok(extractor)
    }

    /// The same network with the weights that training begins with, to compare with.
    ///
    /// # Errors
    /// The sizes cannot be built.
    pub fn untrained(model: TextModel, seed: u64, device: &Device) -> Result<Self> {
        SentenceExtractor::build(model, &ParamStore::new(seed, device))
    }

    /// The network of a model with the weights of `store`.
    fn build(TextModel { config, tokenizer, .. }: TextModel, store: &ParamStore) -> Result<Self> {
        let model = CpcText::new(&config.encoder, &config.context, &config.heads, &store.frozen())?;
        Ok(SentenceExtractor { model, tokenizer, max_tokens: config.max_tokens, dim: config.encoder.hidden_dim })
    }

    /// D, the numbers of a vector.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The vectors of sentences, one behind the other (S * D). A sentence of unknown words alone has the vector of the unknown
    /// token.
    ///
    /// # Errors
    /// A sentence has no token, as the tokenizer has none for unknown words.
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
                        "take it out, or use a model that knows its words",
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

    /// Writes the vectors of a text's sentences to `path`, whole or not at all: a `.npy` of (N, D), or a `.parquet` of `sentence` and
    /// `vector`. `progress` is told how many are done.
    ///
    /// # Errors
    /// The text cannot be read, it has no sentence, or the file cannot be written.
    pub fn write(&self, source: &Source, path: &Path, format: Format, progress: &dyn Fn(u64)) -> Result<Counts> {
        let unfinished = durable::unfinished(path)?;
        let mut out = match format {
            Format::Parquet => Out::Parquet(SentenceTable::create(&unfinished, self.dim)?),
            _ => Out::Npy(NpyWriter::create(&unfinished, self.dim)?),
        };
        let (mut waiting, mut done) = (Vec::with_capacity(AT_ONCE), 0u64);
        let mut flush = |waiting: &mut Vec<String>| -> Result<()> {
            let vectors = self.vectors(waiting)?;
            match &mut out {
                Out::Npy(out) => out.write(&vectors)?,
                Out::Parquet(out) => out.write(waiting, &vectors)?,
            }
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
            return Err(Error::bad_file(source.files().first().map_or(Path::new(""), |p| p), "has no sentence in it"));
        }
        match out {
            Out::Npy(out) => drop(out.finish()?),
            Out::Parquet(out) => out.finish()?,
        }
        durable::keep(unfinished, path)?;
        Ok(counts)
    }
}
