//! Recordings in the rows of parquet files, as in datasets of the Hugging Face hub: a column `audio {bytes, path}`, along
//! with columns for the speaker, an id and a label.
//!
//! A row cannot be read on its own: a page of a column is compressed as a whole, and often holds all rows of a row group
//! (pyarrow checks the size of a page only every 1024 rows). Opening a corpus therefore decodes each row group once and
//! reads the headers in it. The first read of a row unpacks its row group to a `Spool`, where rows are then read like
//! files. At most one row group is in memory at any time, whatever the number of threads.
//!
//! `candle-datasets` does not cover this: its `from_hub` opens the files of a hub dataset as readers of the `parquet`
//! crate, which is where this module starts, and its own loaders hold whole image datasets in memory.

mod labels;
mod layout;
mod scan;
mod spool;

pub use labels::labels;
pub(super) use scan::scan;

use crate::audio::Input;
use crate::data::columns::{ByteRows, damaged, open, row_name};
use layout::Layout;
use parking_lot::{Mutex, RwLock};
use parquet::file::reader::FileReader;
use spool::{Spool, Stretch};
use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The locations of the recordings of a row group.
type Group = Arc<[Stretch]>;

/// Parquet files whose rows are read repeatedly.
#[derive(Debug, Default)]
struct Tables {
    tables: Vec<(PathBuf, Layout)>,
    /// The locations in the spool of the rows of a row group (table, group).
    unpacked: RwLock<HashMap<(u32, u32), Group>>,
    /// Only the holder of this lock may have a row group in memory.
    spool: Mutex<Option<Spool>>,
}

/// A row of a parquet file.
#[derive(Debug, Clone)]
pub struct Row {
    tables: Arc<Tables>,
    table: u32,
    group: u32,
    /// Index in its row group, from 0.
    at: u32,
    /// Index in its file, from 0.
    number: u64,
}

impl Row {
    /// The parquet file.
    pub fn file(&self) -> &Path {
        self.tables.tables.get(self.table as usize).map_or(Path::new(""), |(path, _)| path)
    }

    /// Opens the bytes of its recording.
    pub(super) fn open(&self) -> std::result::Result<Input, String> {
        self.tables.stretch((self.table, self.group), self.at)?.open()
    }

    /// Its name in a table at `path`.
    pub(super) fn named(&self, path: &Path) -> String {
        row_name(path, self.number)
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

impl Tables {
    /// The location of the recording of row `at` of a row group, which is unpacked first if necessary.
    fn stretch(&self, group: (u32, u32), at: u32) -> std::result::Result<Stretch, String> {
        let known = || self.unpacked.read().get(&group).map(Arc::clone);
        let stretches = match known() {
            Some(stretches) => stretches,
            None => {
                let mut spool = self.spool.lock();
                // Another thread may have unpacked it in the meantime.
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
        let (path, layout) = self.tables.get(table as usize).ok_or("is not a table of this corpus")?;
        let bytes = layout.bytes.ok_or("has no bytes")?;
        let spool = match spool {
            Some(spool) => spool,
            None => spool.insert(Spool::create()?),
        };
        let mut stretches = Vec::new();
        crate::guard::guarded(|| {
            let file = open(path)?;
            let group = file.get_row_group(group as usize).map_err(damaged)?;
            let mut rows = ByteRows::new(&*group, bytes).map_err(damaged)?;
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
