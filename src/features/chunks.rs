//! Shards of an extraction that writes one file of many rows: each computes its share of the file's chunks, and the run without a shard
//! that comes after them joins the chunks and computes what is missing.
//!
//! A chunk is a file in `.parts/`, with the key of what it was computed from at its beginning: the model and the input. A chunk with another
//! key, or of another length, counts as missing.

use super::index::{self, PARTS};
use crate::durable::{self, Lock};
use crate::error::{Error, Result};
use crate::group::{Message, Reading, Share};
use std::fs;
use std::path::{Path, PathBuf};

/// Some rows of a file, and counts that belong to them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Chunk {
    /// The rows, row-major.
    pub rows: Vec<f32>,
    /// Counts, such as of sentences that were cut.
    pub counts: [u64; 2],
}

/// The chunks of a directory that is being written.
#[derive(Debug)]
pub struct Chunks {
    dir: PathBuf,
    key: String,
    shard: Option<Share>,
    _locks: Vec<Lock>,
}

impl Chunks {
    /// Opens the chunks of a directory, for a shard or for all. Before another process can begin, `mark` checks what is there, and says what
    /// the directory is for. `key` makes what stands for everything that chunks are computed from, if it is needed.
    ///
    /// # Errors
    /// Another process writes to the directory, or works on the same shard; those of `mark` and `key`.
    pub(super) fn begin(
        dir: &Path,
        shard: Option<Share>,
        mark: impl FnOnce() -> Result<()>,
        key: impl FnOnce() -> Result<String>,
    ) -> Result<Chunks> {
        let (locks, ()) = index::begin(dir, shard, mark)?;
        let key = match shard.is_some() || dir.join(PARTS).exists() {
            true => key()?,
            false => String::new(),
        };
        Ok(Chunks { dir: dir.to_path_buf(), key, shard, _locks: locks })
    }

    /// Whether this is a shard, which computes chunks and writes no files of rows.
    pub fn is_shard(&self) -> bool {
        self.shard.is_some()
    }

    /// Chunk `i` of a file: as computed before, or by `compute`. `None` in a shard, which only stores those of its share.
    ///
    /// # Errors
    /// Those of `compute`; the disk refuses.
    pub fn get(&self, file: &str, i: u64, compute: impl FnOnce() -> Result<Chunk>) -> Result<Option<Chunk>> {
        let path = self.dir.join(PARTS).join(format!("{file}.{i}"));
        let Some(shard) = self.shard else {
            return match self.read(&path)? {
                Some(chunk) => Ok(Some(chunk)),
                None => compute().map(Some),
            };
        };
        if shard.has(i) && self.read(&path)?.is_none() {
            let chunk = compute()?;
            let mut message = Message::new();
            message.bytes(self.key.as_bytes()).values(&chunk.rows);
            for count in chunk.counts {
                message.number(count);
            }
            let folder = path.parent().unwrap_or(&self.dir);
            fs::create_dir_all(folder).map_err(Error::io(folder, "create"))?;
            durable::write(&path, &message.take())?;
        }
        Ok(None)
    }

    fn read(&self, path: &Path) -> Result<Option<Chunk>> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::io(path, "read")(e)),
        };
        let mut reading = Reading::new(&bytes);
        let mut chunk = || -> Result<Option<Chunk>> {
            if reading.bytes()? != self.key.as_bytes() {
                return Ok(None);
            }
            let chunk = Chunk { rows: reading.values()?, counts: [reading.number()?, reading.number()?] };
            Ok(reading.is_at_its_end().then_some(chunk))
        };
        // A file that is too short is not a chunk.
        Ok(chunk().unwrap_or(None))
    }

    /// Ends the work: without a shard, the chunks are not needed any more.
    ///
    /// # Errors
    /// They cannot be removed.
    pub fn end(self) -> Result<()> {
        let parts = self.dir.join(PARTS);
        if self.is_shard() {
            return Ok(());
        }
        if parts.exists() {
            fs::remove_dir_all(&parts).map_err(Error::io(&parts, "remove"))?;
        }
        durable::remove_old_locks(&self.dir)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn chunks_of_shards_are_joined_and_those_of_another_key_are_computed_again() {
        let dir = tempfile::tempdir().unwrap();
        let computed = Cell::new(0);
        let get = |chunks: &Chunks, i: u64| {
            chunks
                .get("a/x.npy", i, || {
                    computed.set(computed.get() + 1);
                    Ok(Chunk { rows: vec![i as f32; 3], counts: [i, 7] })
                })
                .unwrap()
        };
        let begin = |shard, key: &str| Chunks::begin(dir.path(), shard, || Ok(()), || Ok(key.into()));
        let shard = |text: &str, key: &str| begin(Some(text.parse().unwrap()), key).unwrap();
        for _ in 0..2 {
            let chunks = shard("1/2", "k");
            assert!(begin(None, "k").is_err() && chunks.is_shard());
            assert!((0..5).all(|i| get(&chunks, i).is_none()));
            chunks.end().unwrap();
            assert_eq!(computed.get(), 2);
        }
        // A chunk of another model, and one that is cut off.
        get(&shard("3/4", "other"), 3);
        get(&shard("0/2", "k"), 4);
        let cut = dir.path().join(".parts/a/x.npy.4");
        let bytes = fs::read(&cut).unwrap();
        fs::write(&cut, &bytes[..bytes.len() - 1]).unwrap();
        computed.set(0);
        let all = begin(None, "k").unwrap();
        for i in 0..5 {
            assert_eq!(get(&all, i), Some(Chunk { rows: vec![i as f32; 3], counts: [i, 7] }));
        }
        assert_eq!(computed.get(), 4, "all but chunk 1");
        all.end().unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
