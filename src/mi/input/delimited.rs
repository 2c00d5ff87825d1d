//! Columns of CSV files and of tab-separated tables.

use crate::error::{Error, Problem, Result};
use crate::mi::discrete::{csv_fault, csv_reader};
use crate::mi::input::column::{Cells, Column};
use crate::mi::input::table::{FoundColumn, Table, Wanted};
use csv::StringRecord;
use std::io::{BufRead, Read};

/// The marker that replaces a blank line.
const BLANK: &str = "\u{1}";

/// The remedy for lines of a different length.
const REPAIR: &str = "repair or remove these lines";

/// A table whose first line was read.
pub(super) struct Delimited {
    file: String,
    reader: csv::Reader<Lines>,
    names: Vec<String>,
    /// The first line, and its number.
    first: (StringRecord, u64),
    /// Whether the first line is names.
    named: bool,
}

impl Delimited {
    /// Reads the first line: names, unless each of its cells is a number. Then columns are named 1, 2, ...
    ///
    /// # Errors
    /// There is none, it is not text, or its cells are separated by something else.
    pub(super) fn open(input: Box<dyn BufRead>, file: String, delimiter: u8) -> Result<Delimited> {
        let mut reader = csv_reader(Lines { input, line: Vec::new(), served: 0, quoted: false }, delimiter);
        let mut first = StringRecord::new();
        loop {
            if !reader.read_record(&mut first).map_err(|e| fault(&file, &e))? {
                return Err(Error::failed(format!("{file} is empty"), "was it written to the end?"));
            }
            if !is_blank(&first) {
                break;
            }
        }
        let line = line(&first);
        if first.len() == 1 && first[0].contains([';', '\t', '|']) && delimiter == b',' {
            let what = format!("{file} line {line}: there is no comma in `{}`", &first[0]);
            return Err(Error::failed(what, "separate cells with commas, or with tabs in a file that ends in .tsv"));
        }
        let named = !first.iter().all(|cell| cell.parse::<f64>().is_ok());
        let names = match named {
            true => first.iter().map(String::from).collect(),
            false => (1..=first.len()).map(|i| i.to_string()).collect(),
        };
        Ok(Delimited { file, reader, names, first: (first, line), named })
    }
}

impl Table for Delimited {
    fn file(&self) -> &str {
        &self.file
    }

    fn names(&self) -> &[String] {
        &self.names
    }

    /// 0, 1, 2 are the names that pandas writes for columns without names.
    fn warning(&self) -> Option<String> {
        let (first, _) = &self.first;
        let counts = |from: usize| first.iter().enumerate().all(|(i, cell)| cell == (from + i).to_string());
        (!self.named && first.len() > 1 && (counts(0) || counts(1))).then(|| {
            let cells: Vec<&str> = first.iter().take(4).collect();
            format!("{}: the first line ({} ...) is taken as numbers, not as names", self.file, cells.join(", "))
        })
    }

    fn read(mut self: Box<Self>, wanted: &[Wanted]) -> Result<FoundColumn> {
        let mut cells: Vec<Cells> = wanted.iter().map(|w| Cells::new(w.labels)).collect();
        let (mut lines, mut problems) = (Vec::new(), Vec::new());
        let width = self.names.len();
        let mut add = |record: &StringRecord, line: u64| {
            if record.len() != width {
                let what = format!("has {} cells, the first line has {width}", record.len());
                return problems.push(Problem::new(format!("{} line {line}", self.file), what));
            }
            cells.iter_mut().zip(wanted).for_each(|(cells, w)| cells.push_text(&record[w.at]));
            lines.push(line);
        };
        if !self.named {
            add(&self.first.0, self.first.1);
        }
        // In a table of one column a blank line is a missing cell, unless nothing comes after it.
        let mut blank = Vec::new();
        let mut record = StringRecord::new();
        while self.reader.read_record(&mut record).map_err(|e| fault(&self.file, &e))? {
            let line = line(&record);
            if is_blank(&record) {
                if width == 1 {
                    blank.push(line);
                }
                continue;
            }
            blank.drain(..).for_each(|line| add(&StringRecord::from(vec![""]), line));
            add(&record, line);
        }
        if !problems.is_empty() {
            return Err(Error::problems(problems, REPAIR));
        }
        if lines.is_empty() {
            let what = format!("{} has no rows below a line of names", self.file);
            return Err(Error::failed(what, "give one row per sample"));
        }
        let column = |(cells, w): (Cells, &Wanted)| vec![Column { name: self.names[w.at].clone(), cells }];
        Ok(FoundColumn { columns: cells.into_iter().zip(wanted).map(column).collect(), lines: Some(lines) })
    }
}

fn fault(file: &str, e: &csv::Error) -> Error {
    Error::failed(format!("{file}: {}", csv_fault(e)), "save it as text in UTF-8")
}

fn line(record: &StringRecord) -> u64 {
    record.position().map_or(0, csv::Position::line)
}

fn is_blank(record: &StringRecord) -> bool {
    record.len() == 1 && &record[0] == BLANK
}

/// The lines of a table, each ending in one newline, with a marker in blank lines. The CSV reader would skip blank lines and
/// count them as part of the next line.
struct Lines {
    input: Box<dyn BufRead>,
    line: Vec<u8>,
    /// The number of bytes of the line that were read.
    served: usize,
    /// Whether the line begins inside quotes.
    quoted: bool,
}

impl Read for Lines {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if self.served == self.line.len() {
            self.line.clear();
            self.served = 0;
            self.input.read_until(b'\n', &mut self.line)?;
            if self.line.ends_with(b"\r\n") {
                self.line.truncate(self.line.len() - 2);
                self.line.push(b'\n');
            }
            if self.line == b"\n" && !self.quoted {
                self.line.splice(..0, BLANK.bytes());
            }
            self.quoted ^= self.line.iter().filter(|b| **b == b'"').count() % 2 == 1;
        }
        let n = (self.line.len() - self.served).min(out.len());
        out[..n].copy_from_slice(&self.line[self.served..][..n]);
        self.served += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn open(text: &str, delimiter: u8) -> Result<Delimited> {
        Delimited::open(Box::new(Cursor::new(text.as_bytes().to_vec())), "d.csv".into(), delimiter)
    }

    fn read(text: &str, at: usize) -> Result<(Vec<f64>, Vec<u64>)> {
        let found = Box::new(open(text, b',')?).read(&[Wanted { at, labels: false }])?;
        match found.columns.into_iter().flatten().next().map(|c| c.cells) {
            Some(Cells::Numbers { values, .. }) => Ok((values, found.lines.unwrap_or_default())),
            _ => panic!("no numbers"),
        }
    }

    #[test]
    fn the_first_line_is_names_unless_all_of_it_is_numbers() {
        assert_eq!(open("\u{feff}a, b\n1,2\n", b',').unwrap().names(), ["a", "b"]);
        assert_eq!(open("1,2e3\n3,4\n", b',').unwrap().names(), ["1", "2"]);
        assert_eq!(open("a\tb, c\n1\t2\n", b'\t').unwrap().names(), ["a", "b, c"]);
        assert_eq!(read("1,2\n3,4\n", 1).unwrap(), (vec![2.0, 4.0], vec![1, 2]));
        assert_eq!(read("a,b\n3,4\n", 1).unwrap(), (vec![4.0], vec![2]));
        assert!(open("0,1,2\n0.5,0.1,0.2\n", b',').unwrap().warning().unwrap().contains("(0, 1, 2 ...)"));
        assert_eq!(open("0.5,1,2\n", b',').unwrap().warning(), None);
    }

    #[test]
    fn lines_are_counted_over_blank_ones_quotes_and_both_line_ends() {
        for end in ["\n", "\r\n"] {
            let text = ["", "a,b", "1,\"x", "", "y\"", "", "2,z", "", "3,z", "", ""].join(end);
            assert_eq!(read(&text, 0).unwrap(), (vec![1.0, 2.0, 3.0], vec![3, 7, 9]), "{end:?}");
        }
    }

    #[test]
    fn a_blank_line_is_a_missing_cell_where_there_is_one_column() {
        let (values, lines) = read("a\n1\n\n2\n\"\"\n\n\n", 0).unwrap();
        assert_eq!(lines, [2, 3, 4, 5]);
        assert!(values[1].is_nan() && values[3].is_nan() && values[2] == 2.0);
    }

    #[test]
    fn tables_that_are_none_are_refused() {
        let fault = |text: &str| read(text, 0).unwrap_err().to_string();
        assert_eq!(fault(""), "d.csv is empty");
        assert_eq!(fault("\n\n"), "d.csv is empty");
        assert_eq!(fault("a,b\n"), "d.csv has no rows below a line of names");
        assert_eq!(fault("a;b\n1;2\n"), "d.csv line 1: there is no comma in `a;b`");
        assert_eq!(
            fault("a,b\n1\n1,2\n\n1,2,3\n"),
            "d.csv line 2: has 1 cells, the first line has 2\nd.csv line 5: has 3 cells, the first line has 2"
        );
        let latin: Box<dyn BufRead> = Box::new(Cursor::new(b"a,b\n1,\xe9\n".to_vec()));
        let table = Delimited::open(latin, "d.csv".into(), b',').unwrap();
        let e = Box::new(table).read(&[Wanted { at: 0, labels: false }]).err().unwrap();
        assert_eq!(e.to_string(), "d.csv: line 2 is not text (UTF-8)");
    }
}
