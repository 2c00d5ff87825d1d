//! `--column`: what the columns of parquet data hold.

use crate::options::Options;
use clap::{Args, ValueEnum};

/// What a column can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColumnOf {
    /// The recordings, {bytes, path}
    Audio,
    /// The speaker
    Speaker,
    /// The id of an utterance
    Id,
    /// The label that `cpc probe --labels label` classifies
    Label,
    /// Sentences, or documents of several sentences
    Text,
}

impl ColumnOf {
    /// The word for it in options of the library.
    fn word(self) -> &'static str {
        match self {
            ColumnOf::Audio => "audio",
            ColumnOf::Speaker => "speaker",
            ColumnOf::Id => "id",
            ColumnOf::Label => "label",
            ColumnOf::Text => "text",
        }
    }
}

// The options for columns. (A doc comment here would become the help of the command that takes them.)
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ColumnArgs {
    /// Name a column of parquet data, such as speaker=client_id, or the key of the text in JSONL, such as text=content; may be repeated
    ///
    /// WHAT is audio, speaker, id, label or text. The default columns are: for audio, audio; for speaker, the first of speaker_id, speaker
    /// and client_id; for id, id; for label, label; for text, text.
    #[arg(long = "column", value_name = "WHAT=NAME", value_parser = parse)]
    pub column: Vec<(ColumnOf, String)>,
}

impl ColumnArgs {
    /// Adds these columns to options of the library.
    pub fn add(&self, mut options: Options) -> Options {
        for (what, name) in &self.column {
            options = options.with("column", format!("{}={name}", what.word()));
        }
        options
    }
}

fn parse(text: &str) -> Result<(ColumnOf, String), String> {
    let known = "write WHAT=NAME, where WHAT is audio, speaker, id, label or text";
    let (what, name) = text.split_once('=').filter(|(_, name)| !name.is_empty()).ok_or(known)?;
    let what = ColumnOf::from_str(what, true).map_err(|_| known)?;
    Ok((what, name.to_string()))
}
