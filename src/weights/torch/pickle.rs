//! The pickle machine: a stack, a memo, and the few functions that tensors are made with.
//!
//! Objects live in one arena and name each other by number, so an object that is shared a thousand times is built once, and one that
//! contains itself is found when the whole is read out, by its depth.

use super::tensor::{TorchType, View};
use std::collections::HashMap;

/// What is wrong with a pickle, as the end of a sentence.
pub(super) type Fault = String;

/// More objects than any checkpoint has.
const MOST_OBJECTS: usize = 1_000_000;

/// Entries and characters that are copied from one object to another; a pickle can ask for the same copy again and again.
const MOST_COPIED: usize = 1 << 22;

/// Where an object lies in the arena.
pub(super) type Id = usize;

/// Something that a pickle builds.
#[derive(Debug, Clone)]
pub(super) enum Object {
    None,
    Bool(bool),
    Int(i64),
    /// A whole number of more than 64 bits.
    Long,
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Dict {
        entries: Vec<(Id, Id)>,
        /// `argparse.Namespace`, whose entries come as attributes.
        namespace: bool,
    },
    /// A function or class, as `module.name`: one of those that are known.
    Global(String),
    Storage(Storage),
    Tensor(Storage, View),
}

/// A storage: where tensors have their bytes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Storage {
    pub dtype: TorchType,
    pub key: String,
    /// Elements.
    pub len: usize,
    /// In streams from before PyTorch 1.6: elements of the storage `key` before this one.
    pub start: usize,
}

/// The functions and classes that are known, besides the storages.
const KNOWN: [&str; 8] = [
    "collections.OrderedDict",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_parameter",
    "torch.Size",
    "torch.device",
    "argparse.Namespace",
    "_codecs.encode",
];

pub(super) struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    pub arena: Vec<Object>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
    copied: usize,
}

impl<'a> Machine<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Machine {
            bytes,
            at: 0,
            arena: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            copied: 0,
        }
    }

    /// Where the next byte is.
    pub fn position(&self) -> usize {
        self.at
    }

    /// Follows one pickle to its end, and gives what it built.
    pub fn run(&mut self) -> Result<Id, Fault> {
        self.stack.clear();
        self.marks.clear();
        self.memo.clear();
        loop {
            if self.arena.len() > MOST_OBJECTS {
                return Err(format!("makes more than {MOST_OBJECTS} objects"));
            }
            let opcode = self.byte()?;
            match opcode {
                b'.' => return self.pop(),
                0x80 => match self.byte()? {
                    2..=5 => {}
                    other => return Err(format!("is a pickle of protocol {other}, not 2 to 5")),
                },
                0x95 => drop(self.take(8)?), // a frame: its length is not needed
                b'(' => self.marks.push(self.stack.len()),
                b'0' => drop(self.pop()?),
                b'1' => drop(self.popped_to_mark()?),
                b'2' => self.stack.push(self.top()?),
                b'N' => self.push(Object::None),
                0x88 => self.push(Object::Bool(true)),
                0x89 => self.push(Object::Bool(false)),
                b'J' => {
                    let number = i32::from_le_bytes(self.array()?);
                    self.push(Object::Int(number.into()));
                }
                b'K' => {
                    let number = self.byte()?;
                    self.push(Object::Int(number.into()));
                }
                b'M' => {
                    let number = u16::from_le_bytes(self.array()?);
                    self.push(Object::Int(number.into()));
                }
                0x8a => {
                    let length = self.byte()?.into();
                    self.long(length)?;
                }
                0x8b => {
                    let length = self.length4()?;
                    self.long(length)?;
                }
                b'G' => {
                    let number = f64::from_be_bytes(self.array()?);
                    self.push(Object::Float(number));
                }
                b'X' | b'T' => {
                    let length = self.length4()?;
                    self.text(length)?;
                }
                0x8c | b'U' => {
                    let length = self.byte()?.into();
                    self.text(length)?;
                }
                0x8d => {
                    let length = self.length8()?;
                    self.text(length)?;
                }
                b'B' => {
                    let length = self.length4()?;
                    self.blob(length)?;
                }
                b'C' => {
                    let length = self.byte()?.into();
                    self.blob(length)?;
                }
                0x8e => {
                    let length = self.length8()?;
                    self.blob(length)?;
                }
                b']' => self.push(Object::List(Vec::new())),
                b')' => self.push(Object::Tuple(Vec::new())),
                b'}' => self.push(Object::Dict { entries: Vec::new(), namespace: false }),
                b'a' => {
                    let item = self.pop()?;
                    self.append(vec![item])?;
                }
                b'e' => {
                    let items = self.popped_to_mark()?;
                    self.append(items)?;
                }
                b's' => {
                    let (value, key) = (self.pop()?, self.pop()?);
                    self.set_items(&[key, value])?;
                }
                b'u' => {
                    let items = self.popped_to_mark()?;
                    self.set_items(&items)?;
                }
                b'l' => {
                    let items = self.popped_to_mark()?;
                    self.push(Object::List(items));
                }
                b'd' => {
                    let items = self.popped_to_mark()?;
                    self.push(Object::Dict { entries: Vec::new(), namespace: false });
                    self.set_items(&items)?;
                }
                b't' => {
                    let items = self.popped_to_mark()?;
                    self.push(Object::Tuple(items));
                }
                0x85..=0x87 => {
                    let from = self.stack.len().checked_sub(usize::from(opcode - 0x84)).ok_or_else(underflow)?;
                    self.above_mark(from)?;
                    let items = self.stack.split_off(from);
                    self.push(Object::Tuple(items));
                }
                b'q' => {
                    let slot = self.byte()?.into();
                    self.memo.insert(slot, self.top()?);
                }
                b'r' => {
                    let slot = u32::from_le_bytes(self.array()?);
                    self.memo.insert(slot, self.top()?);
                }
                0x94 => {
                    let slot = u32::try_from(self.memo.len()).map_err(|e| e.to_string())?;
                    self.memo.insert(slot, self.top()?);
                }
                b'h' => {
                    let slot = self.byte()?.into();
                    self.recall(slot)?;
                }
                b'j' => {
                    let slot = u32::from_le_bytes(self.array()?);
                    self.recall(slot)?;
                }
                b'c' => {
                    let (module, name) = (self.line()?, self.line()?);
                    self.global(&module, &name)?;
                }
                0x93 => {
                    let (name, module) = (self.pop()?, self.pop()?);
                    let (module, name) = (self.str(module)?.to_string(), self.str(name)?.to_string());
                    self.global(&module, &name)?;
                }
                b'R' | 0x81 => {
                    let (arguments, function) = (self.pop()?, self.pop()?);
                    self.call(function, arguments)?;
                }
                b'b' => {
                    let state = self.pop()?;
                    self.build(state)?;
                }
                b'Q' => {
                    let id = self.pop()?;
                    self.persistent(id)?;
                }
                other => return Err(format!("uses the pickle instruction 0x{other:02x}, which checkpoints do not")),
            }
        }
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8], Fault> {
        let end = self.at.checked_add(n).filter(|&end| end <= self.bytes.len());
        let end = end.ok_or_else(|| "ends in the middle of its pickle".to_string())?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let taken = self.take(N)?;
        taken.try_into().map_err(|_| underflow())
    }

    fn byte(&mut self) -> Result<u8, Fault> {
        Ok(self.array::<1>()?[0])
    }

    fn length4(&mut self) -> Result<usize, Fault> {
        usize::try_from(u32::from_le_bytes(self.array()?)).map_err(|e| e.to_string())
    }

    fn length8(&mut self) -> Result<usize, Fault> {
        usize::try_from(u64::from_le_bytes(self.array()?)).map_err(|e| e.to_string())
    }

    /// Text up to the end of a line, as names of functions are written.
    fn line(&mut self) -> Result<String, Fault> {
        let rest = &self.bytes[self.at..];
        let end = rest.iter().take(1000).position(|&b| b == b'\n');
        let end = end.ok_or_else(|| "has a name without an end in its pickle".to_string())?;
        let line = self.take(end + 1)?;
        Ok(String::from_utf8_lossy(&line[..end]).into_owned())
    }

    fn push(&mut self, object: Object) {
        self.arena.push(object);
        self.stack.push(self.arena.len() - 1);
    }

    /// Whether `from` is above the last mark: what lies below it is not to be taken.
    fn above_mark(&self, from: usize) -> Result<(), Fault> {
        if self.marks.last().is_some_and(|&mark| from < mark) { Err(underflow()) } else { Ok(()) }
    }

    fn pop(&mut self) -> Result<Id, Fault> {
        self.above_mark(self.stack.len().saturating_sub(1))?;
        self.stack.pop().ok_or_else(underflow)
    }

    fn top(&self) -> Result<Id, Fault> {
        self.stack.last().copied().ok_or_else(underflow)
    }

    fn popped_to_mark(&mut self) -> Result<Vec<Id>, Fault> {
        let mark = self.marks.pop().ok_or_else(underflow)?;
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    fn recall(&mut self, slot: u32) -> Result<(), Fault> {
        let id = self.memo.get(&slot).ok_or_else(|| format!("recalls object {slot}, which it did not make"))?;
        self.stack.push(*id);
        Ok(())
    }

    fn long(&mut self, length: usize) -> Result<(), Fault> {
        let bytes = self.take(length)?;
        let object = if length <= 8 {
            let fill = if bytes.last().is_some_and(|b| b & 0x80 != 0) { 0xff } else { 0 };
            let mut wide = [fill; 8];
            wide[..length].copy_from_slice(bytes);
            Object::Int(i64::from_le_bytes(wide))
        } else {
            Object::Long
        };
        self.push(object);
        Ok(())
    }

    fn text(&mut self, length: usize) -> Result<(), Fault> {
        let text = String::from_utf8_lossy(self.take(length)?).into_owned();
        self.push(Object::Text(text));
        Ok(())
    }

    fn blob(&mut self, length: usize) -> Result<(), Fault> {
        let bytes = self.take(length)?.to_vec();
        self.push(Object::Bytes(bytes));
        Ok(())
    }

    fn append(&mut self, items: Vec<Id>) -> Result<(), Fault> {
        let list = self.top()?;
        match &mut self.arena[list] {
            Object::List(list) => list.extend(items),
            _ => return Err("appends to something that is no list".into()),
        }
        Ok(())
    }

    fn set_items(&mut self, items: &[Id]) -> Result<(), Fault> {
        let dict = self.top()?;
        match &mut self.arena[dict] {
            Object::Dict { entries, .. } if items.len().is_multiple_of(2) => {
                entries.extend(items.chunks_exact(2).map(|pair| (pair[0], pair[1])));
                Ok(())
            }
            _ => Err("sets items of something that is no dictionary".into()),
        }
    }

    /// Counts `n` entries or characters that are about to be copied.
    fn copies(&mut self, n: usize) -> Result<(), Fault> {
        self.copied = self.copied.saturating_add(n);
        if self.copied > MOST_COPIED { Err("copies its objects without end".into()) } else { Ok(()) }
    }

    fn str(&self, id: Id) -> Result<&str, Fault> {
        match &self.arena[id] {
            Object::Text(text) => Ok(text),
            _ => Err("has something else where text should be".into()),
        }
    }

    fn size(&self, id: Id) -> Result<usize, Fault> {
        match &self.arena[id] {
            Object::Int(n) => usize::try_from(*n).map_err(|_| format!("has a size or stride of {n}")),
            _ => Err("has something else where a size should be".into()),
        }
    }

    fn items(&self, id: Id) -> Result<&[Id], Fault> {
        match &self.arena[id] {
            Object::Tuple(items) | Object::List(items) => Ok(items),
            _ => Err("has something else where a tuple should be".into()),
        }
    }

    fn sizes(&self, id: Id) -> Result<Vec<usize>, Fault> {
        let items = self.items(id)?;
        if items.len() > 32 {
            return Err(format!("has a tensor of {} dimensions", items.len()));
        }
        items.iter().map(|&item| self.size(item)).collect()
    }

    fn global(&mut self, module: &str, name: &str) -> Result<(), Fault> {
        let full = format!("{module}.{name}");
        let storage = module == "torch" && TorchType::of_storage(name).is_some();
        if storage || KNOWN.contains(&full.as_str()) {
            self.push(Object::Global(full));
            return Ok(());
        }
        let dtypes = ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool"];
        if module == "torch" && dtypes.contains(&name) {
            self.push(Object::Text(full)); // a type as a value: its name
            return Ok(());
        }
        let full: String = full.chars().filter(|c| !c.is_control()).take(100).collect();
        Err(format!("asks for {full}, which weights do not need; it was not run"))
    }

    fn call(&mut self, function: Id, arguments: Id) -> Result<(), Fault> {
        let Object::Global(name) = &self.arena[function] else {
            return Err("calls something that is no function".into());
        };
        let name = name.clone();
        self.copies(self.items(arguments)?.len())?;
        let arguments = self.items(arguments)?.to_vec();
        let wrong = || format!("calls {name} with {} arguments", arguments.len());
        match (name.as_str(), arguments.as_slice()) {
            ("collections.OrderedDict", []) => self.push(Object::Dict { entries: Vec::new(), namespace: false }),
            ("collections.OrderedDict", [pairs]) => {
                self.copies(self.items(*pairs)?.len())?;
                let pairs = self.items(*pairs)?.to_vec();
                let flat: Vec<Id> = pairs
                    .iter()
                    .map(|&pair| {
                        self.items(pair).and_then(|p| if p.len() == 2 { Ok(p.to_vec()) } else { Err(wrong()) })
                    })
                    .collect::<Result<Vec<_>, _>>()?
                    .concat();
                self.push(Object::Dict { entries: Vec::new(), namespace: false });
                self.set_items(&flat)?;
            }
            ("argparse.Namespace", []) => self.push(Object::Dict { entries: Vec::new(), namespace: true }),
            (
                "torch._utils._rebuild_tensor_v2" | "torch._utils._rebuild_tensor",
                [storage, offset, shape, strides, ..],
            ) => {
                let Object::Storage(storage) = &self.arena[*storage] else { return Err(wrong()) };
                let storage = storage.clone();
                self.copies(storage.key.len())?;
                let view =
                    View { offset: self.size(*offset)?, shape: self.sizes(*shape)?, strides: self.sizes(*strides)? };
                if view.shape.len() != view.strides.len() {
                    return Err("has a tensor with more or fewer strides than dimensions".into());
                }
                self.push(Object::Tensor(storage, view));
            }
            ("torch._utils._rebuild_parameter", [tensor, ..]) => self.stack.push(*tensor),
            ("torch.Size", [sizes]) => self.stack.push(*sizes),
            ("torch.device", [kind, ..]) => self.stack.push(*kind),
            ("_codecs.encode", [text, ..]) => {
                // Bytes, as protocol 2 writes them: each character is a byte.
                self.copies(self.str(*text)?.len())?;
                let bytes: Result<Vec<u8>, _> = self.str(*text)?.chars().map(|c| u8::try_from(c as u32)).collect();
                self.push(Object::Bytes(bytes.map_err(|_| wrong())?));
            }
            _ => return Err(wrong()),
        }
        Ok(())
    }

    /// Gives an object its attributes: those of a `Namespace` are its entries, those of a dictionary (`_metadata`) are not needed.
    fn build(&mut self, state: Id) -> Result<(), Fault> {
        let object = self.top()?;
        let Object::Dict { namespace, .. } = self.arena[object] else {
            return Err("gives attributes to something that has none".into());
        };
        if namespace {
            let Object::Dict { entries: given, .. } = &self.arena[state] else {
                return Err("gives a Namespace something that is no dictionary".into());
            };
            let given = given.clone();
            self.copies(given.len())?;
            if let Object::Dict { entries, .. } = &mut self.arena[object] {
                entries.extend(given);
            }
        }
        Ok(())
    }

    /// A storage: `("storage", type, key, place, elements[, part])`.
    fn persistent(&mut self, id: Id) -> Result<(), Fault> {
        self.copies(self.items(id)?.len())?;
        let parts = self.items(id)?.to_vec();
        let (Some([kind, class, key, _, len]), rest) = (parts.first_chunk::<5>(), &parts[parts.len().min(5)..]) else {
            return Err("names a storage in an unknown way".into());
        };
        if self.str(*kind)? != "storage" {
            return Err("names something that is no storage".into());
        }
        let dtype = match &self.arena[*class] {
            Object::Global(name) => name.strip_prefix("torch.").and_then(TorchType::of_storage),
            _ => None,
        };
        let dtype = dtype.ok_or_else(|| "has a storage of an unknown type".to_string())?;
        self.copies(self.str(*key)?.len())?;
        let mut storage = Storage { dtype, key: self.str(*key)?.to_string(), len: self.size(*len)?, start: 0 };
        if let Some(part) = rest.first().filter(|part| !matches!(self.arena[**part], Object::None)) {
            let &[_, start, len] = self.items(*part)? else {
                return Err("names a part of a storage in an unknown way".into());
            };
            (storage.start, storage.len) = (self.size(start)?, self.size(len)?);
        }
        self.push(Object::Storage(storage));
        Ok(())
    }
}

fn underflow() -> Fault {
    "has a damaged pickle".into()
}
