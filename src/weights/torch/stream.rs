//! The container before PyTorch 1.6: a sequence of pickles, then the storages.
//!
//! The pickles are the magic number, the protocol, information about the machine, the object, and the keys of its storages. Then each
//! storage follows as its number of elements, in eight bytes, and the elements.

use crate::weights::torch::Value;
use crate::weights::torch::pickle::{Fault, Id, MOST_PICKLE, Machine, Object, Storage, shown};
use crate::weights::torch::reader::{Content, Reader};
use std::collections::HashMap;

/// Reads a stream.
pub(super) fn read(bytes: &[u8]) -> Result<Value, Fault> {
    let mut machine = Machine::new(&bytes[..bytes.len().min(MOST_PICKLE)]);
    machine.run()?; // the magic number, which has already been compared
    let protocol = machine.run()?;
    if !matches!(machine.arena[protocol], Object::Int(1001)) {
        return Err("is a torch.save stream of an unknown version".into());
    }
    let facts = machine.run()?;
    if let Object::Dict { entries, .. } = &machine.arena[facts] {
        let is = |id: Id, text: &str| matches!(&machine.arena[id], Object::Text(t) if t == text);
        let big =
            |&(key, value): &(Id, Id)| is(key, "little_endian") && matches!(machine.arena[value], Object::Bool(false));
        if entries.iter().any(big) {
            return Err("has its numbers in another byte order; save it again on a little-endian machine".into());
        }
    }
    let root = machine.run()?;
    let keys = machine.run()?;
    let Object::List(keys) = &machine.arena[keys] else { return Err("has no list of its storages".into()) };
    let mut sizes: HashMap<&str, usize> = HashMap::new();
    for object in &machine.arena {
        if let Object::Storage(storage) = object {
            let size = storage.dtype.size();
            if *sizes.entry(&storage.key).or_insert(size) != size {
                return Err(format!("has its storage {} with two types", shown(&storage.key)));
            }
        }
    }
    let mut storages: HashMap<&str, &[u8]> = HashMap::new();
    let mut rest = &bytes[machine.position()..];
    for &key in keys {
        let Object::Text(key) = &machine.arena[key] else { return Err("has a storage without a name".into()) };
        let element = sizes.get(key.as_str());
        let element = *element.ok_or_else(|| format!("has a storage {} that nothing uses", shown(key)))?;
        let (elements, after) = rest.split_first_chunk::<8>().ok_or("ends before its storages do")?;
        let length = usize::try_from(i64::from_le_bytes(*elements)).ok().and_then(|n| n.checked_mul(element));
        let length = length.filter(|&n| n <= after.len()).ok_or("ends before its storages do")?;
        let (content, after) = after.split_at(length);
        if storages.insert(key, content).is_some() {
            return Err(format!("has its storage {} twice", shown(key)));
        }
        rest = after;
    }
    let fetch = |storage: &Storage| -> Result<Content<'_>, Fault> {
        let content = storages.get(storage.key.as_str()).copied();
        content.map(Content::Part).ok_or_else(|| format!("lacks its storage {}", shown(&storage.key)))
    };
    Reader::new(&machine.arena, bytes.len(), fetch).value(root, 0)
}
