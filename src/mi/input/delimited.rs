//! Columns of CSV files and of tab-separated tables, of any [`Dialect`].

use crate::data::dialect::{Dialect, FirstLine, first_line, is_number, sample};
use crate::data::plain::{HEAD, TO_UTF8, decoded, newlines, no_page};
use crate::error::{Error, Problem, Result};
use crate::mi::discrete::{csv_fault, csv_reader};
use crate::mi::input::column::{Cells, Column};
use crate::mi::input::table::{FoundColumn, Table, Wanted};
use csv::StringRecord;
use std::io::{self, BufRead, Cursor, Read};

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
    /// Why the first line is taken as names, or as a row, if that is not plain to see.
    warning: Option<String>,
}

impl Delimited {
    /// Reads the first line: names, or a row of columns that are then named 1, 2, ... `usual` separates cells if nothing speaks against it;
    /// `asked` are names and patterns of columns.
    ///
    /// # Errors
    /// There is none, it is not text, or it cannot be told whether it is names.
    pub(super) fn open(input: Box<dyn Read>, file: String, usual: u8, asked: &[String]) -> Result<Delimited> {
        let unread = |e: io::Error| Error::failed(format!("{file}: cannot be read: {e}"), "copy it again");
        let mut input = decoded(input).map_err(unread)?.map_err(|refused| refused.error(&file))?;
        let mut start = Vec::new();
        input.by_ref().take(HEAD as u64).read_to_end(&mut start).map_err(unread)?;
        no_page(&start).map_err(|refused| refused.error(&file))?;
        let plain = newlines(start.clone());
        let whole = start.len() < HEAD;
        let dialect = Dialect::of(&plain, usual, whole);
        let records = sample(&plain[dialect.skip..], dialect.separator, whole);
        let input: Box<dyn BufRead> = Box::new(Cursor::new(start).chain(input));
        let mut reader = csv_reader(Lines { input, line: Vec::new(), served: 0, quoted: false }, dialect.separator);
        let mut first = StringRecord::new();
        let mut skip = dialect.skip > 0;
        loop {
            if !reader.read_record(&mut first).map_err(|e| fault(&file, &e))? {
                return Err(Error::failed(format!("{file} is empty"), "was it written to the end?"));
            }
            if !std::mem::take(&mut skip) && !is_blank(&first) {
                break;
            }
        }
        if first.len() == 1 && by_blanks(&records) {
            let what = format!("{file}: cells are separated by blanks, as in `{}`", &first[0]);
            return Err(Error::failed(
                what,
                "separate them with commas, semicolons or tabs: tr -s ' ' ',' < FILE > NEW",
            ));
        }
        let line = line(&first);
        let found = first_line(&records, quotes(&plain[dialect.skip..]));
        let (named, warning) = decide(found, &first, asked, &file)?;
        let names = match named {
            true => first.iter().map(String::from).collect(),
            false => (1..=first.len()).map(|i| i.to_string()).collect(),
        };
        Ok(Delimited { file, reader, names, first: (first, line), named, warning })
    }
}

/// Whether each line is one cell of several numbers, apart from a first line of names.
fn by_blanks(records: &[StringRecord]) -> bool {
    let numbers = |record: &StringRecord| {
        let mut words = record[0].split_whitespace();
        record.len() == 1 && words.clone().count() > 1 && words.all(is_number)
    };
    records.len() > 1 && records[1..].iter().all(numbers)
}

/// Whether the first line has quotes, and the next has none.
fn quotes(start: &[u8]) -> bool {
    let mut lines = start.split(|b| *b == b'\n').filter(|line| !line.is_empty());
    let mut quoted = || lines.next().map(|line| line.contains(&b'"'));
    (quoted(), quoted()) == (Some(true), Some(false))
}

/// Whether the first line is names, and a warning if that is not plain to see. Columns that are asked for by names in it say that it is.
fn decide(found: FirstLine, first: &StringRecord, asked: &[String], file: &str) -> Result<(bool, Option<String>)> {
    let exact: Vec<&str> = asked.iter().map(|a| a.trim()).filter(|a| !a.contains(['*', '?'])).collect();
    let is_place = |a: &&str| a.parse::<usize>().is_ok_and(|n| (1..=first.len()).contains(&n));
    let all_places = !exact.is_empty() && exact.iter().all(is_place);
    let by_name = !exact.is_empty() && exact.iter().all(|a| first.iter().any(|cell| cell == *a));
    if by_name && !all_places {
        return Ok((true, None));
    }
    let cells: Vec<&str> = first.iter().take(4).collect();
    let shown = format!("{}{}", cells.join(", "), if first.len() > 4 { " ..." } else { "" });
    let text = first.iter().any(|cell| !cell.is_empty() && cell.parse::<f64>().is_err());
    match found {
        FirstLine::Names => {
            let note = format!(
                "{file}: the first line ({shown}) is taken as names: the numbers below it are of another form or size"
            );
            Ok((true, (!text).then_some(note)))
        }
        FirstLine::Row => {
            let note = format!("{file}: the first line ({shown}) is taken as a row, not as names");
            Ok((false, text.then_some(note)))
        }
        FirstLine::RowOfCounts => {
            let note = format!(
                "{file}: the first line ({shown}) is taken as a row of numbers, not as names; if it is names, choose columns by them, \
                 with --x and --y"
            );
            Ok((false, Some(note)))
        }
        FirstLine::Unclear if all_places => Ok((false, None)),
        FirstLine::Unclear => {
            let what = format!("{file}: the first line ({shown}) may be a row or names");
            let remedy = "choose columns with --x and --y, by the names in it or by their numbers 1, 2, ...; or write a line of names above it";
            Err(Error::usage(what, remedy))
        }
    }
}

impl Table for Delimited {
    fn file(&self) -> &str {
        &self.file
    }

    fn names(&self) -> &[String] {
        &self.names
    }

    fn warning(&self) -> Option<String> {
        self.warning.clone()
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
    Error::failed(format!("{file}: {}", csv_fault(e)), TO_UTF8)
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
    /// The line, or the lines if they end with carriage returns alone.
    line: Vec<u8>,
    /// The number of bytes of the line that were read.
    served: usize,
    /// Whether the line begins inside quotes.
    quoted: bool,
}

impl Read for Lines {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.served == self.line.len() {
            self.line.clear();
            self.served = 0;
            let mut read = Vec::new();
            self.input.read_until(b'\n', &mut read)?;
            if read.contains(&0) {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a line has a NUL byte, which no text has"));
            }
            for line in newlines(read).split_inclusive(|b| *b == b'\n') {
                if line == b"\n" && !self.quoted {
                    self.line.extend_from_slice(BLANK.as_bytes());
                }
                self.line.extend_from_slice(line);
                self.quoted ^= line.iter().filter(|b| **b == b'"').count() % 2 == 1;
            }
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
        Delimited::open(Box::new(Cursor::new(text.as_bytes().to_vec())), "d.csv".into(), delimiter, &[])
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
        assert!(open("0,1,2\n5,1,2\n", b',').unwrap().warning().unwrap().contains("(0, 1, 2)"));
        assert_eq!(open("0.5,1,2\n", b',').unwrap().warning(), None);
    }

    #[test]
    fn lines_are_counted_over_blank_ones_quotes_and_both_line_ends() {
        for end in ["\n", "\r\n", "\r"] {
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
        assert_eq!(
            fault("a,b\n1\n1,2\n\n1,2,3\n"),
            "d.csv line 2: has 1 cells, the first line has 2\nd.csv line 5: has 3 cells, the first line has 2"
        );
        assert_eq!(fault("a,b\n1,2\n3,\u{0}4\n"), "d.csv: a line has a NUL byte, which no text has");
        assert_eq!(fault("<!DOCTYPE html>\n<p>1,2</p>\n"), "d.csv: is a page of HTML");
        let latin: Box<dyn Read> = Box::new(Cursor::new(b"a,b\n1,\xe9\n".to_vec()));
        let table = Delimited::open(latin, "d.csv".into(), b',', &[]).unwrap();
        let e = Box::new(table).read(&[Wanted { at: 0, labels: false }]).err().unwrap();
        assert_eq!(e.to_string(), "d.csv: line 2 is not text (UTF-8)");
    }

    #[test]
    fn separators_and_decimal_commas_are_seen_from_the_lines() {
        for text in
            ["a,b\n1.5,2\n-3,0.25\n", "a;b\n1,5;2\n-3;0,25\n", "a\tb\n1,5\t2\n-3\t0,25\n", "a|b\n1.5|2\n-3|0.25\n"]
        {
            assert_eq!(read(text, 0).unwrap(), (vec![1.5, -3.0], vec![2, 3]), "{text}");
            assert_eq!(read(text, 1).unwrap().0, [2.0, 0.25], "{text}");
        }
        assert_eq!(read("\"a\",\"b\"\n\"1,5\",\"2\"\n", 0).unwrap().0, [1.5]);
        // Without names; and with the line that Excel writes.
        assert_eq!(read("1,5;2,5\n0,25;7\n", 1).unwrap(), (vec![2.5, 7.0], vec![1, 2]));
        assert_eq!(read("sep=;\na;b\n1,5;2,5\n", 1).unwrap(), (vec![2.5], vec![3]));
    }

    #[test]
    fn cells_that_blanks_separate_are_named() {
        for text in ["1.5 2.5\n3 4\n", "a b\n1.5  2.5\n3 4\n"] {
            let e = open(text, b',').err().unwrap();
            assert!(e.to_string().starts_with("d.csv: cells are separated by blanks, as in `"), "{e}");
        }
        assert_eq!(open("first name\n1\n2\n", b',').unwrap().names(), ["first name"]);
    }

    #[test]
    fn names_that_are_numbers_are_names_where_that_can_be_seen_or_is_asked_for() {
        let asking = |text: &str, asked: &[&str]| {
            let asked: Vec<String> = asked.iter().map(ToString::to_string).collect();
            Delimited::open(Box::new(Cursor::new(text.as_bytes().to_vec())), "d.csv".into(), b',', &asked)
        };
        let years = asking("2019,2020\n0.5,1.25\n2.0,1.5\n", &[]).unwrap();
        assert_eq!(
            (years.names(), years.warning().unwrap().contains("(2019, 2020) is taken as names")),
            (&["2019".into(), "2020".into()][..], true)
        );
        let whole = "2019,2020\n5,7\n3,4\n";
        assert!(asking(whole, &[]).unwrap().warning().unwrap().contains("taken as a row of numbers"));
        assert_eq!(asking(whole, &["1", "2"]).unwrap().names(), ["1", "2"]);
        assert_eq!(asking(whole, &["2020", "2019"]).unwrap().names(), ["2019", "2020"]);
        // A row that begins with text.
        let unclear = "s1,1.5\ns2,2.5\n";
        let e = asking(unclear, &[]).err().unwrap();
        assert_eq!(
            (e.to_string().as_str(), e.exit_code()),
            ("d.csv: the first line (s1, 1.5) may be a row or names", 2)
        );
        assert_eq!(asking(unclear, &["2"]).unwrap().names(), ["1", "2"]);
        assert_eq!(asking(unclear, &["1.5"]).unwrap().names(), ["s1", "1.5"]);
        assert_eq!(asking(&format!("id,value\n{unclear}"), &[]).unwrap().names(), ["id", "value"]);
    }
}
