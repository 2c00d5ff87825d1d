//! `cpc text`: operations on trained text models.

use crate::command::console::Console;
use crate::command::session;
use crate::command::terminal::Terminal;
use crate::error::{Error, Result};
use crate::kinds::not_for;
use crate::kinds::text::{TextModel, expand_words};
use crate::toolkit::Toolkit;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `cpc text` and its subcommands.
#[derive(Debug, Args)]
#[command(
    about = "Add words to a trained text model",
    long_about = "Extend trained text models.\n\n\
        A model knows the words of the text it was trained on. All other words are one unknown word to it. `expand` adds the words of a \
        large file of word vectors.",
    after_help = "Examples:\n  cpc text expand runs/books --vectors glove.6B.300d.txt --out models/books-large"
)]
pub(crate) struct TextCommand {
    #[command(subcommand)]
    action: Action,
}

/// Each subcommand is documented where it is defined: a comment here would replace its long help.
#[derive(Debug, Subcommand)]
enum Action {
    Expand(Expand),
}

/// Options of `cpc text expand`.
#[derive(Debug, Args)]
#[command(
    about = "Add the words of a file of word vectors to a model's vocabulary",
    long_about = "Add the words of a file of word vectors to a model's vocabulary, as in skip-thought and the CPC paper.\n\n\
        A linear map from the file's vectors to the model's embeddings is fitted over the words that both contain (least squares, in closed \
        form). The embeddings of the file's other words are their vectors under this map. The vectors of sentences of known words do not change.\n\n\
        The file is in the format of word2vec (text or binary), fastText's .vec or GloVe. Its words should have the same case as the model's: a model \
        that was trained on lowercase text accepts only lowercase words. The tokenizer must be one of words or of word pieces; \
        BPE pieces already make up any word.",
    after_help = "Examples:\n  \
        cpc text expand runs/books --vectors glove.6B.300d.txt --out models/books-large\n  \
        cpc text expand hf:owner/name --vectors GoogleNews-vectors-negative300.bin --most 200000 --out models/large"
)]
struct Expand {
    /// A text model: a model or run directory, or hf:owner/name
    model: String,
    /// The file of word vectors
    #[arg(long, value_name = "FILE")]
    vectors: PathBuf,
    /// The model directory to create
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Maximum number of words to add, from the beginning of the file, where the frequent words are
    #[arg(long, value_name = "N", default_value = "1000000")]
    most: usize,
    /// Replace a model that exists in DIR
    #[arg(long)]
    overwrite: bool,
}

impl TextCommand {
    pub(crate) fn run(&self, terminal: &Terminal) -> Result<()> {
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
        let console = Console::new(terminal);
        let session = session(&console, "cpu")?;
        let model = Toolkit::standard().open(&self.model, &session)?;
        let Some(text) = model.as_any().downcast_ref::<TextModel>() else {
            return Err(not_for(&*model, "`cpc text`"));
        };
        let expansion = expand_words(text, &self.vectors, self.most, &self.out, &session)?;
        terminal.result_or_json(&expansion, &expansion.to_string())
    }
}
