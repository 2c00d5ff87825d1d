//! A table of texts and numbers in a file: CSV, parquet, or the numbers alone as an array of numpy.

use super::NpyWriter;
use crate::durable;
use crate::error::{Error, Result};
use std::path::Path;

/// A table with a row for each recording.
#[derive(Debug, Clone, PartialEq)]
pub struct TextTable {
    /// Columns of texts, by name.
    pub texts: Vec<(String, Vec<String>)>,
    /// Columns of numbers, by name.
    pub numbers: Vec<(String, Vec<f64>)>,
}

impl TextTable {
    fn rows(&self) -> usize {
        let texts = self.texts.first().map(|(_, cells)| cells.len());
        texts.or_else(|| self.numbers.first().map(|(_, cells)| cells.len())).unwrap_or(0)
    }

    /// Writes the table to `path` atomically, in the format that its name says.
    ///
    /// # Errors
    /// The name says no known format, or the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
        let unfinished = durable::unfinished(path)?;
        match ending.as_str() {
            "csv" => self.csv(&unfinished, b',')?,
            "tsv" => self.csv(&unfinished, b'\t')?,
            "npy" => self.npy(&unfinished)?,
            #[cfg(feature = "parquet")]
            "parquet" => super::format::write_table(&unfinished, self)?,
            _ => {
                return Err(Error::usage(
                    format!("{}: no format is called `{ending}`", path.display()),
                    "let the name end with .csv, .tsv, .npy or .parquet",
                ));
            }
        }
        durable::keep(unfinished, path)
    }

    fn csv(&self, path: &Path, separator: u8) -> Result<()> {
        let fault = |e: csv::Error| Error::failed(format!("{}: {e}", path.display()), "check the disk");
        let mut out = csv::WriterBuilder::new().delimiter(separator).from_path(path).map_err(fault)?;
        let names = self.texts.iter().map(|(name, _)| name).chain(self.numbers.iter().map(|(name, _)| name));
        out.write_record(names).map_err(fault)?;
        for i in 0..self.rows() {
            let numbers = self.numbers.iter().map(|(_, cells)| decimal(cells[i]));
            out.write_record(self.texts.iter().map(|(_, cells)| cells[i].clone()).chain(numbers)).map_err(fault)?;
        }
        out.flush().map_err(Error::io(path, "write"))
    }

    fn npy(&self, path: &Path) -> Result<()> {
        let mut out = NpyWriter::create(path, self.numbers.len())?;
        for i in 0..self.rows() {
            let row: Vec<f32> = self.numbers.iter().map(|(_, cells)| cells[i] as f32).collect();
            out.write(&row)?;
        }
        out.finish().map(drop)
    }
}

/// Six decimals; of small numbers, such as p-values, six digits.
fn decimal(value: f64) -> String {
    if value != 0.0 && value.abs() < 1e-4 { format!("{value:.5e}") } else { format!("{value:.6}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_where_they_must_be_and_unknown_formats_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let table = TextTable {
            texts: vec![("recording".into(), vec!["a".into(), "b,c".into()])],
            numbers: vec![("p(x)".into(), vec![0.25, 1.0])],
        };
        let path = dir.path().join("p.csv");
        table.write(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "recording,p(x)\na,0.250000\n\"b,c\",1.000000\n");
        table.write(&dir.path().join("p.npy")).unwrap();
        assert!(table.write(&dir.path().join("p.doc")).unwrap_err().to_string().contains("`doc`"));
        assert!(!dir.path().join("p.doc").exists());
    }
}
