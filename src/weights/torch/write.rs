//! Writes a zip that `torch.load(weights_only=True)` accepts: a pickle of protocol 2, and one file per storage.

use crate::durable;
use crate::error::{Error, Result};
use crate::weights::torch::{TorchTensor, TorchType, Value};
use std::io::{Cursor, Write};
use std::path::Path;
use std::sync::Arc;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Writes a value as `torch.save` would; the same value always gives the same bytes.
///
/// # Errors
/// Errors of the disk; text or bytes of 4 GiB or more.
pub fn write_torch(path: &Path, value: &Value) -> Result<()> {
    let mut pickle = Pickle { code: vec![0x80, 2], storages: Vec::new() };
    pickle
        .value(value)
        .map_err(|what| Error::failed(format!("{}: {what}", path.display()), "write less into one file"))?;
    pickle.code.push(b'.');
    let fault =
        |e: zip::result::ZipError| Error::failed(format!("{}: {e}", path.display()), "report this as a bug in cpc");
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    // PyTorch places storages at multiples of 64 bytes, so that they can be memory-mapped.
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored).with_alignment(64);
    let mut entry = |name: &str, content: &[u8]| -> Result<()> {
        zip.start_file(format!("archive/{name}"), options.large_file(content.len() >= 1 << 32)).map_err(fault)?;
        zip.write_all(content).map_err(Error::io(path, "write"))
    };
    entry("data.pkl", &pickle.code)?;
    entry("byteorder", b"little")?;
    for (i, (_, storage)) in pickle.storages.iter().enumerate() {
        entry(&format!("data/{i}"), storage)?;
    }
    entry("version", b"3\n")?;
    durable::write(path, &zip.finish().map_err(fault)?.into_inner())
}

struct Pickle {
    code: Vec<u8>,
    storages: Vec<(TorchType, Arc<Vec<u8>>)>,
}

impl Pickle {
    fn value(&mut self, value: &Value) -> std::result::Result<(), String> {
        match value {
            Value::None => self.code.push(b'N'),
            Value::Bool(b) => self.code.push(if *b { 0x88 } else { 0x89 }),
            Value::Int(n) => self.int(*n),
            Value::Float(x) => {
                self.code.push(b'G');
                self.code.extend(x.to_be_bytes());
            }
            Value::Text(text) => self.text(text)?,
            Value::Bytes(bytes) => {
                // Protocol 2 has no bytes type: bytes are written as text of the same number of characters, to be encoded.
                self.code.extend(b"c_codecs\nencode\n");
                self.text(&bytes.iter().map(|&b| char::from(b)).collect::<String>())?;
                self.text("latin1")?;
                self.code.extend([0x86, b'R']);
            }
            Value::List(items) => {
                self.code.extend(b"](");
                items.iter().try_for_each(|item| self.value(item))?;
                self.code.push(b'e');
            }
            Value::Tuple(items) => {
                self.code.push(b'(');
                items.iter().try_for_each(|item| self.value(item))?;
                self.code.push(b't');
            }
            Value::Dict(entries) => {
                self.code.extend(b"}(");
                for (key, value) in entries {
                    self.value(key)?;
                    self.value(value)?;
                }
                self.code.push(b'u');
            }
            Value::Tensor(tensor) => self.tensor(tensor)?,
        }
        Ok(())
    }

    fn int(&mut self, n: i64) {
        match i32::try_from(n) {
            Ok(n) => {
                self.code.push(b'J');
                self.code.extend(n.to_le_bytes());
            }
            Err(_) => {
                self.code.extend([0x8a, 8]);
                self.code.extend(n.to_le_bytes());
            }
        }
    }

    fn text(&mut self, text: &str) -> std::result::Result<(), String> {
        let length = u32::try_from(text.len()).map_err(|_| "a text of 4 GiB or more".to_string())?;
        self.code.push(b'X');
        self.code.extend(length.to_le_bytes());
        self.code.extend(text.as_bytes());
        Ok(())
    }

    /// `_rebuild_tensor_v2(storage, 0, shape, strides, False, OrderedDict())`.
    fn tensor(&mut self, tensor: &TorchTensor) -> std::result::Result<(), String> {
        let known = |(dtype, data): &(_, _)| *dtype == tensor.dtype && Arc::ptr_eq(data, &tensor.data);
        let number = self.storages.iter().position(known).unwrap_or_else(|| {
            self.storages.push((tensor.dtype, tensor.data.clone()));
            self.storages.len() - 1
        });
        let elements = tensor.data.len() / tensor.dtype.size();
        self.code.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        self.text("storage")?;
        self.code.extend(format!("ctorch\n{}\n", tensor.dtype.storage_name()).bytes());
        self.text(&number.to_string())?;
        self.text("cpu")?;
        self.int(elements as i64);
        self.code.extend(b"tQ");
        self.int(0);
        let mut strides = vec![1; tensor.shape.len()];
        for axis in (1..tensor.shape.len()).rev() {
            strides[axis - 1] = strides[axis] * tensor.shape[axis].max(1);
        }
        for sizes in [&tensor.shape, &strides] {
            self.code.push(b'(');
            sizes.iter().for_each(|&size| self.int(size as i64));
            self.code.push(b't');
        }
        self.code.push(0x89);
        self.code.extend(b"ccollections\nOrderedDict\n)RtR");
        Ok(())
    }
}
