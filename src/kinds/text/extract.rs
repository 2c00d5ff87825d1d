//! Sentence vectors from a trained text model: z, one row per sentence, in the order of the file.
//!
//! A reader of sentences skips blank lines, and joins lines of prose; so each file of vectors has a file of lines beside it, which says where the
//! sentence of each row begins.

use crate::durable;
use crate::error::{Error, Result};
use crate::features::{Chunk, Chunks, Format, RowWriter};
use crate::kinds::text::{CpcText, TextModel};
use crate::nn::ParamStore;
use crate::ops::tokens::Sentences;
use crate::text::{Counts, Piece, Place, Source, Tokenizer};
use candle_core::{DType, Device};
use rayon::prelude::*;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use tempfile::TempPath;

/// Number of sentences encoded at once.
const AT_ONCE: usize = 4096;

/// What was written, and what it leaves out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// What was read from the text.
    pub counts: Counts,
    /// Number of sentences that have more tokens than the model takes; their vectors are of the first tokens.
    pub cut: u64,
    /// Number of sentences in which the tokenizer knows no word; they have the vector of the unknown word.
    pub unknown: u64,
}

/// The vectors of some sentences.
struct Encoded {
    /// (S, D), row-major.
    vectors: Vec<f32>,
    cut: u64,
    unknown: u64,
}

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

    /// The number of tokens that a sentence is cut to.
    pub fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    /// The vectors of sentences (S, D), row-major. A sentence that contains only unknown words has the vector of the unknown
    /// token.
    ///
    /// # Errors
    /// A sentence has no tokens, because the tokenizer has no token for unknown words.
    pub fn vectors(&self, sentences: &[String]) -> Result<Vec<f32>> {
        Ok(self.encoded(sentences)?.vectors)
    }

    fn encoded(&self, sentences: &[String]) -> Result<Encoded> {
        let mut all = Encoded { vectors: Vec::with_capacity(sentences.len() * self.dim), cut: 0, unknown: 0 };
        for some in sentences.chunks(AT_ONCE) {
            let encode = |sentence: &String| {
                let encoded =
                    self.tokenizer.encode(sentence, self.max_tokens).and_then(|encoded| match encoded.ids.len() {
                        0 => Err("has no token that the model knows".to_string()),
                        _ => Ok(encoded),
                    });
                encoded.map_err(|what| {
                    let short: String = sentence.chars().take(60).collect();
                    Error::failed(
                        format!("the sentence {short:?} {what}"),
                        "remove it, or use a model whose vocabulary contains its words",
                    )
                })
            };
            let encoded: Vec<crate::text::Encoded> = some.par_iter().map(encode).collect::<Result<_>>()?;
            let mut offsets = vec![0u32];
            let mut ids = Vec::new();
            for sentence in encoded {
                all.cut += u64::from(sentence.cut);
                all.unknown += u64::from(sentence.ids.iter().all(|id| Some(*id) == self.tokenizer.unknown()));
                ids.extend(sentence.ids);
                offsets.push(ids.len() as u32);
            }
            let z = self.model.encode(&Sentences::new(&ids, &offsets)?)?;
            all.vectors.extend(z.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?);
        }
        Ok(all)
    }

    /// Writes the vectors of a text's sentences to `path` atomically: a `.npy` file (N, D), or a `.parquet` file with the columns
    /// `sentence` and `vector`. Then writes to `lines` where the sentence of each row begins: a table of N lines below a line of names, with a
    /// file, a tab, and a line of it from 1, or a row of a parquet file from 0. `progress` is called with the number of sentences done. In a
    /// shard, only its `chunks` are computed, and nothing is counted that is not in them.
    ///
    /// # Errors
    /// The text cannot be read, it contains no sentences, or a file cannot be written.
    pub fn write(
        &self,
        source: &Source,
        [path, lines]: [&Path; 2],
        format: Format,
        chunks: (&Chunks, &str),
        progress: &dyn Fn(u64),
    ) -> Result<Written> {
        let (chunks, file) = chunks;
        let mut files = match chunks.is_shard() {
            true => None,
            false => Some(Files::create(source, [path, lines], format, self.dim)?),
        };
        let (mut waiting, mut number, mut done) = (Vec::with_capacity(AT_ONCE), 0u64, 0u64);
        let mut written = Written::default();
        let mut flush = |waiting: &mut Vec<String>, files: &mut Option<Files>| -> Result<()> {
            let compute = || {
                let Encoded { vectors, cut, unknown } = self.encoded(waiting)?;
                Ok(Chunk { rows: vectors, counts: [cut, unknown] })
            };
            let chunk = chunks.get(file, number, compute)?;
            if let (Some(Chunk { rows, counts: [cut, unknown] }), Some(files)) = (chunk, files) {
                files.out.write(waiting, &rows)?;
                written.cut += cut;
                written.unknown += unknown;
            }
            number += 1;
            done += waiting.len() as u64;
            progress(done);
            waiting.clear();
            Ok(())
        };
        let counts = source.read(&mut |piece| {
            if let Piece::Sentence(sentence, place) = piece {
                if let Some(files) = &mut files {
                    files.places.add(place).map_err(Error::io(lines, "write"))?;
                }
                waiting.push(sentence.to_string());
                if waiting.len() == AT_ONCE {
                    return flush(&mut waiting, &mut files);
                }
            }
            Ok(())
        })?;
        flush(&mut waiting, &mut files)?;
        if counts.sentences == 0 {
            return Err(Error::bad_file(source.files().first().map_or(Path::new(""), |p| p), "contains no sentences"));
        }
        if let Some(files) = files {
            files.finish([path, lines])?;
        }
        Ok(Written { counts, ..written })
    }
}

/// The files of the vectors of a text, while they are written.
struct Files {
    unfinished: [TempPath; 2],
    out: Box<dyn RowWriter>,
    places: Places,
}

impl Files {
    fn create(source: &Source, [path, lines]: [&Path; 2], format: Format, dim: usize) -> Result<Self> {
        let unfinished = [durable::unfinished(path)?, durable::unfinished(lines)?];
        let out = format.rows(&unfinished[0], dim, true)?;
        let places = Places::create(source, &unfinished[1]).map_err(Error::io(lines, "write"))?;
        Ok(Files { unfinished, out, places })
    }

    fn finish(self, [path, lines]: [&Path; 2]) -> Result<()> {
        self.out.finish()?;
        self.places.finish().map_err(Error::io(lines, "write"))?;
        let [unfinished, unfinished_lines] = self.unfinished;
        durable::keep(unfinished_lines, lines)?;
        durable::keep(unfinished, path)
    }
}

/// The table of where sentences begin.
struct Places {
    files: Vec<String>,
    out: BufWriter<std::fs::File>,
}

impl Places {
    fn create(source: &Source, path: &Path) -> std::io::Result<Places> {
        // A tab or a newline in a name would look like the end of a cell.
        let name = |path: &std::path::PathBuf| path.display().to_string().replace(['\t', '\n', '\r'], " ");
        let mut out = BufWriter::new(std::fs::File::create(path)?);
        out.write_all(b"file\tline\n")?;
        Ok(Places { files: source.files().iter().map(name).collect(), out })
    }

    fn add(&mut self, place: Place) -> std::io::Result<()> {
        let file = self.files.get(place.file).map_or("", String::as_str);
        writeln!(self.out, "{file}\t{}", place.line)
    }

    fn finish(mut self) -> std::io::Result<()> {
        self.out.flush()?;
        self.out.get_ref().sync_all()
    }
}
