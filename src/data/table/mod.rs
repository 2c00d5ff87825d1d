//! Recordings in the rows of parquet files, as the datasets of the Hugging Face hub have them: a column `audio {bytes,
//! path}`, and beside it who speaks, an id, a label.
//!
//! A row cannot be read alone: a page of a column is compressed as a whole, and often holds all rows of a row group (pyarrow
//! looks at the size of a page only every 1024 rows). Opening a corpus therefore decodes each row group once and looks at
//! the headers in it; the first reading of a row unpacks its row group to a `Spool`, where rows are
//! then read as files are. At any time one row group is in memory, whatever the number of threads.
//!
//! `candle-datasets` has nothing for this: its `from_hub` opens a hub dataset's files as readers of the `parquet` crate, which is what
//! this module begins with, and its own loaders hold whole sets of images in memory.

mod find;
mod labels;
mod layout;
mod rows;
mod scan;
mod spool;

pub use find::{Chosen, NoTables, tables_of};
pub(crate) use find::{at, is_table};
pub use labels::labels;
pub(super) use scan::scan;

use crate::audio::Input;
use layout::Layout;
use parking_lot::{Mutex, RwLock};
use parquet::file::reader::{FileReader, SerializedFileReader};
pub(crate) use rows::Rows;
use spool::{Spool, Stretch};
use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where the recordings of a row group lie.
type Group = Arc<[Stretch]>;

/// Parquet files that rows are read from, again and again.
#[derive(Debug, Default)]
struct Tables {
    tables: Vec<(PathBuf, Layout)>,
    /// Where the rows of a row group (table, group) lie in the spool.
    unpacked: RwLock<HashMap<(u32, u32), Group>>,
    /// Who holds it may have a row group in memory.
    spool: Mutex<Option<Spool>>,
}

/// A row of a parquet file.
#[derive(Debug, Clone)]
pub struct Row {
    tables: Arc<Tables>,
    table: u32,
    group: u32,
    /// In its row group, from 0.
    at: u32,
    /// In its file, from 0.
    number: u64,
}

impl Row {
    /// The parquet file.
    pub fn file(&self) -> &Path {
        self.tables.tables.get(self.table as usize).map_or(Path::new(""), |(path, _)| path)
    }

    /// The bytes of its recording.
    pub(super) fn open(&self) -> std::result::Result<Input, String> {
        self.tables.stretch((self.table, self.group), self.at)?.open()
    }

    fn key(&self) -> (*const Tables, u32, u64) {
        (Arc::as_ptr(&self.tables), self.table, self.number)
    }
}

impl PartialEq for Row {
    fn eq(&self, other: &Row) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Row {}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", row_name(self.file(), self.number))
    }
}

pub(crate) fn row_name(file: &Path, number: u64) -> String {
    format!("{} row {number}", file.display())
}

impl Tables {
    /// Where the recording of row `at` of a row group lies, which is unpacked if it was not yet.
    fn stretch(&self, group: (u32, u32), at: u32) -> std::result::Result<Stretch, String> {
        let known = || self.unpacked.read().get(&group).map(Arc::clone);
        let stretches = match known() {
            Some(stretches) => stretches,
            None => {
                let mut spool = self.spool.lock();
                // Another thread may have been at it meanwhile.
                match known() {
                    Some(stretches) => stretches,
                    None => {
                        let stretches = self.unpack(group, &mut spool)?;
                        self.unpacked.write().insert(group, Arc::clone(&stretches));
                        stretches
                    }
                }
            }
        };
        stretches.get(at as usize).cloned().ok_or_else(|| "has fewer rows than before; was it replaced?".into())
    }

    fn unpack(&self, (table, group): (u32, u32), spool: &mut Option<Spool>) -> std::result::Result<Group, String> {
        let (path, layout) = self.tables.get(table as usize).ok_or("is no table of this corpus")?;
        let bytes = layout.bytes.ok_or("has no bytes")?;
        let spool = match spool {
            Some(spool) => spool,
            None => spool.insert(Spool::create()?),
        };
        let mut stretches = Vec::new();
        crate::audio::guarded(|| {
            let file = open(path)?;
            let group = file.get_row_group(group as usize).map_err(damaged)?;
            let mut rows = Rows::new(&*group, bytes).map_err(damaged)?;
            loop {
                let some = rows.next().map_err(damaged)?;
                if some.is_empty() {
                    return Ok(());
                }
                for row in some {
                    stretches.push(spool.add(row.as_ref().map_or(&[], |bytes| bytes.data()))?);
                }
            }
        })?;
        Ok(stretches.into())
    }
}

/// Opens a parquet file, as far as its footer.
pub(crate) fn open(path: &Path) -> std::result::Result<SerializedFileReader<File>, String> {
    let file = File::open(path).map_err(|e| format!("cannot be opened: {e}"))?;
    SerializedFileReader::new(file).map_err(|e| {
        format!("is not a whole parquet file ({}); copy it again", e.to_string().trim_start_matches("Parquet error: "))
    })
}

/// What is wrong with a file whose footer is sound.
pub(crate) fn damaged(error: parquet::errors::ParquetError) -> String {
    format!("damaged: {}", error.to_string().trim_start_matches("Parquet error: "))
}
