//! The container since PyTorch 1.6: a zip with a pickle, `NAME/data.pkl`, and one file per storage, `NAME/data/KEY`.

use crate::weights::torch::Value;
use crate::weights::torch::pickle::{Fault, MOST_PICKLE, Machine, Storage, shown};
use crate::weights::torch::reader::{Content, Reader};
use std::collections::HashMap;
use std::io::{Read, Seek};
use std::sync::Arc;
use zip::{CompressionMethod, ZipArchive};

/// Number of bytes that the entries of even a small file may have: compressed entries are larger than the file.
const ROOM: usize = 16 << 20;

/// The entries of a zip under one directory, with a bound on their total size.
struct Entries<R> {
    archive: ZipArchive<R>,
    prefix: String,
    left: usize,
}

fn damaged(e: impl std::fmt::Display) -> Fault {
    format!("is a damaged zip: {}", shown(&e.to_string()))
}

impl<R: Read + Seek> Entries<R> {
    /// Opens a zip of `size` bytes.
    fn open(from: R, size: usize) -> Result<Self, Fault> {
        let archive = ZipArchive::new(from).map_err(damaged)?;
        let prefixes = archive.file_names().filter_map(|name| name.ok()?.strip_suffix("data.pkl").map(String::from));
        let prefix = prefixes.filter(|prefix| prefix.is_empty() || prefix.ends_with('/')).min_by_key(String::len);
        let prefix = prefix.ok_or("is a zip without a data.pkl: not written by torch.save")?;
        Ok(Entries { archive, prefix, left: size.saturating_mul(4).saturating_add(ROOM) })
    }

    /// The content of the entry with this name, if there is one, with its checksum checked.
    fn read(&mut self, name: &str) -> Result<Option<Vec<u8>>, Fault> {
        let Some(index) = self.archive.index_for_name(&format!("{}{name}", self.prefix)) else { return Ok(None) };
        let name = shown(name);
        let entry = self.archive.by_index(index).map_err(damaged)?;
        let method = entry.compression();
        if !matches!(method, CompressionMethod::Stored | CompressionMethod::Deflated) {
            return Err(format!("has {name} compressed by {method}, which torch.save does not do"));
        }
        let size = usize::try_from(entry.size()).unwrap_or(usize::MAX);
        let stored = usize::try_from(entry.compressed_size()).unwrap_or(usize::MAX);
        if method == CompressionMethod::Stored && stored != size {
            return Err(format!("gives two different sizes for {name}"));
        }
        let left = self.left.checked_sub(size);
        self.left = left.ok_or_else(|| format!("claims that {name} is many times larger than the file"))?;
        let mut content = Vec::with_capacity(size);
        // One extra byte is requested, since the checksum is compared at the end of the entry.
        entry.take((size as u64).saturating_add(1)).read_to_end(&mut content).map_err(damaged)?;
        if content.len() == size { Ok(Some(content)) } else { Err(format!("ends within {name}")) }
    }
}

/// Reads a zip of `size` bytes.
pub(super) fn read<R: Read + Seek>(from: R, size: usize) -> Result<Value, Fault> {
    let mut entries = Entries::open(from, size)?;
    if entries.read("byteorder")?.is_some_and(|order| order != b"little") {
        return Err("has its numbers in another byte order; save it again on a little-endian machine".into());
    }
    let pickle = entries.read("data.pkl")?.ok_or("is a zip without a data.pkl")?;
    if pickle.len() > MOST_PICKLE {
        return Err(format!("has a pickle of {} bytes, more than any checkpoint has", pickle.len()));
    }
    let mut machine = Machine::new(&pickle);
    let root = machine.run()?;
    let mut storages: HashMap<String, Arc<Vec<u8>>> = HashMap::new();
    let fetch = |storage: &Storage| -> Result<Content<'_>, Fault> {
        if let Some(found) = storages.get(&storage.key) {
            return Ok(Content::Shared(found.clone()));
        }
        let content = entries.read(&format!("data/{}", storage.key))?;
        let content = Arc::new(content.ok_or_else(|| format!("lacks its storage data/{}", shown(&storage.key)))?);
        storages.insert(storage.key.clone(), content.clone());
        Ok(Content::Shared(content))
    };
    Reader::new(&machine.arena, size, fetch).value(root, 0)
}
