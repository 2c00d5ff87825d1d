//! The pickle machine: a stack, a memo, and the objects that it creates.
//!
//! Objects are stored in one arena and refer to each other by index. Thus an object that is shared a thousand times is built once, and one
//! that contains itself is detected by its nesting depth when the values are read.

mod calls;

use crate::weights::torch::tensor::{TorchType, View};
use std::collections::HashMap;

/// A description of what is wrong with a pickle, as the end of a sentence.
pub(super) type Fault = String;

/// Largest size of a pickle in bytes, more than that of any checkpoint: tensors are not part of it.
pub(super) const MOST_PICKLE: usize = 64 << 20;

/// Largest number of objects, more than any checkpoint has.
const MOST_OBJECTS: usize = 1_000_000;

/// Largest number of entries and characters copied from one object to another; a pickle can request the same copy repeatedly.
const MOST_COPIED: usize = 1 << 22;

/// The index of an object in the arena.
pub(super) type Id = usize;

/// Something that a pickle builds.
#[derive(Debug, Clone)]
pub(super) enum Object {
    None,
    Bool(bool),
    Int(i64),
    /// An integer of more than 64 bits.
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
    /// A supported function or class, as `module.name`.
    Global(String),
    /// `numpy.dtype`, by its name, such as `f8`.
    NumpyType(String),
    Storage(Box<Storage>),
    Tensor(Box<(Storage, View)>),
}

/// A storage: the place of the bytes of tensors.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Storage {
    pub dtype: TorchType,
    pub key: String,
    /// Number of elements.
    pub len: usize,
    /// In streams from before PyTorch 1.6: number of elements of the storage `key` before this part.
    pub start: usize,
}

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

    /// The position of the next byte.
    pub fn position(&self) -> usize {
        self.at
    }

    /// Executes one pickle to its end, and returns the object it built.
    pub fn run(&mut self) -> Result<Id, Fault> {
        self.stack.clear();
        self.marks.clear();
        self.memo.clear();
        loop {
            if self.arena.len().max(self.stack.len()).max(self.memo.len()) > MOST_OBJECTS {
                return Err(format!("makes more than {MOST_OBJECTS} objects"));
            }
            let opcode = self.byte()?;
            match opcode {
                b'.' => return self.pop(),
                0x80 => match self.byte()? {
                    1..=5 => {}
                    other => return Err(format!("is a pickle of protocol {other}, not 1 to 5")),
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
                b'I' | b'L' => {
                    let line = self.line()?;
                    self.number(&line)?;
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

    /// Reads text up to the end of a line; this is how function names are written.
    fn line(&mut self) -> Result<String, Fault> {
        let rest = &self.bytes[self.at..];
        let end = rest.iter().take(1000).position(|&b| b == b'\n');
        let end = end.ok_or_else(|| "has a name without an end in its pickle".to_string())?;
        let line = self.take(end + 1)?;
        utf8(&line[..end])
    }

    fn push(&mut self, object: Object) {
        self.arena.push(object);
        self.stack.push(self.arena.len() - 1);
    }

    /// Returns an error unless `from` is above the last mark: objects below it must not be taken.
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

    /// Pushes an integer written in digits, as protocol 1 writes long ones, or a boolean: `01` and `00`.
    fn number(&mut self, line: &str) -> Result<(), Fault> {
        let object = match line {
            "00" => Object::Bool(false),
            "01" => Object::Bool(true),
            _ => line.trim_end_matches('L').parse().map(Object::Int).map_err(|_| underflow())?,
        };
        self.push(object);
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
        let text = utf8(self.take(length)?)?;
        self.push(Object::Text(text));
        Ok(())
    }

    fn blob(&mut self, length: usize) -> Result<(), Fault> {
        let bytes = self.take(length)?.to_vec();
        self.push(Object::Bytes(bytes));
        Ok(())
    }

    fn append(&mut self, items: Vec<Id>) -> Result<(), Fault> {
        self.copies(items.len())?;
        let list = self.top()?;
        match &mut self.arena[list] {
            Object::List(list) => list.extend(items),
            _ => return Err("appends to something that is not a list".into()),
        }
        Ok(())
    }

    fn set_items(&mut self, items: &[Id]) -> Result<(), Fault> {
        self.copies(items.len())?;
        let dict = self.top()?;
        match &mut self.arena[dict] {
            Object::Dict { entries, .. } if items.len().is_multiple_of(2) => {
                entries.extend(items.chunks_exact(2).map(|pair| (pair[0], pair[1])));
                Ok(())
            }
            _ => Err("sets items of something that is not a dictionary".into()),
        }
    }

    /// Counts `n` entries or characters that are about to be copied.
    fn copies(&mut self, n: usize) -> Result<(), Fault> {
        self.copied = self.copied.saturating_add(n);
        if self.copied > MOST_COPIED { Err("copies its objects endlessly".into()) } else { Ok(()) }
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
}

/// Text of a file, shortened to one line that can be shown in a message.
pub(super) fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}

fn utf8(bytes: &[u8]) -> Result<String, Fault> {
    std::str::from_utf8(bytes).map(String::from).map_err(|_| "has text that is not UTF-8".into())
}

fn underflow() -> Fault {
    "has a damaged pickle".into()
}
