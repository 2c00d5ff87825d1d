//! The two containers: a zip with a pickle and a file for each storage, or (before PyTorch 1.6) one stream of pickles and storages.

use super::pickle::{Fault, Id, Machine, Object, Storage};
use super::{TorchTensor, Value};
use crate::error::{Error, Result};
use std::collections::HashMap;
use std::io::{Cursor, Read};
use std::path::Path;
use std::sync::Arc;
use zip::ZipArchive;

/// How a zip begins.
const ZIP: &[u8] = b"PK\x03\x04";
/// How a stream from before PyTorch 1.6 begins: a pickle of its magic number.
const STREAM: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

/// Whether a file begins as those of PyTorch do.
///
/// # Errors
/// It cannot be read.
pub fn is_torch_file(path: &Path) -> Result<bool> {
    let mut start = Vec::new();
    let file = std::fs::File::open(path).map_err(Error::io(path, "read"))?;
    file.take(STREAM.len() as u64).read_to_end(&mut start).map_err(Error::io(path, "read"))?;
    Ok(start.starts_with(ZIP) || start == STREAM)
}

/// Reads a file of PyTorch.
///
/// # Errors
/// It is none, is damaged, or asks for more than tensors need; what it asks for is not done.
pub fn read_torch(path: &Path) -> Result<Value> {
    let bytes = std::fs::read(path).map_err(Error::io(path, "read"))?;
    read_bytes(&bytes).map_err(|fault| {
        Error::failed(
            format!("{}: {fault}", path.display()),
            "copy or download it again; of PyTorch's files, those with nothing but weights, numbers and text can be read",
        )
    })
}

/// Reads the bytes of a file of PyTorch.
///
/// # Errors
/// What is wrong, as the end of a sentence that begins with the file.
pub fn read_bytes(bytes: &[u8]) -> std::result::Result<Value, String> {
    if bytes.starts_with(ZIP) {
        zip(bytes)
    } else if bytes.starts_with(STREAM) {
        stream(bytes)
    } else if bytes.is_empty() {
        Err("is empty".into())
    } else {
        Err("is not a file of torch.save".into())
    }
}

fn zip(bytes: &[u8]) -> std::result::Result<Value, Fault> {
    let damaged = |e: &dyn std::fmt::Display| format!("is a damaged zip: {e}");
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|e| damaged(&e))?;
    let names = archive.file_names().filter_map(|name| name.ok());
    let prefix = names.filter_map(|name| name.strip_suffix("data.pkl").map(String::from)).next();
    let prefix = prefix.ok_or("is a zip without a data.pkl: not a file of torch.save")?;
    let mut left = bytes.len(); // entries are stored as they are, so all of them together are no larger than the file
    let mut read = |name: &str| -> std::result::Result<Option<Vec<u8>>, Fault> {
        let name = format!("{prefix}{name}");
        let Some(index) = archive.index_for_name(&name) else { return Ok(None) };
        let mut entry = archive.by_index(index).map_err(|e| damaged(&e))?;
        if entry.compression() != zip::CompressionMethod::Stored {
            return Err(format!("has {name} compressed, which torch.save does not do"));
        }
        let size = usize::try_from(entry.size()).unwrap_or(usize::MAX);
        left = left.checked_sub(size).ok_or_else(|| format!("says that {name} is larger than there is room for"))?;
        let mut content = Vec::with_capacity(size);
        entry.read_to_end(&mut content).map_err(|e| damaged(&e))?;
        if content.len() == size { Ok(Some(content)) } else { Err(format!("ends within {name}")) }
    };
    if read("byteorder")?.is_some_and(|order| order != b"little") {
        return Err("was written on a machine with another order of bytes".into());
    }
    let pickle = read("data.pkl")?.ok_or("is a zip without a data.pkl")?;
    let mut machine = Machine::new(&pickle);
    let root = machine.run()?;
    let mut storages: HashMap<String, Arc<[u8]>> = HashMap::new();
    let fetch = |storage: &Storage| -> std::result::Result<Arc<[u8]>, Fault> {
        if let Some(found) = storages.get(&storage.key) {
            return Ok(found.clone());
        }
        let content = read(&format!("data/{}", storage.key))?;
        let content: Arc<[u8]> = content.ok_or_else(|| format!("lacks its storage data/{}", storage.key))?.into();
        storages.insert(storage.key.clone(), content.clone());
        Ok(content)
    };
    Reader::new(&machine.arena, bytes.len(), fetch).value(root, 0)
}

/// Magic number, protocol, facts of the machine, the object, the keys of its storages, and the storages themselves: elements, then bytes.
fn stream(bytes: &[u8]) -> std::result::Result<Value, Fault> {
    let mut machine = Machine::new(bytes);
    machine.run()?; // the magic number, which was compared already
    let protocol = machine.run()?;
    if !matches!(machine.arena[protocol], Object::Int(1001)) {
        return Err("is a stream of torch.save of an unknown version".into());
    }
    let facts = machine.run()?;
    if let Object::Dict { entries, .. } = &machine.arena[facts] {
        let is = |id: Id, text: &str| matches!(&machine.arena[id], Object::Text(t) if t == text);
        if entries
            .iter()
            .any(|&(key, value)| is(key, "little_endian") && matches!(machine.arena[value], Object::Bool(false)))
        {
            return Err("was written on a machine with another order of bytes".into());
        }
    }
    let root = machine.run()?;
    let keys = machine.run()?;
    let Object::List(keys) = &machine.arena[keys] else { return Err("has no list of its storages".into()) };
    let mut sizes: HashMap<&str, usize> = HashMap::new();
    for object in &machine.arena {
        if let Object::Storage(storage) = object {
            sizes.insert(&storage.key, storage.dtype.size());
        }
    }
    let mut storages: HashMap<&str, Arc<[u8]>> = HashMap::new();
    let mut rest = &bytes[machine.position()..];
    for &key in keys {
        let Object::Text(key) = &machine.arena[key] else { return Err("has a storage without a name".into()) };
        let element = *sizes.get(key.as_str()).ok_or_else(|| format!("has a storage {key} that nothing uses"))?;
        let (elements, after) = rest.split_first_chunk::<8>().ok_or("ends before its storages do")?;
        let length = usize::try_from(i64::from_le_bytes(*elements)).ok().and_then(|n| n.checked_mul(element));
        let length = length.filter(|&n| n <= after.len()).ok_or("ends before its storages do")?;
        let (content, after) = after.split_at(length);
        if storages.insert(key, content.into()).is_some() {
            return Err(format!("has its storage {key} twice"));
        }
        rest = after;
    }
    let fetch = |storage: &Storage| -> std::result::Result<Arc<[u8]>, Fault> {
        let key: &str = &storage.key;
        storages.get(key).cloned().ok_or_else(|| format!("lacks its storage {key}"))
    };
    Reader::new(&machine.arena, bytes.len(), fetch).value(root, 0)
}

/// How deep values may lie in each other.
const DEEPEST: usize = 64;

/// Reads values out of an arena, with a bound on their bytes: a small pickle can name one object very often.
struct Reader<'a, F> {
    arena: &'a [Object],
    fetch: F,
    left: usize,
    tensors: HashMap<Id, TorchTensor>,
}

impl<'a, F: FnMut(&Storage) -> std::result::Result<Arc<[u8]>, Fault>> Reader<'a, F> {
    fn new(arena: &'a [Object], file: usize, fetch: F) -> Self {
        Reader { arena, fetch, left: file.saturating_mul(8).saturating_add(64 << 20), tensors: HashMap::new() }
    }

    fn spend(&mut self, bytes: usize) -> std::result::Result<(), Fault> {
        self.left = self.left.checked_sub(bytes).ok_or("would become many times larger than it is")?;
        Ok(())
    }

    fn value(&mut self, id: Id, depth: usize) -> std::result::Result<Value, Fault> {
        if depth > DEEPEST {
            return Err(format!("has values in each other more than {DEEPEST} deep"));
        }
        self.spend(size_of::<Value>())?;
        let arena = self.arena;
        Ok(match &arena[id] {
            Object::None => Value::None,
            Object::Bool(b) => Value::Bool(*b),
            Object::Int(n) => Value::Int(*n),
            Object::Long => return Err("has a whole number of more than 64 bits".into()),
            Object::Float(x) => Value::Float(*x),
            Object::Text(text) => {
                self.spend(text.len())?;
                Value::Text(text.clone())
            }
            Object::Bytes(bytes) => {
                self.spend(bytes.len())?;
                Value::Bytes(bytes.clone())
            }
            Object::List(items) => Value::List(self.values(items, depth)?),
            Object::Tuple(items) => Value::Tuple(self.values(items, depth)?),
            Object::Dict { entries, .. } => {
                let mut read = Vec::new();
                for &(key, value) in entries {
                    read.push((self.value(key, depth + 1)?, self.value(value, depth + 1)?));
                }
                Value::Dict(read)
            }
            Object::Global(name) => return Err(format!("has the function {name} among its values")),
            Object::Storage(_) => return Err("has a storage that is no tensor among its values".into()),
            Object::Tensor(storage, view) => {
                if let Some(tensor) = self.tensors.get(&id) {
                    return Ok(Value::Tensor(tensor.clone()));
                }
                let element = storage.dtype.size();
                let bytes = view.elements().and_then(|n| n.checked_mul(element)).unwrap_or(usize::MAX);
                self.spend(bytes)?;
                let content = (self.fetch)(storage)?;
                let outside = || format!("has a tensor that reaches beyond its storage {}", storage.key);
                let range = storage.start.checked_mul(element).zip(storage.len.checked_mul(element));
                let part = range.and_then(|(start, len)| content.get(start..)?.get(..len)).ok_or_else(outside)?;
                let data = if bytes == content.len() && bytes > 0 && is_whole(view) {
                    content.clone()
                } else {
                    view.gather(part, element).ok_or_else(outside)?.into()
                };
                let tensor = TorchTensor { dtype: storage.dtype, shape: view.shape.clone(), data };
                self.tensors.insert(id, tensor.clone());
                Value::Tensor(tensor)
            }
        })
    }

    fn values(&mut self, items: &[Id], depth: usize) -> std::result::Result<Vec<Value>, Fault> {
        items.iter().map(|&item| self.value(item, depth + 1)).collect()
    }
}

/// Whether a view is its storage, from the first element on, in order.
fn is_whole(view: &super::tensor::View) -> bool {
    let mut run = 1;
    let in_order = view.shape.iter().zip(&view.strides).rev().all(|(&size, &stride)| {
        let fits = size == 1 || stride == run;
        run *= size;
        fits
    });
    view.offset == 0 && in_order
}
