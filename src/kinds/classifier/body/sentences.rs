//! Sentences below a head: the sentence encoder of CPC on text.

use super::{Below, Data, Framed};
use crate::config::OnBadFile;
use crate::error::{Error, Problem, Result};
use crate::eval::sentences::read;
use crate::eval::sentences::task::Example;
use crate::kinds::classifier::examples::Examples;
use crate::kinds::text::TextModelConfig;
use crate::nn::{Phase, SentenceEncoder};
use crate::ops::tokens::Sentences;
use crate::recordings::AnyCorpus;
use crate::text::{Piece, Source, Split, Tokenizer};
use candle_core::Device;
use candle_nn::VarBuilder;
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The prefix of the names of the encoder's parameters.
pub(super) const ENCODER: &str = "gEncoder.";

/// The dimension of a layer.
pub(super) fn dim(config: &TextModelConfig, layer: &str) -> Result<usize> {
    match layer {
        "z" => Ok(config.encoder.hidden_dim),
        _ => Err(Error::usage(
            format!("finetune.layer: the only layer of sentences is z, not `{layer}`"),
            "leave out --layer",
        )),
    }
}

/// The network that computes z of sentences.
pub(super) fn network(config: &TextModelConfig, layer: &str, vb: &VarBuilder) -> Result<Arc<dyn Below>> {
    dim(config, layer)?;
    Ok(Arc::new(SentenceBelow { encoder: SentenceEncoder::new(&config.encoder, vb.pp("gEncoder"))? }))
}

struct SentenceBelow {
    encoder: SentenceEncoder,
}

impl Below for SentenceBelow {
    fn frames(&self, examples: &Examples, _: Phase, _: &Device) -> Result<Framed> {
        let window = examples.samples.len() / examples.lengths.len();
        let (mut ids, mut offsets) = (Vec::new(), vec![0u32]);
        for (tokens, &n) in examples.samples.chunks(window).zip(&examples.lengths) {
            ids.extend(tokens[..n].iter().map(|&id| id as u32));
            offsets.push(ids.len() as u32);
        }
        let (z, rows) = self.encoder.forward(&Sentences::new(&ids, &offsets)?)?;
        // Rows of an embedding that is not trained have no gradient.
        let rows = if rows.values.track_op() { vec![rows] } else { Vec::new() };
        Ok(Framed { frames: z.unsqueeze(1)?, lengths: vec![1; examples.lengths.len()], rows })
    }
}

/// Labeled sentences of a file, or of the files `train.*` and `test.*` of a directory; or sentences of a text.
pub(super) fn data(tokenizer: &Arc<Tokenizer>, config: &TextModelConfig, path: &Path, labeled: bool) -> Result<Data> {
    let named_like_text = || {
        let ending = |end: &str| path.extension().is_some_and(|e| e.eq_ignore_ascii_case(end));
        path.is_dir() || !(ending("csv") || ending("tsv"))
    };
    if !labeled && named_like_text() {
        let (mut sentences, mut ids) = (Vec::new(), Vec::new());
        let source = Source::open(path, Split::Lines, "", OnBadFile::Fail)?;
        source.read(&mut |piece| {
            if let Piece::Sentence(sentence, place) = piece {
                let file = source.files().get(place.file).map(|file| stem(file)).unwrap_or_default();
                ids.push(format!("{file}:{}", place.line));
                sentences.push(sentence.to_string());
            }
            Ok(())
        })?;
        let places = ids.clone();
        return Ok(Data {
            corpus: Arc::new(SentenceCorpus::new(tokenizer, config, sentences, ids, places)?),
            labels: None,
            tested: None,
        });
    }
    let (mut examples, mut ids, mut tested) = (Vec::<Example>::new(), Vec::new(), Vec::new());
    for (file, test) in files(path)? {
        for example in read::examples(&file)? {
            if example.second.is_some() {
                return Err(Error::failed(
                    format!("{}: is a pair of sentences", example.place),
                    "give lines of a label and one sentence",
                ));
            }
            let line = example.place.rsplit_once("line ").map_or("", |(_, line)| line);
            ids.push(format!("{}:{line}", stem(&file)));
            tested.push(test);
            examples.push(example);
        }
    }
    let labels = examples.iter().map(|example| example.label.clone()).collect();
    let places = examples.iter().map(|example| example.place.clone()).collect();
    let sentences = examples.into_iter().map(|example| example.first).collect();
    let tested = tested.contains(&true).then_some(tested);
    Ok(Data {
        corpus: Arc::new(SentenceCorpus::new(tokenizer, config, sentences, ids, places)?),
        labels: Some(labels),
        tested,
    })
}

fn stem(file: &Path) -> String {
    file.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The files of labeled sentences at a path, and whether each is to be tested.
fn files(path: &Path) -> Result<Vec<(PathBuf, bool)>> {
    if !path.is_dir() {
        return Ok(vec![(path.to_path_buf(), false)]);
    }
    let part = |name: &str| {
        let file = |ending: &str| Some(path.join(format!("{name}.{ending}"))).filter(|file| file.is_file());
        ["tsv", "csv", "txt"].into_iter().find_map(file)
    };
    match (part("train"), part("test")) {
        (Some(train), test) => Ok(std::iter::once((train, false)).chain(test.map(|test| (test, true))).collect()),
        (None, _) => Err(Error::failed(
            format!("{}: has no train.tsv, train.csv or train.txt", path.display()),
            "give a file of lines label<TAB>sentence, or a directory with train.tsv and test.tsv",
        )),
    }
}

/// A corpus whose recordings are sentences, and whose samples are the numbers of tokens.
struct SentenceCorpus {
    tokens: Vec<Vec<u32>>,
    sentences: Vec<String>,
    ids: Vec<String>,
    places: Vec<String>,
}

impl SentenceCorpus {
    /// Splits sentences into tokens. A longer sentence than the model was trained on keeps all: it is classified by windows, as a recording is.
    fn new(
        tokenizer: &Arc<Tokenizer>,
        config: &TextModelConfig,
        sentences: Vec<String>,
        ids: Vec<String>,
        places: Vec<String>,
    ) -> Result<SentenceCorpus> {
        let encode = |(sentence, place): (&String, &String)| match tokenizer.encode(sentence, usize::MAX) {
            Ok(encoded) if encoded.ids.is_empty() => Err(Problem::new(place, "has no token that the model knows")),
            Ok(encoded) => Ok(encoded.ids),
            Err(what) => Err(Problem::new(place, what)),
        };
        let encoded: Vec<_> = sentences.par_iter().zip(&places).map(encode).collect();
        let (mut tokens, mut problems) = (Vec::with_capacity(encoded.len()), Vec::new());
        for sentence in encoded {
            match sentence {
                Ok(ids) => tokens.push(ids),
                Err(problem) => problems.push(problem),
            }
        }
        if !problems.is_empty() {
            return Err(Error::problems(
                problems,
                format!(
                    "take them out, or use a model whose vocabulary of {} tokens has their words",
                    config.encoder.vocab_size
                ),
            ));
        }
        Ok(SentenceCorpus { tokens, sentences, ids, places })
    }
}

impl AnyCorpus for SentenceCorpus {
    fn count(&self) -> usize {
        self.tokens.len()
    }

    fn id(&self, i: usize) -> &str {
        &self.ids[i]
    }

    fn subject(&self, _: usize) -> &str {
        ""
    }

    /// The sentence itself: what has the same text is held out together.
    fn file(&self, i: usize) -> String {
        self.sentences[i].clone()
    }

    fn names(&self, i: usize) -> Vec<String> {
        vec![self.ids[i].clone()]
    }

    fn place(&self, i: usize) -> String {
        self.places[i].clone()
    }

    fn samples(&self, i: usize) -> u64 {
        self.tokens[i].len() as u64
    }

    fn width(&self) -> usize {
        1
    }

    fn problems(&self) -> &[Problem] {
        &[]
    }

    fn digest(&self) -> Vec<u8> {
        let mut sum = Sha256::new();
        for (id, tokens) in self.ids.iter().zip(&self.tokens) {
            sum.update(format!("{id} {tokens:?}\n"));
        }
        sum.finalize().to_vec()
    }

    fn read(&self, i: usize, first: u64, out: &mut [f32]) -> std::result::Result<(), Problem> {
        let tokens = self.tokens[i].iter().skip(first as usize);
        out.iter_mut().zip(tokens).for_each(|(value, &id)| *value = id as f32);
        Ok(())
    }
}

/// A line of labeled sentences, as a CSV file has it.
pub(super) fn listed(corpus: &dyn AnyCorpus, i: usize, label: &str) -> String {
    let cell = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    format!("{},{}\n", cell(label), cell(&corpus.file(i)))
}
