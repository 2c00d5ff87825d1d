//! Finds the roles of the columns of a parquet file.

use crate::error::{Error, Result};
use crate::recordings::Columns;
use parquet::basic::{ConvertedType, LogicalType, Type};
use parquet::schema::types::SchemaDescriptor;
use std::path::Path;

/// Columns that give the speaker if none is chosen: the name in LibriSpeech, in most other datasets, and in Common Voice.
const SPEAKER: [&str; 3] = ["speaker_id", "speaker", "client_id"];

/// The columns of one file, by index.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Layout {
    /// The bytes of the recordings.
    pub bytes: Option<usize>,
    /// The paths of the recordings.
    pub path: Option<usize>,
    /// The speaker.
    pub speaker: Option<usize>,
    /// The id of the utterance.
    pub id: Option<usize>,
    /// The label of the utterance.
    pub label: Option<usize>,
}

impl Layout {
    /// Finds the columns that `columns` names, or else the usual ones.
    ///
    /// # Errors
    /// A named column, or the audio column, is missing or has an unsuitable type; the error lists the columns of the file.
    pub(super) fn find(path: &Path, schema: &SchemaDescriptor, columns: &Columns) -> Result<Layout> {
        let refuse = |what: String, flag: &str| {
            let known: Vec<&str> = schema.root_schema().get_fields().iter().map(|f| f.name()).collect();
            let remedy = format!("choose one of its columns with --column {flag}=NAME: {}", known.join(", "));
            Error::usage(format!("{}: {what}", path.display()), remedy)
        };
        let leaf = |name: &str| schema.columns().iter().position(|c| c.path().string() == name);
        let of_kind = |i: &usize, kind: Type| schema.column(*i).physical_type() == kind;
        let plain = |i: &usize| schema.column(*i).max_rep_level() == 0;
        let name = |chosen: &str, usual: &[&str], flag: &str| -> Result<Option<usize>> {
            if chosen.is_empty() {
                return Ok(usual.iter().find_map(|name| leaf(name).filter(plain)));
            }
            let found = leaf(chosen).filter(plain);
            found.map(Some).ok_or_else(|| refuse(format!("has no column `{chosen}` of names or numbers"), flag))
        };
        let audio = if columns.audio.is_empty() { "audio" } else { &columns.audio };
        let part = |part: &str| leaf(&format!("{audio}.{part}")).filter(|i| plain(i) && of_kind(i, Type::BYTE_ARRAY));
        let whole = leaf(audio).filter(|i| plain(i) && of_kind(i, Type::BYTE_ARRAY));
        let text = |i: &usize| {
            let column = schema.column(*i);
            column.converted_type() == ConvertedType::UTF8 || column.logical_type_ref() == Some(&LogicalType::String)
        };
        let bytes = part("bytes").or(whole.filter(|i| !text(i)));
        let layout = Layout {
            bytes,
            path: part("path").or(whole.filter(text)),
            speaker: name(&columns.speaker, &SPEAKER, "speaker")?,
            id: name(&columns.id, &["id"], "id")?,
            label: name(&columns.label, &["label"], "label")?,
        };
        if layout.bytes.is_none() && layout.path.is_none() {
            return Err(refuse(
                format!("has no column `{audio}` of recordings ({audio}.bytes and {audio}.path)"),
                "audio",
            ));
        }
        Ok(layout)
    }
}
