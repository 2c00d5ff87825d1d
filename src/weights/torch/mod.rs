//! PyTorch files: reads what `torch.save` wrote, without running any code.
//!
//! Such a file consists of a *pickle*, a program that builds objects, and the bytes of tensors: a zip since PyTorch 1.6, one stream before.
//! The program is executed only as far as dictionaries, lists, numbers, text and tensors require. It can name functions; any function
//! that tensors do not need is refused, and the error names it. Every length, offset and stride is checked, nesting is bounded, and the
//! size of the result is bounded by a multiple of the file size, so that a hostile file causes an error and nothing more.
//!
//! Supported are pickles of protocols 1 to 5 (0 has no way to name a storage), stored and deflated zip entries, and tensors of ten types.
//! Complex and quantized tensors, files of big-endian machines and the tar files of PyTorch 0.1 are refused; the errors name them.

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

/// The contents of a PyTorch file. `OrderedDict` and `argparse.Namespace` are dictionaries here.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `None`.
    None,
    /// A boolean.
    Bool(bool),
    /// A 64-bit integer.
    Int(i64),
    /// A 64-bit float.
    Float(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A list.
    List(Vec<Value>),
    /// A tuple.
    Tuple(Vec<Value>),
    /// A dictionary, in its original order.
    Dict(Vec<(Value, Value)>),
    /// A tensor.
    Tensor(TorchTensor),
}

impl Value {
    /// The value under a name, if this is a dictionary.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.entries().iter().find(|(key, _)| key.as_str() == Some(name)).map(|(_, value)| value)
    }

    /// The entries of a dictionary; empty for anything else.
    pub fn entries(&self) -> &[(Value, Value)] {
        if let Value::Dict(entries) = self { entries } else { &[] }
    }

    /// The text, if this is text.
    pub fn as_str(&self) -> Option<&str> {
        if let Value::Text(text) = self { Some(text) } else { None }
    }

    /// The integer, if this is one.
    pub fn as_i64(&self) -> Option<i64> {
        if let Value::Int(number) = self { Some(*number) } else { None }
    }

    /// The number as a float, if this is a float or an integer.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Float(number) => Some(*number),
            Value::Int(number) => Some(*number as f64),
            _ => None,
        }
    }

    /// The boolean, if this is one.
    pub fn as_bool(&self) -> Option<bool> {
        if let Value::Bool(truth) = self { Some(*truth) } else { None }
    }

    /// The tensor, if this is one.
    pub fn as_tensor(&self) -> Option<&TorchTensor> {
        if let Value::Tensor(tensor) = self { Some(tensor) } else { None }
    }
}
