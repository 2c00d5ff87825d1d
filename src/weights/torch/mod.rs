//! Files of PyTorch: what `torch.save` wrote, read without running anything.
//!
//! Such a file is a *pickle*, a program that builds objects, beside the bytes of tensors: a zip since PyTorch 1.6, one stream before. The
//! program is followed only as far as dictionaries, lists, numbers, text and tensors go; it can name functions, and any that
//! tensors do not need is refused by its name. Every length, offset and stride is checked, nesting is bounded, and what is built is
//! bounded by a multiple of the file, so a hostile file is an error and nothing more.
//!
//! Pickles of protocols 1 to 5 are read (0 has no way to name a storage), stored and deflated entries of zips, and tensors of ten types.
//! Complex and quantised tensors, files of big-endian machines and the tar of PyTorch 0.1 are refused by name.

mod archive;
mod container;
mod pickle;
mod reader;
mod stream;
mod tensor;
#[cfg(test)]
mod tests;
mod write;

pub use container::{is_torch_file, read_bytes, read_torch};
pub use tensor::{TorchTensor, TorchType};
pub use write::write_torch;

/// What a file of PyTorch holds. `OrderedDict` and `argparse.Namespace` are dictionaries here.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `None`.
    None,
    /// A truth value.
    Bool(bool),
    /// A whole number of 64 bits.
    Int(i64),
    /// A float of 64 bits.
    Float(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A list.
    List(Vec<Value>),
    /// A tuple.
    Tuple(Vec<Value>),
    /// A dictionary, in its order.
    Dict(Vec<(Value, Value)>),
    /// A tensor.
    Tensor(TorchTensor),
}

impl Value {
    /// The value under a name, of a dictionary.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.entries().iter().find(|(key, _)| key.as_str() == Some(name)).map(|(_, value)| value)
    }

    /// The entries of a dictionary; none of anything else.
    pub fn entries(&self) -> &[(Value, Value)] {
        if let Value::Dict(entries) = self { entries } else { &[] }
    }

    /// Text.
    pub fn as_str(&self) -> Option<&str> {
        if let Value::Text(text) = self { Some(text) } else { None }
    }

    /// A whole number.
    pub fn as_i64(&self) -> Option<i64> {
        if let Value::Int(number) = self { Some(*number) } else { None }
    }

    /// A float, or a whole number as one.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Float(number) => Some(*number),
            Value::Int(number) => Some(*number as f64),
            _ => None,
        }
    }

    /// A truth value.
    pub fn as_bool(&self) -> Option<bool> {
        if let Value::Bool(truth) = self { Some(*truth) } else { None }
    }

    /// A tensor.
    pub fn as_tensor(&self) -> Option<&TorchTensor> {
        if let Value::Tensor(tensor) = self { Some(tensor) } else { None }
    }
}
