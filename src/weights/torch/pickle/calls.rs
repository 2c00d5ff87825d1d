//! The functions and classes that a pickle may name, and what is done in their place.

use crate::weights::torch::pickle::{Fault, Id, Machine, Object, Storage, shown};
use crate::weights::torch::tensor::{TorchType, View};

/// The functions and classes that are known, besides the storages.
const KNOWN: [&str; 11] = [
    "collections.OrderedDict",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_parameter",
    "torch.Size",
    "torch.device",
    "argparse.Namespace",
    "_codecs.encode",
    "numpy.dtype",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
];

impl Machine<'_> {
    /// Pushes a function or class given by name; an unsupported one is refused.
    pub(super) fn global(&mut self, module: &str, name: &str) -> Result<(), Fault> {
        let full = format!("{module}.{name}");
        let storage = module == "torch" && TorchType::of_storage(name).is_some();
        if storage || KNOWN.contains(&full.as_str()) {
            self.push(Object::Global(full));
            return Ok(());
        }
        let dtypes = ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool"];
        if module == "torch" && dtypes.contains(&name) {
            self.push(Object::Text(full)); // a type used as a value is represented by its name
            return Ok(());
        }
        let full = shown(&full);
        if module == "torch" && name.ends_with("Storage") {
            return Err(format!("has tensors in a {full}, which cannot be read; save them as float32"));
        }
        Err(format!("asks for {full}, which weights do not need; it was not run"))
    }

    /// Pushes the result of a function for its arguments.
    pub(super) fn call(&mut self, function: Id, arguments: Id) -> Result<(), Fault> {
        let Object::Global(name) = &self.arena[function] else {
            return Err("calls something that is not a function".into());
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
                // The argument after requires_grad and the hooks: marks, for example that all signs are to be negated.
                if let Some(marks) = arguments.get(6)
                    && !matches!(&self.arena[*marks], Object::Dict { entries, .. } if entries.is_empty())
                    && !matches!(self.arena[*marks], Object::None)
                {
                    return Err("has a tensor with marks of its own; save a clone of it".into());
                }
                let Object::Storage(storage) = &self.arena[*storage] else { return Err(wrong()) };
                let storage = Storage::clone(storage);
                self.copies(storage.key.len() + self.items(*shape)?.len() + self.items(*strides)?.len())?;
                let view =
                    View { offset: self.size(*offset)?, shape: self.sizes(*shape)?, strides: self.sizes(*strides)? };
                if view.shape.len() != view.strides.len() {
                    return Err("has a tensor with more or fewer strides than dimensions".into());
                }
                self.push(Object::Tensor(Box::new((storage, view))));
            }
            ("torch._utils._rebuild_parameter", [tensor, ..]) => self.stack.push(*tensor),
            ("torch.Size", [sizes]) => self.stack.push(*sizes),
            ("torch.device", [kind, ..]) => self.stack.push(*kind),
            ("_codecs.encode", [text, ..]) => {
                // Bytes as written by protocol 2: each character is one byte.
                self.copies(self.str(*text)?.len())?;
                let bytes: Result<Vec<u8>, _> = self.str(*text)?.chars().map(|c| u8::try_from(c as u32)).collect();
                self.push(Object::Bytes(bytes.map_err(|_| wrong())?));
            }
            ("numpy.dtype", [name, ..]) => {
                self.copies(self.str(*name)?.len())?;
                self.push(Object::NumpyType(self.str(*name)?.to_string()));
            }
            ("numpy.core.multiarray.scalar" | "numpy._core.multiarray.scalar", [dtype, bytes]) => {
                let (Object::NumpyType(dtype), Object::Bytes(bytes)) = (&self.arena[*dtype], &self.arena[*bytes])
                else {
                    return Err(wrong());
                };
                self.push(scalar(dtype, bytes)?);
            }
            _ => return Err(wrong()),
        }
        Ok(())
    }

    /// Sets the attributes of an object: those of a `Namespace` become its entries, those of a dictionary (`_metadata`) are not needed.
    pub(super) fn build(&mut self, state: Id) -> Result<(), Fault> {
        let object = self.top()?;
        let namespace = match &self.arena[object] {
            Object::Dict { namespace, .. } => *namespace,
            // (version, byte order, ...)
            Object::NumpyType(_) => match self.items(state)? {
                &[_, order, ..] if matches!(self.str(order)?, "<" | "|") => return Ok(()),
                _ => return Err("has numpy numbers in another byte order".into()),
            },
            _ => return Err("sets attributes of something that has none".into()),
        };
        if namespace {
            let Object::Dict { entries: given, .. } = &self.arena[state] else {
                return Err("gives a Namespace something that is not a dictionary".into());
            };
            let given = given.clone();
            self.copies(given.len())?;
            if let Object::Dict { entries, .. } = &mut self.arena[object] {
                entries.extend(given);
            }
        }
        Ok(())
    }

    /// Pushes a storage: `("storage", type, key, location, elements[, part])`.
    pub(super) fn persistent(&mut self, id: Id) -> Result<(), Fault> {
        self.copies(self.items(id)?.len())?;
        let parts = self.items(id)?.to_vec();
        let (Some([kind, class, key, _, len]), rest) = (parts.first_chunk::<5>(), &parts[parts.len().min(5)..]) else {
            return Err("names a storage in an unknown way".into());
        };
        if self.str(*kind)? != "storage" {
            return Err("names something that is not a storage".into());
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
        self.push(Object::Storage(Box::new(storage)));
        Ok(())
    }
}

/// A numpy scalar.
fn scalar(dtype: &str, bytes: &[u8]) -> Result<Object, Fault> {
    let number = match (dtype, bytes) {
        ("b1", &[byte]) => Some(Object::Bool(byte != 0)),
        ("u1", &[byte]) => Some(Object::Int(byte.into())),
        ("i1", &[byte]) => Some(Object::Int(i8::from_le_bytes([byte]).into())),
        ("i2", _) => bytes.try_into().ok().map(|b| Object::Int(i16::from_le_bytes(b).into())),
        ("i4", _) => bytes.try_into().ok().map(|b| Object::Int(i32::from_le_bytes(b).into())),
        ("i8", _) => bytes.try_into().ok().map(|b| Object::Int(i64::from_le_bytes(b))),
        ("f4", _) => bytes.try_into().ok().map(|b| Object::Float(f32::from_le_bytes(b).into())),
        ("f8", _) => bytes.try_into().ok().map(|b| Object::Float(f64::from_le_bytes(b))),
        _ => None,
    };
    number.ok_or_else(|| format!("has a numpy number of type {}, which cannot be read", shown(dtype)))
}
