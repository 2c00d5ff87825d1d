//! Sentence vectors from a trained text model: z, one row per sentence, in the order of the file.
//!
//! A reader of sentences skips blank lines, and joins lines of prose; so each file of vectors has a file of lines beside it, which says where the
//! sentence of each row begins.

use crate::durable;
use crate::error::{Error, Result};
use crate::features::{Chunk, Chunks, Format, Frames, Pool, Pooling, RowWriter};
use crate::kinds::text::{CpcText, TextModel};
use crate::nn::ParamStore;
use crate::ops::tokens::Sentences;
use crate::text::{Counts, Piece, Place, Source, Tokenizer};
use candle_core::{DType, Device};
use rayon::prelude::*;
use std::collections::VecDeque;
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
    /// Number of rows that were written: the sentences, or what they were pooled to.
    pub rows: u64,
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
    /// With a `pool`, rows are of documents, or of windows of sentences in a document; `lines` says where the first sentence of each begins, and
    /// parquet files have no column of sentences.
    ///
    /// # Errors
    /// The text cannot be read, it contains no sentences, or a file cannot be written.
    pub fn write(
        &self,
        source: &Source,
        [path, lines]: [&Path; 2],
        format: Format,
        pool: Pool,
        chunks: (&Chunks, &str),
        progress: &dyn Fn(u64),
    ) -> Result<Written> {
        let (chunks, file) = chunks;
        let mut files = match chunks.is_shard() {
            true => None,
            false => Some(Files::create(source, [path, lines], format, pool, self.dim)?),
        };
        let (mut waiting, mut number, mut done) = (Waiting::default(), 0u64, 0u64);
        let mut written = Written::default();
        let mut flush = |waiting: &mut Waiting, files: &mut Option<Files>| -> Result<()> {
            let compute = || {
                let Encoded { vectors, cut, unknown } = self.encoded(&waiting.sentences)?;
                Ok(Chunk { rows: vectors, counts: [cut, unknown] })
            };
            let chunk = chunks.get(file, number, compute)?;
            if let (Some(Chunk { rows, counts: [cut, unknown] }), Some(files)) = (chunk, files) {
                files.write(waiting, &rows, lines)?;
                written.cut += cut;
                written.unknown += unknown;
            }
            number += 1;
            done += waiting.sentences.len() as u64;
            progress(done);
            *waiting = Waiting::default();
            Ok(())
        };
        let counts = source.read(&mut |piece| {
            match piece {
                Piece::Sentence(sentence, place) => {
                    waiting.sentences.push(sentence.to_string());
                    waiting.places.push(place);
                }
                Piece::End => waiting.ends.push(waiting.sentences.len()),
            }
            if waiting.sentences.len() == AT_ONCE {
                return flush(&mut waiting, &mut files);
            }
            Ok(())
        })?;
        flush(&mut waiting, &mut files)?;
        if counts.sentences == 0 {
            return Err(Error::bad_file(source.files().first().map_or(Path::new(""), |p| p), "contains no sentences"));
        }
        if let Some(files) = files {
            written.rows = files.finish([path, lines])?;
        }
        Ok(Written { counts, ..written })
    }
}

/// Sentences that are encoded together.
#[derive(Default)]
struct Waiting {
    sentences: Vec<String>,
    places: Vec<Place>,
    /// Where documents end: the number of sentences here that come before the end.
    ends: Vec<usize>,
}

/// The files of the vectors of a text, while they are written.
struct Files {
    unfinished: [TempPath; 2],
    out: Box<dyn RowWriter>,
    places: Places,
    rows: u64,
    dim: usize,
    pool: Pool,
    /// The document that is being read.
    document: Document,
}

/// A document, of which rows are made.
struct Document {
    pooling: Pooling,
    /// The places of the sentences that rows to come begin with.
    places: VecDeque<Place>,
    /// Sentences to come that no row begins with.
    skip: usize,
}

impl Document {
    fn new(pool: Pool, dim: usize) -> Document {
        Document { pooling: pool.start(&[dim], 1.0), places: VecDeque::new(), skip: 0 }
    }
}

impl Files {
    fn create(source: &Source, [path, lines]: [&Path; 2], format: Format, pool: Pool, dim: usize) -> Result<Self> {
        let unfinished = [durable::unfinished(path)?, durable::unfinished(lines)?];
        let out = format.rows(&unfinished[0], pool.dim(dim), pool.is_none())?;
        let places = Places::create(source, &unfinished[1]).map_err(Error::io(lines, "write"))?;
        Ok(Files { unfinished, out, places, rows: 0, dim, pool, document: Document::new(pool, dim) })
    }

    /// Writes the vectors of some sentences, or the rows that they complete.
    fn write(&mut self, waiting: &Waiting, vectors: &[f32], lines: &Path) -> Result<()> {
        if self.pool.is_none() {
            self.rows += waiting.sentences.len() as u64;
            waiting.places.iter().try_for_each(|&place| self.places.add(place)).map_err(Error::io(lines, "write"))?;
            return self.out.write(&waiting.sentences, vectors);
        }
        let mut from = 0;
        for &end in waiting.ends.iter().chain([&waiting.sentences.len()]) {
            let skipped = self.document.skip.min(end - from);
            self.document.skip -= skipped;
            self.document.places.extend(&waiting.places[from + skipped..end]);
            let frames = Frames { count: end - from, layers: vec![vectors[from * self.dim..end * self.dim].to_vec()] };
            let rows = self.document.pooling.take(frames);
            self.add(&rows, lines)?;
            from = end;
            if waiting.ends.contains(&end) {
                self.end(lines)?;
            }
        }
        Ok(())
    }

    /// Ends the document.
    fn end(&mut self, lines: &Path) -> Result<()> {
        let next = Document::new(self.pool, self.dim);
        let Document { pooling, places, .. } = std::mem::replace(&mut self.document, next);
        self.document.places = places;
        self.add(&pooling.finish(), lines)?;
        self.document.places.clear();
        Ok(())
    }

    /// Adds rows of the document.
    fn add(&mut self, rows: &Frames, lines: &Path) -> Result<()> {
        let hop = match self.pool {
            Pool::Windows { .. } => self.pool.hop(1.0) as usize,
            _ => usize::MAX,
        };
        for _ in 0..rows.count {
            if let Some(&first) = self.document.places.front() {
                self.places.add(first).map_err(Error::io(lines, "write"))?;
            }
            let past = hop.min(self.document.places.len());
            self.document.places.drain(..past);
            if hop < usize::MAX {
                self.document.skip += hop - past;
            }
        }
        self.rows += rows.count as u64;
        match rows.layers.first() {
            Some(rows) if !rows.is_empty() => self.out.write(&[], rows),
            _ => Ok(()),
        }
    }

    /// Completes the files, and returns the number of rows.
    fn finish(mut self, [path, lines]: [&Path; 2]) -> Result<u64> {
        self.end(lines)?;
        self.out.finish()?;
        self.places.finish().map_err(Error::io(lines, "write"))?;
        let [unfinished, unfinished_lines] = self.unfinished;
        durable::keep(unfinished_lines, lines)?;
        durable::keep(unfinished, path)?;
        Ok(self.rows)
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
