//! Arrays of numpy, (frames, channels) or (frames), of any real numbers, by rows or by columns.

use crate::series::{Channel, Run};
use half::f16;
use npyz::{DType, Endianness, NpyHeader, Order, TypeChar};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// How the numbers of a file are laid out.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Npy {
    /// Bytes before the first number.
    start: u64,
    number: Number,
    big_endian: bool,
    by_columns: bool,
    frames: u64,
    channels: u64,
}

/// The numbers of an array.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Number {
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    F16,
    F32,
    F64,
}

/// What a header says.
pub(super) struct Header {
    pub(super) channels: Vec<Channel>,
    pub(super) runs: Vec<Run>,
    pub(super) npy: Npy,
}

/// Whether a file with these first bytes is one.
pub(super) fn recognized(first: &[u8]) -> bool {
    first.starts_with(b"\x93NUMPY")
}

/// Reads the header.
///
/// # Errors
/// What is wrong, as the rest of a sentence that begins with the file.
pub(super) fn header(path: &Path) -> Result<Header, String> {
    let read = |e: std::io::Error| format!("cannot be read: {e}");
    let mut file = BufReader::new(File::open(path).map_err(|e| format!("cannot be opened: {e}"))?);
    let header = NpyHeader::from_reader(&mut file).map_err(|e| format!("has a damaged header: {e}"))?;
    let start = file.stream_position().map_err(read)?;
    let (frames, channels) = match *header.shape() {
        [frames] => (frames, 1),
        [frames, channels] => (frames, channels),
        ref shape => return Err(format!("has the shape {shape:?}; a recording is (frames, channels)")),
    };
    if channels == 0 {
        return Err("has no channels".into());
    }
    let DType::Plain(kind) = header.dtype() else {
        return Err(format!("holds {}; save it as float32", header.dtype().descr()));
    };
    let number = match (kind.type_char(), kind.size_field()) {
        (TypeChar::Int, 1) => Number::I8,
        (TypeChar::Int, 2) => Number::I16,
        (TypeChar::Int, 4) => Number::I32,
        (TypeChar::Int, 8) => Number::I64,
        (TypeChar::Uint, 1) => Number::U8,
        (TypeChar::Uint, 2) => Number::U16,
        (TypeChar::Uint, 4) => Number::U32,
        (TypeChar::Uint, 8) => Number::U64,
        (TypeChar::Float, 2) => Number::F16,
        (TypeChar::Float, 4) => Number::F32,
        (TypeChar::Float, 8) => Number::F64,
        _ => return Err(format!("holds {kind}; save it as float32")),
    };
    let big_endian = kind.endianness() == Endianness::Big;
    let npy = Npy { start, number, big_endian, by_columns: header.order() == Order::Fortran, frames, channels };
    let held = file.get_ref().metadata().map_err(read)?.len();
    let promised = frames.saturating_mul(channels).saturating_mul(number.size() as u64).saturating_add(start);
    if held < promised {
        return Err(format!("is cut off: its header promises {promised} bytes, and it has {held}"));
    }
    let channels = (1..=channels).map(|i| Channel { name: i.to_string(), unit: String::new(), rate: None }).collect();
    let runs = if frames == 0 { Vec::new() } else { vec![Run { first: 0, frames }] };
    Ok(Header { channels, runs, npy })
}

impl Number {
    fn size(self) -> usize {
        match self {
            Number::I8 | Number::U8 => 1,
            Number::I16 | Number::U16 | Number::F16 => 2,
            Number::I32 | Number::U32 | Number::F32 => 4,
            Number::I64 | Number::U64 | Number::F64 => 8,
        }
    }

    /// The number in little-endian bytes.
    fn value(self, bytes: [u8; 8]) -> f64 {
        let [a, b, c, d, ..] = bytes;
        match self {
            Number::I8 => f64::from(a as i8),
            Number::U8 => f64::from(a),
            Number::I16 => f64::from(i16::from_le_bytes([a, b])),
            Number::U16 => f64::from(u16::from_le_bytes([a, b])),
            Number::F16 => f64::from(f16::from_le_bytes([a, b])),
            Number::I32 => f64::from(i32::from_le_bytes([a, b, c, d])),
            Number::U32 => f64::from(u32::from_le_bytes([a, b, c, d])),
            Number::F32 => f64::from(f32::from_le_bytes([a, b, c, d])),
            Number::I64 => i64::from_le_bytes(bytes) as f64,
            Number::U64 => u64::from_le_bytes(bytes) as f64,
            Number::F64 => f64::from_le_bytes(bytes),
        }
    }
}

impl Npy {
    /// Fills `out` with values of some channels, frame by frame from `first` on.
    ///
    /// # Errors
    /// What is wrong, as the rest of a sentence that begins with the file.
    pub(super) fn read(&self, path: &Path, channels: &[usize], first: u64, out: &mut [f32]) -> Result<(), String> {
        if channels.is_empty() {
            return Ok(());
        }
        let read = |e: std::io::Error| format!("cannot be read: {e}");
        let (mut file, width) = (File::open(path).map_err(|e| format!("cannot be opened: {e}"))?, channels.len());
        let (size, frames) = (self.number.size(), out.len() / width);
        // By rows, one piece has all channels; by columns, each channel has a piece of its own.
        let (pieces, row) = if self.by_columns { (width, 1) } else { (1, self.channels as usize) };
        let mut bytes = vec![0; frames * row * size];
        for piece in 0..pieces {
            let at = if self.by_columns { channels[piece] as u64 * self.frames + first } else { first * self.channels };
            file.seek(SeekFrom::Start(self.start + at * size as u64)).map_err(read)?;
            file.read_exact(&mut bytes).map_err(read)?;
            for (frame, values) in out.chunks_exact_mut(width).zip(bytes.chunks_exact(row * size)) {
                let each = if self.by_columns { piece..piece + 1 } else { 0..width };
                for j in each {
                    let at = if self.by_columns { 0 } else { channels[j] * size };
                    let mut number = [0; 8];
                    number[..size].copy_from_slice(&values[at..at + size]);
                    if self.big_endian {
                        number[..size].reverse();
                    }
                    frame[j] = self.number.value(number) as f32;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(kind: &str, order: bool, shape: &str, body: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.npy");
        let dict = format!(
            "{{'descr': '{kind}', 'fortran_order': {}, 'shape': {shape}, }}\n",
            if order { "True" } else { "False" }
        );
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((dict.len() as u16).to_le_bytes());
        bytes.extend(dict.as_bytes());
        bytes.extend(body);
        std::fs::write(&path, bytes).unwrap();
        (dir, path)
    }

    #[test]
    fn any_numbers_in_any_order_are_read_from_any_frame_on() {
        // Three frames of two channels: 1 -2, 3 -4, 5 -6.
        let values = [1.0f64, -2.0, 3.0, -4.0, 5.0, -6.0];
        let columns = [1.0f64, 3.0, 5.0, -2.0, -4.0, -6.0];
        let each = |values: &[f64], f: &dyn Fn(f64) -> Vec<u8>| values.iter().flat_map(|v| f(*v)).collect::<Vec<u8>>();
        type Bytes<'a> = &'a dyn Fn(f64) -> Vec<u8>;
        let cases: [(&str, Bytes); 7] = [
            ("<f8", &|v| v.to_le_bytes().to_vec()),
            (">f4", &|v| (v as f32).to_be_bytes().to_vec()),
            ("<f2", &|v| f16::from_f64(v).to_le_bytes().to_vec()),
            ("|i1", &|v| vec![v as i8 as u8]),
            (">i2", &|v| (v as i16).to_be_bytes().to_vec()),
            ("<i4", &|v| (v as i32).to_le_bytes().to_vec()),
            ("<i8", &|v| (v as i64).to_le_bytes().to_vec()),
        ];
        for (kind, bytes) in cases {
            for (order, values) in [(false, values), (true, columns)] {
                let (_dir, path) = write(kind, order, "(3, 2)", &each(&values, bytes));
                let header = header(&path).unwrap();
                assert_eq!((header.channels.len(), header.runs.as_slice()), (2, &[Run { first: 0, frames: 3 }][..]));
                let mut out = [0.0; 4];
                header.npy.read(&path, &[1, 0], 1, &mut out).unwrap();
                assert_eq!(out, [-4.0, 3.0, -6.0, 5.0], "{kind}");
                header.npy.read(&path, &[0], 0, &mut out[..3]).unwrap();
                assert_eq!(out[..3], [1.0, 3.0, 5.0], "{kind}");
            }
        }
    }

    #[test]
    fn what_is_no_recording_is_refused_in_words() {
        let cases = [
            ("<f4", "(2, 2, 2)", 32, "has the shape [2, 2, 2]"),
            ("<f4", "(3, 2)", 20, "cut off"),
            ("<c8", "(1, 1)", 8, "save it as float32"),
            ("<f4", "(3, 0)", 0, "no channels"),
        ];
        for (kind, shape, bytes, words) in cases {
            let (_dir, path) = write(kind, false, shape, &vec![0; bytes]);
            let error = header(&path).err().unwrap_or_default();
            assert!(error.contains(words), "{error}, not {words}");
        }
    }
}
