//! Features of one utterance in a `.npy` file: (T, D), row-major.
//!
//! Written in little-endian float32 after a header of fixed length, so that the number of rows can be filled in at the end. Read
//! back by rows; files of other tools may also be float64 or float16.

use crate::error::{Error, Result};
use npyz::{DType, NpyHeader, Order, TypeChar};
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The length in bytes of a written header, a multiple of 64 as the format requires.
pub(super) const HEADER: usize = 128;

/// The header of a float32 array (rows, dim).
fn header(rows: u64, dim: usize) -> [u8; HEADER] {
    let mut bytes = [b' '; HEADER];
    bytes[..10].copy_from_slice(b"\x93NUMPY\x01\x00\x76\x00"); // version 1.0, 118 more bytes
    let dict = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {dim}), }}");
    bytes[10..10 + dict.len()].copy_from_slice(dict.as_bytes());
    bytes[HEADER - 1] = b'\n';
    bytes
}

/// The size in bytes of a written file of (rows, dim).
pub(crate) fn file_size(rows: u64, dim: usize) -> u64 {
    HEADER as u64 + rows * dim as u64 * 4
}

/// A file of rows being written.
#[derive(Debug)]
pub struct NpyWriter {
    path: PathBuf,
    file: BufWriter<File>,
    dim: usize,
    rows: u64,
    bytes: Vec<u8>,
}

impl NpyWriter {
    /// Creates a file, replacing an existing one.
    pub fn create(path: &Path, dim: usize) -> Result<Self> {
        let file = File::options().read(true).write(true).create(true).truncate(true).open(path);
        let mut file = BufWriter::with_capacity(1 << 17, file.map_err(Error::io(path, "create"))?);
        file.write_all(&header(0, dim)).map_err(Error::io(path, "write"))?;
        Ok(NpyWriter { path: path.to_path_buf(), file, dim, rows: 0, bytes: Vec::new() })
    }

    /// Appends rows (n, dim).
    pub fn write(&mut self, rows: &[f32]) -> Result<()> {
        to_bytes(rows, &mut self.bytes);
        self.rows += (rows.len() / self.dim.max(1)) as u64;
        self.file.write_all(&self.bytes).map_err(Error::io(&self.path, "write"))
    }

    /// Applies `change` to every written row, in place.
    pub fn map(&mut self, mut change: impl FnMut(&mut [f32])) -> Result<()> {
        let path = self.path.clone();
        let io = |doing| Error::io(&path, doing);
        self.file.flush().map_err(io("write"))?;
        let file = self.file.get_mut();
        let size = self.dim * 4;
        let per_block = (1 << 20) / size.max(1) + 1;
        let mut rows = Vec::new();
        for first in (0..self.rows as usize).step_by(per_block) {
            let n = per_block.min(self.rows as usize - first);
            let at = SeekFrom::Start((HEADER + first * size) as u64);
            self.bytes.resize(n * size, 0);
            file.seek(at).and_then(|_| file.read_exact(&mut self.bytes)).map_err(io("read"))?;
            floats(&self.bytes, NumberKind::F32, &mut rows);
            rows.chunks_exact_mut(self.dim).for_each(&mut change);
            to_bytes(&rows, &mut self.bytes);
            file.seek(at).and_then(|_| file.write_all(&self.bytes)).map_err(io("write"))?;
        }
        Ok(())
    }

    /// Fills in the number of rows and returns it. The file is then complete, still under the name it was created with.
    pub fn finish(mut self) -> Result<u64> {
        let done = self.file.flush().and_then(|()| {
            let file = self.file.get_mut();
            file.seek(SeekFrom::Start(0))?;
            file.write_all(&header(self.rows, self.dim))
        });
        done.map_err(Error::io(&self.path, "write"))?;
        Ok(self.rows)
    }
}

/// A file of rows to read from, or a part of one.
#[derive(Debug, Clone)]
pub struct NpyFile {
    path: PathBuf,
    /// T.
    pub rows: usize,
    /// D.
    pub dim: usize,
    kind: NumberKind,
    start: u64,
}

#[derive(Debug, Clone, Copy)]
enum NumberKind {
    F16,
    F32,
    F64,
}

impl NpyFile {
    /// Reads the header.
    ///
    /// # Errors
    /// The file is not a `.npy` file, not two-dimensional, not of floats, stored by columns, or shorter than its header declares. The error
    /// names the file.
    pub fn open(path: &Path) -> Result<Self> {
        let mut file = BufReader::new(File::open(path).map_err(Error::io(path, "open"))?);
        let header =
            NpyHeader::from_reader(&mut file).map_err(|e| Error::bad_file(path, format!("not a .npy file: {e}")))?;
        let start = file.stream_position().map_err(Error::io(path, "read"))?;
        let bad = |what: String| Err(Error::bad_file(path, what));
        let (rows, dim) = match header.shape() {
            [rows, dim] => (*rows as usize, *dim as usize),
            shape => return bad(format!("has the shape {shape:?}; features are (frames, dimensions)")),
        };
        if dim == 0 {
            return bad("has features of 0 dimensions".into());
        }
        let kind = match header.dtype() {
            DType::Plain(t) if t.type_char() == TypeChar::Float && t.to_string().starts_with('<') => {
                match t.size_field() {
                    2 => NumberKind::F16,
                    4 => NumberKind::F32,
                    8 => NumberKind::F64,
                    n => return bad(format!("holds floats of {n} bytes; save it as float32")),
                }
            }
            other => return bad(format!("holds {}; save it as float32", other.descr())),
        };
        if header.order() == Order::Fortran && rows > 1 && dim > 1 {
            return bad("is stored by columns (fortran_order); save it with numpy.ascontiguousarray".into());
        }
        let file = NpyFile { path: path.to_path_buf(), rows, dim, kind, start };
        let held = std::fs::metadata(path).map_err(Error::io(path, "read"))?.len();
        if held < (rows as u64).saturating_mul(file.row_bytes()).saturating_add(start) {
            return bad(format!(
                "is cut off: {held} bytes do not hold the {rows} x {dim} numbers that its header declares"
            ));
        }
        Ok(file)
    }

    /// Rows of float32 that start at byte `start` of a file of any format.
    pub(super) fn within(path: &Path, rows: usize, dim: usize, start: u64) -> Self {
        NpyFile { path: path.to_path_buf(), rows, dim, kind: NumberKind::F32, start }
    }

    fn row_bytes(&self) -> u64 {
        let size = match self.kind {
            NumberKind::F16 => 2,
            NumberKind::F32 => 4,
            NumberKind::F64 => 8,
        };
        (self.dim as u64).saturating_mul(size)
    }

    /// Reads all rows, replacing the contents of `rows`.
    pub fn read(&self, rows: &mut Vec<f32>) -> Result<()> {
        self.read_range(0, self.rows, rows)
    }

    /// Reads `n` rows starting at `first`, replacing the contents of `rows`.
    pub fn read_range(&self, first: usize, n: usize, rows: &mut Vec<f32>) -> Result<()> {
        let mut bytes = vec![0; n * self.row_bytes() as usize];
        let mut file = File::open(&self.path).map_err(Error::io(&self.path, "open"))?;
        file.seek(SeekFrom::Start(self.start + first as u64 * self.row_bytes()))
            .and_then(|_| file.read_exact(&mut bytes))
            .map_err(Error::io(&self.path, "read"))?;
        floats(&bytes, self.kind, rows);
        Ok(())
    }
}

/// Converts to little-endian float32, replacing the contents of `bytes`.
pub(crate) fn to_bytes(rows: &[f32], bytes: &mut Vec<u8>) {
    bytes.clear();
    bytes.resize(rows.len() * 4, 0);
    bytes.chunks_exact_mut(4).zip(rows).for_each(|(to, v)| to.copy_from_slice(&v.to_le_bytes()));
}

fn floats(bytes: &[u8], kind: NumberKind, rows: &mut Vec<f32>) {
    rows.clear();
    match kind {
        NumberKind::F16 => rows.extend(bytes.chunks_exact(2).map(|b| half::f16::from_le_bytes([b[0], b[1]]).to_f32())),
        NumberKind::F32 => rows.extend(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))),
        NumberKind::F64 => rows.extend(
            bytes.chunks_exact(8).map(|b| f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]) as f32),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_by_rows() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.npy");
        let mut file = NpyWriter::create(&path, 3).unwrap();
        let values: Vec<f32> = (0..30).map(|i| i as f32 * 0.5).collect();
        file.write(&values[..12]).unwrap();
        file.write(&values[12..]).unwrap();
        file.map(|row| row.iter_mut().for_each(|v| *v += 1.0)).unwrap();
        assert_eq!(file.finish().unwrap(), 10);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), file_size(10, 3));
        let file = NpyFile::open(&path).unwrap();
        let mut rows = vec![9.0];
        file.read_range(4, 2, &mut rows).unwrap();
        assert_eq!(((file.rows, file.dim), rows), ((10, 3), values[12..18].iter().map(|v| v + 1.0).collect()));
        // The bytes are what candle's and numpy's readers expect.
        let tensor = candle_core::Tensor::read_npy(&path).unwrap();
        assert_eq!(tensor.dims(), [10, 3]);
    }

    #[test]
    fn files_of_other_tools_are_read_or_refused_with_the_reason() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("b.npy");
        let file = |descr: &str, order: &str, shape: &str, bytes: usize| {
            let dict = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n");
            let mut all = b"\x93NUMPY\x01\x00".to_vec();
            all.extend((dict.len() as u16).to_le_bytes());
            all.extend(dict.as_bytes());
            all.extend(vec![0; bytes]);
            std::fs::write(&path, all).unwrap();
            NpyFile::open(&path)
        };
        let mut rows = Vec::new();
        file("<f8", "False", "(2, 3)", 48).unwrap().read(&mut rows).unwrap();
        assert_eq!(rows, [0.0; 6]);
        file("<f2", "False", "(2, 3)", 12).unwrap().read(&mut rows).unwrap();
        assert_eq!(rows.len(), 6);
        let refused = |descr, order, shape, bytes| file(descr, order, shape, bytes).unwrap_err().to_string();
        assert!(refused("<f4", "False", "(2, 3)", 23).contains("cut off"));
        assert!(refused("<f4", "True", "(2, 3)", 24).contains("by columns"));
        assert!(refused("<i8", "False", "(2, 3)", 48).contains("float32"));
        assert!(refused("<f4", "False", "(6,)", 24).contains("shape [6]"));
        std::fs::write(&path, "a poem").unwrap();
        assert!(NpyFile::open(&path).unwrap_err().to_string().contains("not a .npy file"));
    }
}
