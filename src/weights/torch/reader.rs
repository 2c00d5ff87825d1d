//! Converts the objects of a pickle to values.
//!
//! A pickle can refer to one object many times, and a tensor can repeat one element many times (a stride of 0). Therefore the size of the
//! result is counted, and more than a multiple of the file size is refused.

use crate::weights::torch::pickle::{Fault, Id, Object, Storage, shown};
use crate::weights::torch::{TorchTensor, Value};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Largest nesting depth of values.
const DEEPEST: usize = 64;

/// Number of bytes that the values of even a small file may take; its tensors may take as many again.
const ROOM: usize = 16 << 20;

/// The bytes of a storage.
pub(super) enum Content<'a> {
    /// A part of a larger buffer.
    Part(&'a [u8]),
    /// A buffer of their own, which a tensor can share.
    Shared(Arc<Vec<u8>>),
}

/// Reads values from an arena.
pub(super) struct Reader<'a, F> {
    arena: &'a [Object],
    fetch: F,
    /// Bytes that values may still take: 16 times the file size (a pickle stores most values in two to nine bytes), at most about half a
    /// gigabyte.
    values: usize,
    /// Bytes that tensors may still take, not counting those that share a storage: twice the file size.
    tensors: usize,
    read: HashMap<Id, TorchTensor>,
    /// Storages of a stream that are used completely by a tensor.
    whole: HashMap<&'a str, Arc<Vec<u8>>>,
}

fn spend(left: &mut usize, bytes: usize) -> Result<(), Fault> {
    *left = left.checked_sub(bytes).ok_or("would become many times larger than it is")?;
    Ok(())
}

impl<'a, 'b, F: FnMut(&Storage) -> Result<Content<'b>, Fault>> Reader<'a, F> {
    /// A reader for a file of `file` bytes, which obtains storages through `fetch`.
    pub fn new(arena: &'a [Object], file: usize, fetch: F) -> Self {
        let values = file.min(32 << 20) * 16 + ROOM;
        let tensors = file.saturating_mul(2).saturating_add(ROOM);
        Reader { arena, fetch, values, tensors, read: HashMap::new(), whole: HashMap::new() }
    }

    /// The value of an object that is nested in `depth` others.
    pub fn value(&mut self, id: Id, depth: usize) -> Result<Value, Fault> {
        if depth > DEEPEST {
            return Err(format!("has values nested more than {DEEPEST} deep"));
        }
        let arena = self.arena;
        Ok(match &arena[id] {
            Object::None => Value::None,
            Object::Bool(b) => Value::Bool(*b),
            Object::Int(n) => Value::Int(*n),
            Object::Long => return Err("has an integer of more than 64 bits".into()),
            Object::Float(x) => Value::Float(*x),
            Object::Text(text) => {
                spend(&mut self.values, text.len())?;
                Value::Text(text.clone())
            }
            Object::Bytes(bytes) => {
                spend(&mut self.values, bytes.len())?;
                Value::Bytes(bytes.clone())
            }
            Object::List(items) => Value::List(self.all(items, depth)?),
            Object::Tuple(items) => Value::Tuple(self.all(items, depth)?),
            Object::Dict { entries, .. } => Value::Dict(self.entries(entries, depth)?),
            Object::Global(name) => return Err(format!("has the function {name} among its values")),
            Object::NumpyType(_) => return Err("has a numpy type among its values".into()),
            Object::Storage(_) => return Err("has a storage that is not a tensor among its values".into()),
            Object::Tensor(_) => Value::Tensor(self.tensor(id)?),
        })
    }

    fn all(&mut self, items: &[Id], depth: usize) -> Result<Vec<Value>, Fault> {
        spend(&mut self.values, items.len().saturating_mul(size_of::<Value>()))?;
        let mut values = Vec::with_capacity(items.len());
        for &item in items {
            values.push(self.value(item, depth + 1)?);
        }
        Ok(values)
    }

    fn entries(&mut self, entries: &[(Id, Id)], depth: usize) -> Result<Vec<(Value, Value)>, Fault> {
        spend(&mut self.values, entries.len().saturating_mul(2 * size_of::<Value>()))?;
        let mut values = Vec::with_capacity(entries.len());
        let mut names = HashSet::with_capacity(entries.len());
        for &(key, value) in entries {
            // No pickler writes a key twice, and readers would differ in which of the two they use.
            if let Object::Text(name) = &self.arena[key]
                && !names.insert(name.as_str())
            {
                return Err(format!("has the key {} twice in one dictionary", shown(name)));
            }
            values.push((self.value(key, depth + 1)?, self.value(value, depth + 1)?));
        }
        Ok(values)
    }

    fn tensor(&mut self, id: Id) -> Result<TorchTensor, Fault> {
        let arena = self.arena;
        let Object::Tensor(tensor) = &arena[id] else {
            return Err("has something else where a tensor should be".into());
        };
        let (storage, view) = &**tensor;
        spend(&mut self.values, size_of_val(view.shape.as_slice()))?;
        if let Some(tensor) = self.read.get(&id) {
            return Ok(tensor.clone());
        }
        let outside = || format!("has a tensor that reaches beyond its storage {}", shown(&storage.key));
        let element = storage.dtype.size();
        let bytes = view.elements().and_then(|n| n.checked_mul(element)).unwrap_or(usize::MAX);
        let content = (self.fetch)(storage)?;
        let all: &[u8] = match &content {
            Content::Part(part) => part,
            Content::Shared(shared) => shared,
        };
        let range = storage.start.checked_mul(element).zip(storage.len.checked_mul(element));
        let part = range.and_then(|(start, len)| all.get(start..)?.get(..len)).ok_or_else(outside)?;
        let whole = bytes > 0 && bytes == part.len() && bytes == all.len() && view.is_in_order();
        let data = match (&content, self.whole.get(storage.key.as_str())) {
            (Content::Shared(shared), _) if whole => shared.clone(),
            (Content::Part(_), Some(shared)) if whole => shared.clone(),
            _ => {
                spend(&mut self.tensors, bytes)?;
                Arc::new(view.gather(part, element).ok_or_else(outside)?)
            }
        };
        if whole && let Content::Part(_) = content {
            self.whole.insert(&storage.key, data.clone());
        }
        let tensor = TorchTensor { dtype: storage.dtype, shape: view.shape.clone(), data };
        self.read.insert(id, tensor.clone());
        Ok(tensor)
    }
}
