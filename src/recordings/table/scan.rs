//! Finds the recordings in the rows of parquet files, in one pass through each row group.

use crate::audio::{self, AudioInfo, Input, Recording};
use crate::data::columns::{ByteRows, damaged, open, row_name, texts};
use crate::error::{Problem, Result};
use crate::guard::guarded;
use crate::recordings::names::without_ending;
use crate::recordings::scan::relative;
use crate::recordings::table::{Layout, Row, Tables};
use crate::recordings::{Columns, FoundRecording, Place};
use parquet::data_type::ByteArray;
use parquet::file::reader::{FileReader, RowGroupReader};
use rayon::prelude::*;
use std::collections::HashSet;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The result of inspecting a recording.
type Looked = std::result::Result<AudioInfo, Problem>;

/// The names of a row.
#[derive(Default)]
struct Names {
    path: Option<String>,
    speaker: Option<String>,
    id: Option<String>,
    label: Option<String>,
}

/// The rows of `files` with their labels; with `headers`, the headers of the recordings are read too.
///
/// # Errors
/// A column is missing.
pub(in crate::recordings) fn scan(
    files: &[PathBuf],
    root: &Path,
    columns: &Columns,
    headers: bool,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<(Vec<FoundRecording>, Vec<Problem>)> {
    let (mut tables, mut problems) = (Vec::new(), Vec::new());
    for path in files {
        match guarded(|| Ok(open(path)?.metadata().file_metadata().schema_descr_ptr())) {
            Ok(schema) => tables.push((path.clone(), Layout::find(path, &schema, columns)?)),
            Err(what) => problems.push(Problem::new(path.display(), what)),
        }
    }
    let tables = Arc::new(Tables { tables, ..Tables::default() });
    let mut scan =
        Scan { tables: &tables, root, headers, progress, done: AtomicUsize::new(0), found: vec![], problems };
    for (number, (path, layout)) in tables.tables.iter().enumerate() {
        scan.table(number as u32, path, layout);
    }
    let Scan { mut found, problems, .. } = scan;
    // A column that was not chosen explicitly is used as the id column only if its values distinguish the utterances.
    let mut seen = HashSet::new();
    let distinct = found.iter().all(|f| f.id.as_ref().is_none_or(|id| seen.insert(id.as_str())));
    if columns.id.is_empty() && !distinct {
        found.iter_mut().for_each(|f| f.id = None);
    }
    Ok((found, problems))
}

struct Scan<'a> {
    tables: &'a Arc<Tables>,
    root: &'a Path,
    headers: bool,
    progress: &'a (dyn Fn(usize) + Sync),
    done: AtomicUsize,
    found: Vec<FoundRecording>,
    problems: Vec<Problem>,
}

impl Scan<'_> {
    /// Scans every row of a table; a row group that cannot be read is a problem, and the groups after it are still read.
    fn table(&mut self, table: u32, path: &Path, layout: &Layout) {
        let groups = guarded(|| {
            let file = open(path)?;
            let rows = file.metadata().row_groups().iter();
            Ok(rows.map(|group| u64::try_from(group.num_rows()).unwrap_or(0)).collect::<Vec<u64>>())
        });
        let groups = groups.unwrap_or_else(|what| {
            self.problems.push(Problem::new(path.display(), what));
            Vec::new()
        });
        let mut first = 0;
        for (group, rows) in groups.into_iter().enumerate() {
            let read = guarded(|| self.group(table, group as u32, first, path, layout));
            if let Err(what) = read {
                let last = (first + rows).saturating_sub(1);
                self.problems.push(Problem::new(format!("{} rows {first} to {last}", path.display()), what));
            }
            first += rows;
        }
    }

    fn group(
        &mut self,
        table: u32,
        group: u32,
        first: u64,
        path: &Path,
        layout: &Layout,
    ) -> std::result::Result<(), String> {
        let file = open(path)?;
        let reader = file.get_row_group(group as usize).map_err(damaged)?;
        let mut names = names(&*reader, layout)?;
        let looked = match layout.bytes.filter(|_| self.headers) {
            Some(column) => self.look(&*reader, column, first, path, &names)?,
            None => names.iter().map(|_| None).collect(),
        };
        if names.is_empty() {
            // There is no column except that of the recordings.
            names.resize_with(looked.len(), Names::default);
        }
        if looked.len() != names.len() {
            return Err(format!("damaged: {} recordings in {} rows", looked.len(), names.len()));
        }
        for (at, (names, looked)) in names.into_iter().zip(looked).enumerate() {
            let number = first + at as u64;
            let row = Row { tables: Arc::clone(self.tables), table, group, at: at as u32, number };
            match self.found(row, names, looked, path) {
                Ok(found) => self.found.push(found),
                Err(problem) => self.problems.push(problem),
            }
        }
        Ok(())
    }

    /// The headers of all recordings of a row group; `None` for a row without bytes.
    fn look(
        &self,
        group: &dyn RowGroupReader,
        column: usize,
        first: u64,
        path: &Path,
        names: &[Names],
    ) -> std::result::Result<Vec<Option<Looked>>, String> {
        let mut rows = ByteRows::new(group, column).map_err(damaged)?;
        let mut looked: Vec<Option<Looked>> = Vec::with_capacity(names.len());
        loop {
            let some = rows.next().map_err(damaged)?;
            if some.is_empty() {
                return Ok(looked);
            }
            let from = looked.len();
            let one = |(i, bytes): (usize, &Option<ByteArray>)| {
                let bytes = bytes.clone()?;
                let name = names.get(from + i).and_then(|n| n.path.as_deref()).unwrap_or_default();
                let info = audio::probe(&Held { bytes, name, place: (path, first + (from + i) as u64) });
                (self.progress)(self.done.fetch_add(1, Ordering::Relaxed) + 1);
                Some(info)
            };
            looked.par_extend(some.par_iter().enumerate().map(one));
        }
    }

    /// A row as an utterance.
    fn found(
        &self,
        row: Row,
        names: Names,
        looked: Option<Looked>,
        path: &Path,
    ) -> std::result::Result<FoundRecording, Problem> {
        let place = row_name(path, row.number);
        let table = relative(path, self.root);
        let table = without_ending(&table);
        let named = names.path.as_deref().filter(|p| !p.is_empty());
        let relative = match named {
            Some(named) => format!("{table}/{}", named.rsplit(['/', '\\']).next().unwrap_or(named)),
            None => format!("{table}/{}-{}", table.rsplit('/').next().unwrap_or(table), row.number),
        };
        let place_of = match (&looked, named, self.headers) {
            (None, Some(named), true) => Place::File(path.parent().unwrap_or(Path::new("")).join(named)),
            (None, None, true) => return Err(Problem::new(place, "has neither bytes nor a path of audio")),
            _ => Place::Row(row),
        };
        Ok(FoundRecording {
            place: place_of,
            relative,
            speaker: names.speaker.unwrap_or_else(|| "-".into()),
            id: names.id,
            label: names.label,
            section: (None, None),
            frames: None,
            line: Some(place),
            looked,
        })
    }
}

/// The names of all rows of a row group.
fn names(group: &dyn RowGroupReader, layout: &Layout) -> std::result::Result<Vec<Names>, String> {
    let mut names: Vec<Names> = Vec::new();
    let mut read = |column: Option<usize>, into: fn(&mut Names) -> &mut Option<String>| {
        let Some(column) = column else { return Ok(()) };
        let texts = texts(group, column).map_err(damaged)?;
        names.resize_with(names.len().max(texts.len()), Names::default);
        names.iter_mut().zip(texts).for_each(|(names, text)| *into(names) = text);
        Ok::<(), String>(())
    };
    read(layout.path, |n| &mut n.path)?;
    read(layout.speaker, |n| &mut n.speaker)?;
    read(layout.id, |n| &mut n.id)?;
    read(layout.label, |n| &mut n.label)?;
    Ok(names)
}

/// A recording in memory.
struct Held<'a> {
    bytes: ByteArray,
    name: &'a str,
    place: (&'a Path, u64),
}

impl Recording for Held<'_> {
    fn place(&self) -> String {
        row_name(self.place.0, self.place.1)
    }

    fn name(&self) -> &Path {
        Path::new(self.name)
    }

    fn open(&self) -> std::result::Result<Input, String> {
        Ok(Input::new(Cursor::new(self.bytes.clone()), self.bytes.len() as u64))
    }
}
