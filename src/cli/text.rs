//! `cpc text`: what is done to trained models of text.

use super::{Terminal, remote};
use crate::durable;
use crate::error::{Error, Result};
use crate::eval::sentences::expand::expand;
use crate::weights::{Origin, TextModel, TextModelConfig};
use candle_core::{Device, Tensor};
use clap::{Args, Subcommand};
use serde_json::json;
use std::path::PathBuf;

/// The parameter that words are rows of.
const EMBEDDING: &str = "gEncoder.embedding.weight";

/// `cpc text` and what it does.
#[derive(Debug, Args)]
#[command(
    about = "Teach a trained model of text more words",
    long_about = "What is done to trained models of text.\n\n\
        A model knows the words of the text that it was trained on; all others are one unknown word to it. `expand` gives it those of a \
        large file of word vectors.",
    after_help = "Examples:\n  cpc text expand runs/books --vectors glove.6B.300d.txt --out models/books-large"
)]
pub struct TextCommand {
    #[command(subcommand)]
    action: Action,
}

/// What they do is said where they are: a comment here would take the place of their long help.
#[derive(Debug, Subcommand)]
enum Action {
    Expand(Expand),
}

/// Options of `cpc text expand`.
#[derive(Debug, Args)]
#[command(
    about = "Add the words of a file of word vectors to a model's vocabulary",
    long_about = "Add the words of a file of word vectors to a model's vocabulary, as skip-thought and the CPC paper did.\n\n\
        Over the words that both know, a linear map from the file's vectors to the model's embeddings is fitted (least squares, in closed \
        form). The file's other words get what the map makes of their vectors. Sentences of known words keep their vectors.\n\n\
        The file is one of word2vec (text or binary), fastText's .vec or GloVe. Its words should be cased as the model's are: a model \
        that was trained in small letters takes words in small letters only. The tokenizer has to be one of words or of word pieces; \
        pieces of BPE make any word as it is.",
    after_help = "Examples:\n  \
        cpc text expand runs/books --vectors glove.6B.300d.txt --out models/books-large\n  \
        cpc text expand hf:owner/name --vectors GoogleNews-vectors-negative300.bin --most 200000 --out models/large"
)]
struct Expand {
    /// A model of text: a model or run directory, hf:owner/name
    model: String,
    /// The file of word vectors
    #[arg(long, value_name = "FILE")]
    vectors: PathBuf,
    /// The model directory to write
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Words to add at most, from the beginning of the file, where the frequent ones are
    #[arg(long, value_name = "N", default_value = "1000000")]
    most: usize,
    /// Replace a model that is in DIR
    #[arg(long)]
    overwrite: bool,
}

impl TextCommand {
    pub(super) fn run(&self, terminal: &Terminal) -> Result<()> {
        match &self.action {
            Action::Expand(expand) => expand.run(terminal),
        }
    }
}

impl Expand {
    fn run(&self, terminal: &Terminal) -> Result<()> {
        if self.out.exists() && !(self.overwrite && self.out.join("config.json").exists()) {
            return Err(Error::usage(
                format!("{}: is there already", self.out.display()),
                "choose another name, or replace a model with --overwrite",
            ));
        }
        let here = remote::model(&self.model, terminal)?;
        let model = TextModel::open(&here.path)?;
        let vocabulary = model.tokenizer.words();
        let none = Vec::new();
        model.tokenizer.with_words(&none)?; // a tokenizer that takes no words is refused before the file is read
        let Some(table) = model.tensors.get(EMBEDDING) else {
            return Err(Error::failed(
                format!("{}: there is no {EMBEDDING} among its weights", here.name),
                "copy or download the model again",
            ));
        };
        let (_, dim) = table.dims2()?;
        let old = table.flatten_all()?.to_vec1::<f32>()?;
        terminal.note(&format!("{}: {} words known, {dim} numbers each", here.name, vocabulary.len()));
        let accept = |word: &str| model.tokenizer.is_word(word);
        let new = expand(&vocabulary, &old, dim, &self.vectors, self.most, &accept)?;
        let tokenizer = model.tokenizer.with_words(&new.words)?;
        // Ids that no token has may lie between the old rows and the new ones.
        let mut rows = old;
        rows.resize(model.tokenizer.size() * dim, 0.0);
        rows.extend_from_slice(&new.rows);
        let size = tokenizer.size();
        let mut tensors = crate::weights::ordered(&model.tensors);
        tensors.insert(EMBEDDING.into(), Tensor::from_vec(rows, (size, dim), &Device::Cpu)?);
        let mut config = TextModelConfig { tokenizer_sha256: tokenizer.sha256().into(), ..model.config };
        config.encoder.vocab_size = size;
        config.origin = Some(Origin {
            reference: here.name,
            layout: format!("model directory, with {} words of a file of word vectors", new.words.len()),
        });
        durable::write_dir(&self.out, |dir| TextModel::write(dir, &config, &tokenizer, &tensors))?;
        let (added, fitted, share) = (new.words.len(), new.fitted_on, 100.0 * new.r2);
        let mut text = format!(
            "{added} words added to {}; the map was fitted on {fitted}, and explains {share:.1} % of the variance of their embeddings\n",
            vocabulary.len()
        );
        if new.skipped > 0 {
            text += &format!("{} words of the file are not UTF-8, and were passed over\n", new.skipped);
        }
        text += &format!("model: {}\n", self.out.display());
        let result = json!({
            "model": self.out, "words_before": vocabulary.len(), "words_added": added, "fitted_on": fitted,
            "r2": new.r2, "skipped": new.skipped,
        });
        terminal.result_or_json(&result, &text)
    }
}
