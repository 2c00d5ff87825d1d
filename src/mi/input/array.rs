//! numpy arrays: one in a `.npy` file, several by key in a `.npz` file.

use crate::error::{Error, Result};
use crate::mi::input::column::Column;
use crate::mi::input::raw::{Layout, ValueKind};
use crate::mi::input::source::Seekable;
use crate::mi::input::table::{FoundColumn, Table, Wanted};
use npyz::{DType, Endianness, NpyHeader, Order, TypeChar};
use std::io::Read;
use zip::{CompressionMethod, ZipArchive};

/// The remedy for an incomplete file.
const AGAIN: &str = "copy it again, or save it again";

/// A `.npy` file. Its columns are named 1, 2, ...
pub(super) struct Npy {
    file: String,
    input: Box<dyn Seekable>,
    layout: Layout,
    names: Vec<String>,
}

impl Npy {
    /// Reads the header.
    ///
    /// # Errors
    /// It is not a `.npy` file of real numbers or text with one or two dimensions.
    pub(super) fn open(mut input: Box<dyn Seekable>, file: String) -> Result<Npy> {
        let layout = header(&mut input, &file)?;
        let names = (1..=layout.width).map(|i| i.to_string()).collect();
        Ok(Npy { file, input, layout, names })
    }
}

impl Table for Npy {
    fn file(&self) -> &str {
        &self.file
    }

    fn names(&self) -> &[String] {
        &self.names
    }

    fn read(mut self: Box<Self>, wanted: &[Wanted]) -> Result<FoundColumn> {
        let bytes = body(&mut self.input, &self.layout, &self.file)?;
        let column =
            |w: &Wanted| Column { name: self.names[w.at].clone(), cells: self.layout.column(&bytes, w.at, w.labels) };
        Ok(FoundColumn { columns: wanted.iter().map(|w| vec![column(w)]).collect(), lines: None })
    }
}

/// A `.npz` file, whose arrays are stored or deflated.
pub(super) struct Npz {
    file: String,
    archive: ZipArchive<Box<dyn Seekable>>,
    names: Vec<String>,
}

impl Npz {
    /// Reads the list of arrays.
    ///
    /// # Errors
    /// It is not a complete zip file, or has no arrays.
    pub(super) fn open(input: Box<dyn Seekable>, file: String) -> Result<Npz> {
        let archive = ZipArchive::new(input)
            .map_err(|e| Error::failed(format!("{file} is not a whole .npz file ({e})"), AGAIN))?;
        let names = archive.file_names().filter_map(|name| name.ok()?.strip_suffix(".npy").map(String::from));
        let mut names: Vec<String> = names.collect();
        names.sort_by_key(|name| archive.index_for_name(&format!("{name}.npy")));
        if names.is_empty() {
            return Err(Error::failed(format!("{file} holds no arrays"), "save some with numpy.savez"));
        }
        Ok(Npz { file, archive, names })
    }
}

impl Table for Npz {
    fn file(&self) -> &str {
        &self.file
    }

    fn what(&self) -> &'static str {
        "array"
    }

    fn names(&self) -> &[String] {
        &self.names
    }

    fn read(mut self: Box<Self>, wanted: &[Wanted]) -> Result<FoundColumn> {
        let mut columns = Vec::new();
        for w in wanted {
            let name = &self.names[w.at];
            let place = format!("{}: array `{name}`", self.file);
            let damaged = |e: &dyn std::fmt::Display| Error::failed(format!("{place} is damaged ({e})"), AGAIN);
            let mut entry = self.archive.by_name(&format!("{name}.npy")).map_err(|e| damaged(&e))?;
            let method = entry.compression();
            if !matches!(method, CompressionMethod::Stored | CompressionMethod::Deflated) {
                let what = format!("{place} is compressed by {method}, which numpy does not use");
                return Err(Error::failed(what, "save it with numpy.savez_compressed"));
            }
            let layout = header(&mut entry, &place)?;
            let bytes = body(&mut entry, &layout, &place)?;
            // The checksum is verified at the end of the entry.
            entry.read(&mut [0]).map_err(|e| damaged(&e))?;
            columns.push(layout.columns(&bytes, name, w.labels));
        }
        Ok(FoundColumn { columns, lines: None })
    }
}

/// Reads the header of an array.
fn header(input: &mut impl Read, place: &str) -> Result<Layout> {
    let header = NpyHeader::from_reader(input)
        .map_err(|e| Error::failed(format!("{place} is not a whole array of numpy ({e})"), AGAIN))?;
    let dtype = header.dtype();
    let refuse = |what: String, remedy: &str| Err(Error::failed(format!("{place} holds {what}"), remedy));
    // A pickle is a program; none of it is ever run.
    if dtype.uses_pickled_array() {
        return refuse(
            "Python objects (a pickle), which are never read: that could run any program".into(),
            "save numbers or text, with x.astype(float) or x.astype(str)",
        );
    }
    let DType::Plain(kind) = &dtype else {
        return refuse(format!("records ({})", dtype.descr()), "save each field as a separate array");
    };
    let found = match (kind.type_char(), kind.size_field()) {
        (TypeChar::Bool, 1) => ValueKind::Bool,
        (TypeChar::Int, 1) => ValueKind::I8,
        (TypeChar::Int, 2) => ValueKind::I16,
        (TypeChar::Int, 4) => ValueKind::I32,
        (TypeChar::Int, 8) => ValueKind::I64,
        (TypeChar::Uint, 1) => ValueKind::U8,
        (TypeChar::Uint, 2) => ValueKind::U16,
        (TypeChar::Uint, 4) => ValueKind::U32,
        (TypeChar::Uint, 8) => ValueKind::U64,
        (TypeChar::Float, 2) => ValueKind::F16,
        (TypeChar::Float, 4) => ValueKind::F32,
        (TypeChar::Float, 8) => ValueKind::F64,
        (TypeChar::ByteStr, n) => ValueKind::Bytes(usize::try_from(n).unwrap_or(usize::MAX)),
        (TypeChar::UnicodeStr, n) => ValueKind::Characters(usize::try_from(n).unwrap_or(usize::MAX)),
        (TypeChar::Complex, _) => {
            let remedy = "save the real and the imaginary part as two columns, with numpy.column_stack";
            return refuse(format!("complex numbers ({})", dtype.descr()), remedy);
        }
        _ => return refuse(dtype.descr(), "save it as float64, with x.astype(float)"),
    };
    let shape: Vec<usize> = header.shape().iter().map(|n| usize::try_from(*n).unwrap_or(usize::MAX)).collect();
    let layout = Layout::new(place, found, &shape)?;
    Ok(layout.big_endian(kind.endianness() == Endianness::Big).by_columns(header.order() == Order::Fortran))
}

/// Reads the bytes that the header promises.
fn body(input: &mut impl Read, layout: &Layout, place: &str) -> Result<Vec<u8>> {
    let cut = |held: usize, of: String| {
        Error::failed(format!("{place} is cut off: it has {held} of the {of} bytes that its header promises"), AGAIN)
    };
    let size = layout.size().ok_or_else(|| cut(0, "countless".into()))?;
    let mut bytes = Vec::new();
    input
        .take(size as u64)
        .read_to_end(&mut bytes)
        .map_err(|e| Error::failed(format!("{place} cannot be read to its end ({e})"), AGAIN))?;
    if bytes.len() == size { Ok(bytes) } else { Err(cut(bytes.len(), size.to_string())) }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::mi::input::column::Cells;
    use crate::mi::input::open::open;
    use std::fs::File;
    use std::io::Write;
    use std::path::Path;
    use zip::write::SimpleFileOptions;

    /// A `.npy` file.
    pub(in super::super) fn npy(descr: &str, fortran: bool, shape: &str, bytes: &[u8]) -> Vec<u8> {
        let order = if fortran { "True" } else { "False" };
        let dict = format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n");
        let mut all = b"\x93NUMPY\x01\x00".to_vec();
        all.extend((dict.len() as u16).to_le_bytes());
        all.extend(dict.as_bytes());
        all.extend(bytes);
        all
    }

    /// A `.npy` file of float64.
    pub(in super::super) fn floats(shape: &str, values: &[f64]) -> Vec<u8> {
        npy("'<f8'", false, shape, &values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>())
    }

    /// Writes a `.npz` file.
    pub(in super::super) fn npz(path: &Path, method: CompressionMethod, arrays: &[(&str, Vec<u8>)]) {
        let mut zip = zip::ZipWriter::new(File::create(path).unwrap());
        for (name, bytes) in arrays {
            let options = SimpleFileOptions::default().compression_method(method);
            zip.start_file(format!("{name}.npy"), options).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap();
    }

    fn all(path: &Path) -> Result<Vec<(String, Vec<f64>)>> {
        let table = open(&path.into(), &[])?;
        let wanted: Vec<Wanted> = (0..table.names().len()).map(|at| Wanted { at, labels: false }).collect();
        let columns = table.read(&wanted)?.columns.into_iter().flatten();
        Ok(columns
            .map(|column| match column.cells {
                Cells::Numbers { values, .. } => (column.name, values),
                Cells::Labels(_) => panic!("labels"),
            })
            .collect())
    }

    fn written(dir: &Path, bytes: &[u8]) -> Result<Vec<(String, Vec<f64>)>> {
        let path = dir.join("a.npy");
        std::fs::write(&path, bytes).unwrap();
        all(&path)
    }

    #[test]
    fn arrays_of_one_and_two_dimensions_are_read_in_every_order() {
        let dir = tempfile::tempdir().unwrap();
        let named = |n: usize, values: &[f64]| (n.to_string(), values.to_vec());
        let read = |bytes: &[u8]| written(dir.path(), bytes).unwrap();
        assert_eq!(read(&floats("(3,)", &[1.0, 2.0, 3.0])), [named(1, &[1.0, 2.0, 3.0])]);
        assert_eq!(read(&floats("(2, 2)", &[1.0, 2.0, 3.0, 4.0])), [named(1, &[1.0, 3.0]), named(2, &[2.0, 4.0])]);
        let columns = npy("'>i2'", true, "(2, 2)", &[0, 1, 0, 2, 0xff, 0xff, 0, 4]);
        assert_eq!(read(&columns), [named(1, &[1.0, 2.0]), named(2, &[-1.0, 4.0])]);
        assert_eq!(read(&npy("'|b1'", false, "(2,)", &[0, 1])), [named(1, &[0.0, 1.0])]);
        assert_eq!(read(&npy("'<f2'", false, "(1,)", &[0, 0x3c])), [named(1, &[1.0])]);
        assert_eq!(read(&npy("'<U2'", false, "(1,)", &[b'1', 0, 0, 0, b'5', 0, 0, 0])), [named(1, &[15.0])]);
    }

    #[test]
    fn arrays_that_cannot_be_samples_are_refused_with_the_reason() {
        let dir = tempfile::tempdir().unwrap();
        let refused = |bytes: &[u8]| {
            let e = written(dir.path(), bytes).unwrap_err();
            assert_eq!(e.exit_code(), 1, "{e}");
            e.to_string()
        };
        for (bytes, reason) in [
            (npy("'<c16'", false, "(1,)", &[0; 16]), "holds complex numbers ('<c16')"),
            (npy("'|O'", false, "(1,)", b"cos\nsystem\n"), "holds Python objects (a pickle)"),
            (npy("[('a', '<f4')]", false, "(1,)", &[0; 4]), "holds records"),
            (npy("'<M8[s]'", false, "(1,)", &[0; 8]), "holds '<M8[s]'"),
            (npy("'<f8'", false, "(2, 2, 2)", &[0; 64]), "has the shape [2, 2, 2]"),
            (npy("'<f8'", false, "(3,)", &[0; 23]), "is cut off: it has 23 of the 24 bytes"),
            (npy("'<f8'", false, "(4611686018427387904, 4)", &[0; 8]), "is cut off"),
            (b"a poem".to_vec(), "is not a whole array of numpy"),
            (b"\x93NUMPY\x01\x00\x76\x00{'descr'".to_vec(), "is not a whole array of numpy"),
        ] {
            let message = refused(&bytes);
            assert!(message.contains(reason) && message.contains("a.npy"), "{message}");
        }
    }

    #[test]
    fn arrays_of_an_archive_are_read_by_key_stored_or_deflated() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.npz");
        for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
            npz(&path, method, &[("b", floats("(2,)", &[1.0, 2.0])), ("a", floats("(1, 2)", &[3.0, 4.0]))]);
            assert_eq!(open(&(&path).into(), &[]).unwrap().names(), ["b", "a"]);
            let expected = [("b", vec![1.0, 2.0]), ("a.1", vec![3.0]), ("a.2", vec![4.0])];
            assert_eq!(all(&path).unwrap(), expected.map(|(name, values)| (name.to_string(), values)));
        }
    }

    #[test]
    fn an_archive_that_is_damaged_or_pickled_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.npz");
        npz(&path, CompressionMethod::Stored, &[("a", npy("'|O'", false, "(1,)", b"cos\nsystem\n"))]);
        let message = all(&path).unwrap_err().to_string();
        assert!(
            message.ends_with(
                "array `a` holds Python objects (a pickle), which are never read: that could run any program"
            )
        );
        npz(&path, CompressionMethod::Stored, &[("a", floats("(2,)", &[1.0, 2.0]))]);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        assert!(all(&path).unwrap_err().to_string().contains("is not a whole .npz file"));
        let mut changed = whole.clone();
        let at = whole.windows(8).position(|w| w == 2f64.to_le_bytes()).unwrap();
        changed[at] ^= 1;
        std::fs::write(&path, changed).unwrap();
        assert!(all(&path).unwrap_err().to_string().contains("array `a` is damaged"));
        npz(&path, CompressionMethod::Stored, &[]);
        assert!(all(&path).unwrap_err().to_string().ends_with("holds no arrays"));
    }
}
