//! Labeled sentences and pairs from files.
//!
//! - text, one example per line: `label<TAB>sentence` or `label<TAB>a<TAB>b`; if the first line has no tab, ` ||| ` is the separator
//!   instead. There is no quoting. Blank lines are skipped;
//! - `.csv` (RFC 4180): the same columns in this order, or in any order with a header that names `label` and `sentence`, or `label`,
//!   `a` and `b`. A text file may have such a header too.

use crate::error::{Error, Problem, Result};
use crate::eval::sentences::task::{Example, SentenceTask};
use std::path::Path;

/// What to do about a line that cannot be used.
const REMEDY: &str = "a line is label<TAB>sentence or label<TAB>a<TAB>b, in UTF-8; all lines must have the same form";

/// The examples of a file.
///
/// # Errors
/// If it cannot be read or is empty; if a line is not UTF-8, differs from the first in its number of columns, or has an empty label or
/// sentence. Every such line is named.
pub fn examples(path: &Path) -> Result<Vec<Example>> {
    let bytes = std::fs::read(path).map_err(Error::io(path, "read"))?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let csv = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv"));
    let (records, mut problems) = if csv { comma_separated(bytes, path)? } else { lines(bytes, path) };
    let mut records = records.into_iter().peekable();
    let columns = match records.peek() {
        None if problems.is_empty() => {
            let what = format!("{}: holds no labeled sentence", path.display());
            return Err(Error::failed(what, REMEDY));
        }
        None => Columns { places: vec![0, 1], of: 2, header: false },
        Some(first) => Columns::of(&first.fields).map_err(|what| {
            let place = format!("{} line {}", path.display(), first.line);
            Error::problems(vec![Problem::new(place, what)], REMEDY)
        })?,
    };
    let mut examples = Vec::new();
    for record in records.skip(usize::from(columns.header)) {
        let place = format!("{} line {}", path.display(), record.line);
        match columns.take(record.fields) {
            Ok((label, first, second)) => examples.push(Example { label, first, second, place }),
            Err(what) => problems.push((record.line, Problem::new(place, what))),
        }
    }
    if problems.is_empty() {
        return Ok(examples);
    }
    problems.sort_by_key(|p| p.0);
    Err(Error::problems(problems.into_iter().map(|p| p.1).collect(), REMEDY))
}

/// A task for cross-validation from one file, named after it.
///
/// # Errors
/// Errors of [`examples`] and [`SentenceTask::new`].
pub fn task(path: &Path) -> Result<SentenceTask> {
    SentenceTask::new(name(path), examples(path)?)
}

/// A task from a training file and a test file, named after the second.
///
/// # Errors
/// Errors of [`examples`] and [`SentenceTask::split`].
pub fn split(train: &Path, test: &Path) -> Result<SentenceTask> {
    SentenceTask::split(name(test), examples(train)?, examples(test)?)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// A line of a file, split into columns.
struct Record {
    line: u64,
    fields: Vec<String>,
}

/// Lines that can be used, and (line, problem) for the others.
type Records = (Vec<Record>, Vec<(u64, Problem)>);

/// Lines with columns separated by tabs or by ` ||| `.
fn lines(bytes: &[u8], path: &Path) -> Records {
    let (mut records, mut problems) = (Vec::new(), Vec::new());
    let mut separator = None;
    for (line, bytes) in (1..).zip(bytes.split(|&b| b == b'\n')) {
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text.strip_suffix('\r').unwrap_or(text),
            Err(e) => {
                let what = format!("not UTF-8 (byte {})", e.valid_up_to() + 1);
                problems.push((line, Problem::new(format!("{} line {line}", path.display()), what)));
                continue;
            }
        };
        if text.trim().is_empty() {
            continue;
        }
        let separator = *separator.get_or_insert(if text.contains('\t') { "\t" } else { " ||| " });
        records.push(Record { line, fields: text.split(separator).map(|f| f.trim().to_string()).collect() });
    }
    (records, problems)
}

/// Records of a `.csv` file.
fn comma_separated(bytes: &[u8], path: &Path) -> Result<Records> {
    let (mut records, mut problems) = (Vec::new(), Vec::new());
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
    for record in reader.byte_records() {
        let record = record.map_err(|e| Error::failed(format!("{}: {e}", path.display()), REMEDY))?;
        let line = record.position().map_or(0, csv::Position::line);
        let fields: std::result::Result<Vec<String>, _> =
            record.iter().map(|f| std::str::from_utf8(f).map(|f| f.trim().to_string())).collect();
        match fields {
            Ok(fields) => records.push(Record { line, fields }),
            Err(_) => {
                problems.push((line, Problem::new(format!("{} line {line}", path.display()), "not UTF-8")));
            }
        }
    }
    Ok((records, problems))
}

/// Which columns hold the label and the sentences.
struct Columns {
    /// The index of the label, then that of the sentence or of the two sentences.
    places: Vec<usize>,
    /// Number of columns in a line.
    of: usize,
    /// Whether the first line names them.
    header: bool,
}

impl Columns {
    fn of(first: &[String]) -> std::result::Result<Columns, String> {
        let find = |names: &[&str]| first.iter().position(|f| names.iter().any(|n| f.eq_ignore_ascii_case(n)));
        let pair = find(&["a", "sentence1"]).zip(find(&["b", "sentence2"]));
        let text = pair.map(|(a, b)| vec![a, b]).or_else(|| find(&["sentence", "text"]).map(|s| vec![s]));
        if let Some((label, text)) = find(&["label"]).zip(text) {
            return Ok(Columns { places: [vec![label], text].concat(), of: first.len(), header: true });
        }
        match first.len() {
            of @ (2 | 3) => Ok(Columns { places: (0..of).collect(), of, header: false }),
            1 => Err("one column: neither a tab nor ||| separates the label from the sentence".into()),
            of => Err(format!("{of} columns, and no header that names them")),
        }
    }

    fn take(&self, mut fields: Vec<String>) -> std::result::Result<(String, String, Option<String>), String> {
        if fields.len() != self.of {
            return Err(format!("{} columns, and {} in the first line", fields.len(), self.of));
        }
        let mut taken = self.places.iter().map(|&at| std::mem::take(&mut fields[at]));
        let (label, first, second) = (taken.next().unwrap_or_default(), taken.next().unwrap_or_default(), taken.next());
        if label.is_empty() {
            return Err("the label is empty".into());
        }
        if first.is_empty() || second.as_ref().is_some_and(String::is_empty) {
            return Err("the sentence is empty".into());
        }
        Ok((label, first, second))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, bytes: &[u8]) -> Result<Vec<Example>> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        examples(&path)
    }

    fn fields(name: &str, bytes: &[u8]) -> Vec<(String, String, Option<String>)> {
        read(name, bytes).unwrap().into_iter().map(|e| (e.label, e.first, e.second)).collect()
    }

    fn own(label: &str, first: &str, second: Option<&str>) -> (String, String, Option<String>) {
        (label.into(), first.into(), second.map(String::from))
    }

    #[test]
    fn tabs_bars_and_commas_give_the_same_examples() {
        let want = [own("pos", "Good, very good.", None), own("neg", "She said \"no\"", None)];
        assert_eq!(fields("t.tsv", b"pos\tGood, very good.\r\n\nneg\tShe said \"no\"\n"), want);
        assert_eq!(fields("t.txt", b"\xef\xbb\xbfpos ||| Good, very good.\nneg ||| She said \"no\""), want);
        assert_eq!(fields("t.csv", b"pos,\"Good, very good.\"\nneg,\"She said \"\"no\"\"\"\n"), want);
        let headed = b"id,Text,label\n7,\"Good, very good.\",pos\n8,\"She said \"\"no\"\"\",neg\n";
        assert_eq!(fields("t.csv", headed), want);
    }

    #[test]
    fn pairs_come_by_order_or_by_header() {
        let want = [own("1", "x y", Some("z")), own("0", "u", Some("v w"))];
        assert_eq!(fields("t.tsv", b"1\tx y\tz\n0\tu\tv w\n"), want);
        assert_eq!(fields("t.csv", b"b,a,label\nz,x y,1\nv w,u,0\n"), want);
        assert_eq!(fields("t.tsv", b"label\ta\tb\n1\tx y\tz\n0\tu\tv w\n"), want);
    }

    #[test]
    fn every_line_that_cannot_be_used_is_named() {
        let text = read("t.tsv", b"a\tone\n\xff\tx\nb\nc\t \nd\tx\ty\n\tz\n").unwrap_err().to_string();
        for part in [
            "t.tsv line 2: not UTF-8 (byte 1)",
            "line 3: 1 columns, and 2",
            "line 4: the sentence is empty",
            "line 5: 3 columns",
            "line 6: the label is empty",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        assert!(text.find("line 2").unwrap() < text.find("line 3").unwrap());
        assert!(read("t.csv", b"a,x\nb,\xff\n").unwrap_err().to_string().contains("t.csv line 2: not UTF-8"));
        assert!(read("t.txt", b"no label here\n").unwrap_err().to_string().contains("t.txt line 1: one column"));
        assert!(read("t.txt", b"\n\n").unwrap_err().to_string().contains("holds no labeled sentence"));
        assert!(read("t.tsv", b"\xff\n").unwrap_err().to_string().contains("line 1: not UTF-8"));
    }
}
