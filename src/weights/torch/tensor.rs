//! Tensors of a PyTorch file: element types, and conversion of a view of a storage to contiguous row-major data.

use half::{bf16, f16};
use std::sync::Arc;

/// The type of a tensor's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // they are their names
pub enum TorchType {
    F64,
    F32,
    F16,
    Bf16,
    I64,
    I32,
    I16,
    I8,
    U8,
    Bool,
}

impl TorchType {
    /// The name of its storage in a pickle: (`torch`, name).
    pub(super) fn storage_name(self) -> &'static str {
        match self {
            TorchType::F64 => "DoubleStorage",
            TorchType::F32 => "FloatStorage",
            TorchType::F16 => "HalfStorage",
            TorchType::Bf16 => "BFloat16Storage",
            TorchType::I64 => "LongStorage",
            TorchType::I32 => "IntStorage",
            TorchType::I16 => "ShortStorage",
            TorchType::I8 => "CharStorage",
            TorchType::U8 => "ByteStorage",
            TorchType::Bool => "BoolStorage",
        }
    }

    pub(super) fn of_storage(name: &str) -> Option<TorchType> {
        use TorchType::*;
        [F64, F32, F16, Bf16, I64, I32, I16, I8, U8, Bool].into_iter().find(|t| t.storage_name() == name)
    }

    /// Size of an element in bytes.
    pub fn size(self) -> usize {
        match self {
            TorchType::F64 | TorchType::I64 => 8,
            TorchType::F32 | TorchType::I32 => 4,
            TorchType::F16 | TorchType::Bf16 | TorchType::I16 => 2,
            TorchType::I8 | TorchType::U8 | TorchType::Bool => 1,
        }
    }
}

/// A tensor, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct TorchTensor {
    /// The type of its elements.
    pub dtype: TorchType,
    /// Its shape; empty for a scalar.
    pub shape: Vec<usize>,
    pub(super) data: Arc<Vec<u8>>, // little-endian, contiguous; tensors that use a whole storage share it
}

impl TorchTensor {
    /// A tensor of floats; the number of `values` must match `shape`.
    pub fn from_f32(shape: Vec<usize>, values: &[f32]) -> TorchTensor {
        let data = Arc::new(values.iter().flat_map(|v| v.to_le_bytes()).collect());
        TorchTensor { dtype: TorchType::F32, shape, data }
    }

    /// A tensor of integers; the number of `values` must match `shape`.
    pub fn from_i64(shape: Vec<usize>, values: &[i64]) -> TorchTensor {
        let data = Arc::new(values.iter().flat_map(|v| v.to_le_bytes()).collect());
        TorchTensor { dtype: TorchType::I64, shape, data }
    }

    /// Its elements, rounded to 32-bit floats.
    pub fn to_f32(&self) -> Vec<f32> {
        match self.dtype {
            TorchType::F64 => self.read(|b| f64::from_le_bytes(b) as f32),
            TorchType::F32 => self.read(f32::from_le_bytes),
            TorchType::F16 => self.read(|b| f16::from_le_bytes(b).to_f32()),
            TorchType::Bf16 => self.read(|b| bf16::from_le_bytes(b).to_f32()),
            _ => self.to_i64().unwrap_or_default().into_iter().map(|v| v as f32).collect(),
        }
    }

    /// Its elements, if they are integers or booleans.
    pub fn to_i64(&self) -> Option<Vec<i64>> {
        Some(match self.dtype {
            TorchType::I64 => self.read(i64::from_le_bytes),
            TorchType::I32 => self.read(|b| i32::from_le_bytes(b).into()),
            TorchType::I16 => self.read(|b| i16::from_le_bytes(b).into()),
            TorchType::I8 => self.read(|b| i8::from_le_bytes(b).into()),
            TorchType::U8 | TorchType::Bool => self.read(|b| u8::from_le_bytes(b).into()),
            _ => return None,
        })
    }

    fn read<const N: usize, T>(&self, of: impl Fn([u8; N]) -> T) -> Vec<T> {
        self.data.as_chunks::<N>().0.iter().map(|&bytes| of(bytes)).collect()
    }
}

/// A view of a storage: the description of a tensor in a pickle.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct View {
    /// Number of elements of the storage before the first element.
    pub offset: usize,
    pub shape: Vec<usize>,
    /// Distance from one element to the next along each axis, in elements.
    pub strides: Vec<usize>,
}

impl View {
    /// Number of elements; none if it overflows.
    pub fn elements(&self) -> Option<usize> {
        if self.shape.contains(&0) {
            return Some(0);
        }
        self.shape.iter().try_fold(1usize, |n, &size| n.checked_mul(size))
    }

    /// Whether it covers its storage contiguously in row-major order, from the first element on.
    pub fn is_in_order(&self) -> bool {
        let mut run = 1usize;
        let in_order = self.shape.iter().zip(&self.strides).rev().all(|(&size, &stride)| {
            let fits = size == 1 || stride == run;
            run = run.saturating_mul(size);
            fits
        });
        self.offset == 0 && in_order
    }

    /// The bytes of its elements in order, copied from its storage; none if they reach beyond the storage.
    pub fn gather(&self, storage: &[u8], element: usize) -> Option<Vec<u8>> {
        let elements = self.elements()?;
        if elements == 0 {
            return Some(Vec::new());
        }
        // Axes with one element do not matter. The others are steps in the storage, and the last element must be inside it.
        let axes = self.shape.iter().zip(&self.strides).filter(|&(&size, _)| size > 1);
        let last = axes
            .clone()
            .try_fold(self.offset, |at, (&size, &stride)| at.checked_add((size - 1).checked_mul(stride)?))?;
        if last.checked_add(1)?.checked_mul(element)? > storage.len() {
            return None;
        }
        let mut axes: Vec<(usize, usize)> = axes.map(|(&size, &stride)| (size, stride)).collect();
        // Contiguous runs of elements are copied at once.
        let mut run = 1;
        while let Some((size, _)) = axes.pop_if(|&mut (_, stride)| stride == run) {
            run *= size;
        }
        let mut out = Vec::with_capacity(elements.checked_mul(element)?);
        let (mut index, mut at) = (vec![0; axes.len()], self.offset);
        loop {
            out.extend_from_slice(storage.get(at * element..(at + run) * element)?);
            // Advance along the last axis that has more elements; the axes after it start again.
            let mut axis = axes.len();
            loop {
                axis = match axis.checked_sub(1) {
                    Some(axis) => axis,
                    None => return Some(out),
                };
                let (size, stride) = axes[axis];
                if index[axis] + 1 < size {
                    index[axis] += 1;
                    at += stride;
                    break;
                }
                at -= stride * index[axis];
                index[axis] = 0;
            }
        }
    }
}
