//! Tensors in `.safetensors` files.

use crate::digest::sha256;
use crate::durable;
use crate::error::{Error, Result};
use candle_core::{DType, Tensor};
use safetensors::Dtype;
use safetensors::tensor::{TensorView, serialize};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Writes tensors under their names; the same tensors always give the same bytes.
pub fn write_tensors(path: &Path, tensors: &BTreeMap<String, Tensor>) -> Result<()> {
    durable::write(path, &to_safetensors(tensors, &path.display().to_string())?)
}

/// SHA-256 of the `.safetensors` file of these tensors, in hexadecimal; error messages start with `from`.
pub fn sha256_of(tensors: &HashMap<String, Tensor>, from: &str) -> Result<String> {
    Ok(sha256(&to_safetensors(&ordered(tensors), from)?))
}

/// Tensors by name, sorted by name.
pub fn ordered(tensors: &HashMap<String, Tensor>) -> BTreeMap<String, Tensor> {
    tensors.iter().map(|(name, tensor)| (name.clone(), tensor.clone())).collect()
}

/// The bytes of a `.safetensors` file; error messages start with `to`.
///
/// The only metadata key is `format = pt`, which other readers of such files require.
pub fn to_safetensors(tensors: &BTreeMap<String, Tensor>, to: &str) -> Result<Vec<u8>> {
    let mut data = Vec::with_capacity(tensors.len());
    for (name, tensor) in tensors {
        let flat = tensor.flatten_all()?;
        let (dtype, bytes): (Dtype, Vec<u8>) = match tensor.dtype() {
            DType::I64 => (Dtype::I64, flat.to_vec1::<i64>()?.iter().flat_map(|v| v.to_le_bytes()).collect()),
            _ => {
                let values = flat.to_dtype(DType::F32)?.to_vec1::<f32>()?;
                (Dtype::F32, values.iter().flat_map(|v| v.to_le_bytes()).collect())
            }
        };
        data.push((name, dtype, tensor.dims().to_vec(), bytes));
    }
    let fault = |e: safetensors::SafeTensorError| Error::failed(format!("{to}: {e}"), "report this as a bug in cpc");
    let views = data
        .iter()
        .map(|(name, dtype, shape, bytes)| Ok((*name, TensorView::new(*dtype, shape.clone(), bytes).map_err(fault)?)))
        .collect::<Result<Vec<_>>>()?;
    let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
    serialize(views, Some(metadata)).map_err(fault)
}

/// Reads every tensor of a file, on the CPU.
pub fn read_tensors(path: &Path) -> Result<HashMap<String, Tensor>> {
    let bytes = std::fs::read(path).map_err(Error::io(path, "read"))?;
    candle_core::safetensors::load_buffer(&bytes, &candle_core::Device::Cpu).map_err(|e| {
        Error::failed(format!("{}: not a complete safetensors file: {e}", path.display()), "copy or download it again")
    })
}
