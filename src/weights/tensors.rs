//! Tensors in `.safetensors` files.

use crate::digest::sha256;
use crate::durable;
use crate::error::{Error, Result};
use candle_core::{DType, Device, Tensor};
use safetensors::Dtype;
use safetensors::tensor::{TensorView, serialize};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Number of tensors that a message names.
const NAMED: usize = 5;

/// Writes tensors under their names; the same tensors always give the same bytes.
pub fn write_tensors(path: &Path, tensors: &BTreeMap<String, Tensor>) -> Result<()> {
    durable::write(path, &to_safetensors(tensors, &path.display().to_string())?)
}

/// Writes a matrix (N, `dim`) under a name, with what it is about as JSON under `key` of the metadata.
pub fn write_matrix(
    path: &Path,
    key: &str,
    about: &impl Serialize,
    name: &str,
    values: &[f32],
    dim: usize,
) -> Result<()> {
    let matrix = Tensor::from_slice(values, (values.len() / dim.max(1), dim), &Device::Cpu)?;
    let about =
        serde_json::to_string(about).map_err(|e| Error::failed(format!("JSON: {e}"), "report this as a bug in cpc"))?;
    let (tensors, metadata) = (BTreeMap::from([(name.to_string(), matrix)]), HashMap::from([(key.to_string(), about)]));
    durable::write(path, &with_metadata(&tensors, &path.display().to_string(), metadata)?)
}

/// Reads what [`write_matrix`] wrote: what it is about, the values, and the length of a row. `other` says what another file is not, and who
/// writes such files.
///
/// # Errors
/// The file cannot be read, or is another.
pub fn read_matrix<T: DeserializeOwned>(
    path: &Path,
    key: &str,
    name: &str,
    other: &str,
) -> Result<(T, Vec<f32>, usize)> {
    let no = |what: String| {
        Error::failed(format!("{}: {what}", path.display()), "give another file, or make this one again")
    };
    let bytes = std::fs::read(path).map_err(Error::io(path, "read"))?;
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes)
        .map_err(|e| no(format!("not a complete safetensors file: {e}")))?;
    let about = metadata.metadata().as_ref().and_then(|metadata| metadata.get(key)).ok_or_else(|| no(other.into()))?;
    let about = serde_json::from_str(about).map_err(|e| no(format!("{other} ({e})")))?;
    let tensors = read_tensors(path)?;
    let matrix = tensors.get(name).ok_or_else(|| no(format!("has no tensor `{name}`")))?;
    let (_, dim) = matrix.dims2().map_err(|_| no(format!("has a tensor `{name}` that is no matrix")))?;
    Ok((about, matrix.flatten_all()?.to_vec1()?, dim))
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
    with_metadata(tensors, to, HashMap::new())
}

fn with_metadata(
    tensors: &BTreeMap<String, Tensor>,
    to: &str,
    mut metadata: HashMap<String, String>,
) -> Result<Vec<u8>> {
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
    // One key alone: the order of several would not always be the same.
    if metadata.is_empty() {
        metadata.insert("format".into(), "pt".into());
    }
    serialize(views, Some(metadata)).map_err(fault)
}

/// Reads every tensor of a file, on the CPU.
///
/// # Errors
/// The file cannot be read or is not complete, or a tensor has a value that [`check_finite`] refuses.
pub fn read_tensors(path: &Path) -> Result<HashMap<String, Tensor>> {
    let bytes = std::fs::read(path).map_err(Error::io(path, "read"))?;
    let tensors = candle_core::safetensors::load_buffer(&bytes, &candle_core::Device::Cpu).map_err(|e| {
        Error::failed(format!("{}: not a complete safetensors file: {e}", path.display()), "copy or download it again")
    })?;
    check_finite(&tensors, &path.display().to_string())?;
    Ok(tensors)
}

/// Refuses tensors with values that are not finite 32-bit floats, by name. A ReLU turns NaN into 0, so such weights would give features
/// that look like numbers. The error message starts with `from`.
///
/// # Errors
/// A value is NaN or infinite, or becomes infinite as a 32-bit float.
pub fn check_finite(tensors: &HashMap<String, Tensor>, from: &str) -> Result<()> {
    let mut bad = Vec::new();
    for (name, tensor) in ordered(tensors) {
        if tensor.dtype().is_int() {
            continue;
        }
        let values = tensor.flatten_all()?.to_dtype(DType::F32)?.to_vec1::<f32>()?;
        match values.iter().filter(|v| !v.is_finite()).count() {
            0 => {}
            n => bad.push(format!("{name} ({n} of {})", values.len())),
        }
    }
    if bad.is_empty() {
        return Ok(());
    }
    let more = bad.len().saturating_sub(NAMED);
    bad.truncate(NAMED);
    let tail = if more > 0 { format!(" and {more} more") } else { String::new() };
    Err(Error::failed(
        format!("{from}: values that are not finite numbers (NaN or infinity) in {}{tail}", bad.join(", ")),
        "the training that wrote it diverged, or the file is damaged: use an earlier checkpoint, or copy it again",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn a_tensor_that_is_not_all_numbers_is_named_whatever_its_type() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.safetensors");
        let tensor = |values: &[f64], dtype| Tensor::new(values, &Device::Cpu).unwrap().to_dtype(dtype).unwrap();
        let said = |tensors: &[(&str, Tensor)]| {
            let named: HashMap<String, Tensor> = tensors.iter().map(|(n, t)| (n.to_string(), t.clone())).collect();
            candle_core::safetensors::save(&named, &path).unwrap();
            read_tensors(&path)
                .map(|read| read.len())
                .map_err(|e| e.to_string().rsplit('/').next().unwrap().to_string())
        };
        let good = tensor(&[1.0, -2.0], DType::F32);
        assert_eq!(said(&[("a", good.clone()), ("n", Tensor::new(&[7i64], &Device::Cpu).unwrap())]), Ok(2));
        for dtype in [DType::F16, DType::BF16, DType::F32, DType::F64] {
            for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                let e = said(&[("a", good.clone()), ("b.weight", tensor(&[0.5, value, value], dtype))]).unwrap_err();
                let wanted =
                    "model.safetensors: values that are not finite numbers (NaN or infinity) in b.weight (2 of 3)";
                assert_eq!(e, wanted, "{dtype:?}");
            }
        }
        // Finite in 64 bits, but not in the 32 bits that a model computes with.
        assert!(said(&[("b", tensor(&[1e300], DType::F64))]).unwrap_err().ends_with("in b (1 of 1)"));
        let names = ["a", "b", "c", "d", "e", "f", "g"];
        let all: Vec<_> = names.iter().map(|n| (*n, tensor(&[f64::NAN], DType::F32))).collect();
        assert!(said(&all).unwrap_err().ends_with("e (1 of 1) and 2 more"));
    }
}
