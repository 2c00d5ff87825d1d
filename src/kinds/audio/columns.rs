//! The columns of tables of recordings, by the options of a command.

use crate::error::{Error, Result};
use crate::kinds::Options;
use crate::recordings::Columns;

/// The columns of tables that the options name.
///
/// # Errors
/// The options name a column that recordings do not have.
pub(super) fn columns(options: &Options) -> Result<Columns> {
    let mut columns = Columns::default();
    for (what, name) in options.columns()? {
        match what.as_str() {
            "audio" => columns.audio = name,
            "speaker" => columns.speaker = name,
            "id" => columns.id = name,
            "label" => columns.label = name,
            _ => {
                return Err(Error::usage(
                    format!("--column {what}={name}: tables of recordings have no such column"),
                    "name the columns of audio, speaker, id or label",
                ));
            }
        }
    }
    Ok(columns)
}
