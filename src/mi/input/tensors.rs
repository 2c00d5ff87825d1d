//! The tensors of a `.safetensors` file, by name.

use crate::error::{Error, Result};
use crate::mi::input::raw::{Layout, ValueKind};
use crate::mi::input::table::{FoundColumn, Table, Wanted};
use safetensors::{Dtype, SafeTensorError, SafeTensors};
use std::path::Path;

/// A `.safetensors` file held in memory.
pub(super) struct Tensors {
    file: String,
    bytes: Vec<u8>,
    names: Vec<String>,
}

impl Tensors {
    /// Reads the file.
    ///
    /// # Errors
    /// It is incomplete, or has no tensors.
    pub(super) fn open(path: &Path, file: String) -> Result<Tensors> {
        let bytes = std::fs::read(path).map_err(Error::io(path, "read"))?;
        let tensors = SafeTensors::deserialize(&bytes).map_err(|e| damaged(&file, &e))?;
        let mut names: Vec<String> = tensors.names().into_iter().map(ToString::to_string).collect();
        names.sort();
        if names.is_empty() {
            return Err(Error::failed(format!("{file} holds no tensors"), "was it written to the end?"));
        }
        Ok(Tensors { file, bytes, names })
    }
}

fn damaged(file: &str, e: &SafeTensorError) -> Error {
    Error::failed(format!("{file} is not a whole safetensors file ({e})"), "copy or download it again")
}

impl Table for Tensors {
    fn file(&self) -> &str {
        &self.file
    }

    fn what(&self) -> &'static str {
        "tensor"
    }

    fn names(&self) -> &[String] {
        &self.names
    }

    fn read(self: Box<Self>, wanted: &[Wanted]) -> Result<FoundColumn> {
        let tensors = SafeTensors::deserialize(&self.bytes).map_err(|e| damaged(&self.file, &e))?;
        let mut columns = Vec::new();
        for w in wanted {
            let name = &self.names[w.at];
            let place = format!("{}: tensor `{name}`", self.file);
            let tensor = tensors.tensor(name).map_err(|e| damaged(&self.file, &e))?;
            let kind = match tensor.dtype() {
                Dtype::BOOL => ValueKind::Bool,
                Dtype::I8 => ValueKind::I8,
                Dtype::I16 => ValueKind::I16,
                Dtype::I32 => ValueKind::I32,
                Dtype::I64 => ValueKind::I64,
                Dtype::U8 => ValueKind::U8,
                Dtype::U16 => ValueKind::U16,
                Dtype::U32 => ValueKind::U32,
                Dtype::U64 => ValueKind::U64,
                Dtype::F16 => ValueKind::F16,
                Dtype::BF16 => ValueKind::Bf16,
                Dtype::F32 => ValueKind::F32,
                Dtype::F64 => ValueKind::F64,
                other => return Err(Error::failed(format!("{place} holds {other:?}"), "save it as F32 or F64")),
            };
            // The reader of the format has checked that the number of bytes fits the shape.
            columns.push(Layout::new(&place, kind, tensor.shape())?.columns(tensor.data(), name, w.labels));
        }
        Ok(FoundColumn { columns, lines: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mi::input::column::Cells;
    use crate::mi::input::open::open;
    use safetensors::tensor::{TensorView, serialize_to_file};

    fn write(path: &Path, tensors: &[(&str, Dtype, &[usize], Vec<u8>)]) {
        let view = |(name, dtype, shape, bytes)| (name, TensorView::new(dtype, shape, bytes).unwrap());
        let views = tensors.iter().map(|(n, d, s, b)| view((*n, *d, s.to_vec(), &b[..])));
        serialize_to_file(views, None, path).unwrap();
    }

    #[test]
    fn tensors_are_read_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.safetensors");
        let half = [0.5f32, -1.0, 2.0, 0.0].iter().flat_map(|v| half::bf16::from_f32(*v).to_le_bytes()).collect();
        write(&path, &[("z", Dtype::BF16, &[2, 2], half), ("label", Dtype::I64, &[2], vec![7; 16])]);
        let table = open(&(&path).into(), &[]).unwrap();
        assert_eq!(table.names(), ["label", "z"]);
        let found = table.read(&[Wanted { at: 1, labels: false }, Wanted { at: 0, labels: true }]).unwrap();
        let Cells::Numbers { values, .. } = &found.columns[0][1].cells else { panic!("labels") };
        assert_eq!((found.columns[0][1].name.as_str(), &values[..]), ("z.2", &[-1.0, 0.0][..]));
        let Cells::Labels(labels) = &found.columns[1][0].cells else { panic!("numbers") };
        assert_eq!(labels[0], 0x0707_0707_0707_0707i64.to_string());
    }

    #[test]
    fn complex_tensors_and_files_that_are_cut_off_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.safetensors");
        write(&path, &[("a", Dtype::C64, &[1], vec![0; 8])]);
        let e = open(&(&path).into(), &[]).unwrap().read(&[Wanted { at: 0, labels: false }]).err().unwrap();
        assert!(e.to_string().ends_with("tensor `a` holds C64"), "{e}");
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        assert!(open(&(&path).into(), &[]).err().unwrap().to_string().contains("is not a whole safetensors file"));
    }
}
