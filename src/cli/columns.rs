//! `--column`: which columns of parquet data hold what.

use crate::config::Columns;
use clap::{Args, ValueEnum};

/// What a column can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum What {
    /// The recordings, {bytes, path}
    Audio,
    /// Who speaks
    Speaker,
    /// What an utterance is called
    Id,
    /// What `cpc probe --labels label` reads off
    Label,
    /// Sentences, or documents of them
    Text,
}

// The options for columns. (A doc comment here would become the help of the command that takes them.)
#[derive(Debug, Clone, Default, Args)]
pub(super) struct ColumnArgs {
    /// A column of parquet data, such as speaker=client_id; may be repeated
    ///
    /// WHAT is audio, speaker, id, label or text. Usually these are the columns audio; speaker_id, speaker or client_id; id; label; and text.
    #[arg(long = "column", value_name = "WHAT=NAME", value_parser = parse)]
    pub column: Vec<(What, String)>,
}

impl ColumnArgs {
    /// The columns, the last of each kind counts.
    pub(super) fn columns(&self) -> Columns {
        let mut columns = Columns::default();
        for (what, name) in &self.column {
            let slot = match what {
                What::Audio => &mut columns.audio,
                What::Speaker => &mut columns.speaker,
                What::Id => &mut columns.id,
                What::Label => &mut columns.label,
                What::Text => continue,
            };
            slot.clone_from(name);
        }
        columns
    }

    /// The column of text; empty if none is named.
    pub(super) fn text(&self) -> &str {
        self.column.iter().rev().find(|(what, _)| *what == What::Text).map_or("", |(_, name)| name)
    }
}

fn parse(text: &str) -> Result<(What, String), String> {
    let known = "write WHAT=NAME, where WHAT is audio, speaker, id, label or text";
    let (what, name) = text.split_once('=').filter(|(_, name)| !name.is_empty()).ok_or(known)?;
    let what = What::from_str(what, true).map_err(|_| known)?;
    Ok((what, name.to_string()))
}
