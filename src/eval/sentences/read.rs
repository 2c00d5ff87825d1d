//! Labeled sentences and pairs from files.
//!
//! - text, one example per line: `label<TAB>sentence` or `label<TAB>a<TAB>b`; if the first line has no tab, ` ||| ` is the separator
//!   instead. There is no quoting. Blank lines are skipped;
//! - `.csv` (RFC 4180, with commas, semicolons, tabs or bars): the same columns.
//!
//! The columns come in this order, or in any order with a first line that names them: `label` and `sentence`, or `label`, `a` and `b`, or other
//! usual names of these. Further columns that such a line names are ignored.

use crate::data::dialect::Dialect;
use crate::data::{header, plain};
use crate::error::{Error, Problem, Result};
use crate::eval::sentences::task::{Example, SentenceTask};
use std::collections::HashSet;
use std::path::Path;

/// What to do about a line that cannot be used.
const REMEDY: &str = "a line is label<TAB>sentence or label<TAB>a<TAB>b, in UTF-8; all lines must have the same form";

/// What to do about columns that are not clear.
const NAME_THEM: &str =
    "put the label first, or write a first line that names the columns `label` and `sentence`, or `label`, `a` and `b`";

/// Names of the column of labels.
const LABELS: [&str; 14] = [
    "label",
    "labels",
    "goldlabel",
    "class",
    "category",
    "target",
    "sentiment",
    "polarity",
    "genre",
    "topic",
    "emotion",
    "intent",
    "stars",
    "rating",
];

/// Names of the column of sentences.
const SENTENCES: [&str; 12] = [
    "sentence",
    "text",
    "sentences",
    "texts",
    "review",
    "content",
    "document",
    "utterance",
    "comment",
    "phrase",
    "tweet",
    "question",
];

/// Names of the columns of pairs.
const PAIRS: [[&str; 2]; 8] = [
    ["a", "b"],
    ["sentence1", "sentence2"],
    ["sentencea", "sentenceb"],
    ["text1", "text2"],
    ["texta", "textb"],
    ["question1", "question2"],
    ["premise", "hypothesis"],
    ["s1", "s2"],
];

/// The examples of a file.
///
/// # Errors
/// If it cannot be read or is empty; if a line is not UTF-8, differs from the first in its number of columns, or has an empty label or
/// sentence (every such line is named); if the labels are in another column than the first, and no line says so.
pub fn examples(path: &Path) -> Result<Vec<Example>> {
    let bytes = plain::bytes(path)?;
    plain::no_page(&bytes).map_err(|refused| refused.error(&path.display().to_string()))?;
    let csv = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv"));
    let (records, mut problems) = if csv { separated(&bytes, path)? } else { lines(&bytes, path) };
    let columns = match records.first() {
        None if problems.is_empty() => {
            let what = format!("{}: holds no labeled sentence", path.display());
            return Err(Error::failed(what, REMEDY));
        }
        None => Columns { places: vec![0, 1], of: 2, header: false },
        Some(first) => Columns::of(&records).map_err(|what| {
            let place = format!("{} line {}", path.display(), first.line);
            Error::problems(vec![Problem::new(place, what)], REMEDY)
        })?,
    };
    if let Some(what) = columns.misplaced(&records) {
        return Err(Error::failed(format!("{}: {what}", path.display()), NAME_THEM));
    }
    let mut examples = Vec::new();
    for record in records.into_iter().skip(usize::from(columns.header)) {
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
fn separated(bytes: &[u8], path: &Path) -> Result<Records> {
    let (mut records, mut problems) = (Vec::new(), Vec::new());
    let dialect = Dialect::of(bytes, b',', true);
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(dialect.separator).from_reader(bytes);
    for record in reader.byte_records().skip(usize::from(dialect.skip > 0)) {
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
    fn of(records: &[Record]) -> std::result::Result<Columns, String> {
        let first = records.first().map_or(&[][..], |r| &r.fields);
        let pair = PAIRS.iter().find_map(|[a, b]| header::place(first, &[a]).zip(header::place(first, &[b])));
        let text = header::place(first, &SENTENCES);
        let label = header::place(first, &LABELS);
        let texts = pair.map(|(a, b)| vec![a, b]).or_else(|| text.map(|s| vec![s]));
        let named = |label: usize, texts: Vec<usize>| Columns {
            places: [vec![label], texts].concat(),
            of: first.len(),
            header: true,
        };
        if let Some((label, texts)) = label.zip(texts) {
            return Ok(named(label, texts));
        }
        // One name that is known, and another word: names, unless the known one is a label that occurs again.
        if let ([_, _], Some(known)) = (first, label.or(text)) {
            let again = records[1..].iter().any(|r| r.fields.get(known) == Some(&first[known]));
            let word = !first[1 - known].is_empty() && !first[1 - known].contains(char::is_whitespace);
            if word && !again {
                return Ok(if label.is_some() { named(known, vec![1 - known]) } else { named(1 - known, vec![known]) });
            }
        }
        match first.len() {
            of @ (2 | 3) => Ok(Columns { places: (0..of).collect(), of, header: false }),
            1 => Err("one column: neither a tab nor ||| separates the label from the sentence".into()),
            of => Err(format!("{of} columns, and no header that names them")),
        }
    }

    /// What is wrong, if the labels stand in the last column although no line says so: then the first has mostly different values, and the last
    /// has few.
    fn misplaced(&self, records: &[Record]) -> Option<String> {
        let distinct = |at: usize| records.iter().filter_map(|r| r.fields.get(at)).collect::<HashSet<_>>().len();
        let (first, last, n) = (distinct(0), distinct(self.of - 1), records.len());
        let misplaced = !self.header && n >= 6 && first * 2 > n && last * 3 <= first;
        misplaced.then(|| format!("the first column has {first} different labels in {n} lines, the last only {last}"))
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

    #[test]
    fn columns_are_found_by_usual_names_and_by_any_separator() {
        let want = [own("pos", "Good; very good.", None), own("neg", "Bad", None)];
        for (name, text) in [
            ("t.tsv", "text\tsentiment\nGood; very good.\tpos\nBad\tneg\n"),
            ("t.csv", "Review,Stars\nGood; very good.,pos\nBad,neg\n"),
            ("t.csv", "\u{feff}id;label;sentence\r\n1;pos;\"Good; very good.\"\r\n2;neg;Bad\r\n"),
            ("t.csv", "sep=;\nid;label;sentence\n1;pos;\"Good; very good.\"\n2;neg;Bad\n"),
            ("t.tsv", "verse\tgenre\nGood; very good.\tpos\nBad\tneg\n"),
            ("t.tsv", "text\tmood\nGood; very good.\tpos\nBad\tneg\n"),
            ("t.tsv", "pos\tGood; very good.\rneg\tBad\r"),
        ] {
            assert_eq!(fields(name, text.as_bytes()), want, "{text}");
        }
        assert_eq!(
            fields("t.tsv", &crate::data::plain::tests::utf16("pos\tGood; very good.\r\nneg\tBad\r\n", false, true)),
            want
        );
        let pairs = [own("yes", "x", Some("y"))];
        assert_eq!(fields("t.tsv", b"premise\thypothesis\tgold_label\nx\ty\tyes\n"), pairs);
        // A label that is a usual name of a column.
        let kinds = [own("question", "Why?", None), own("answer", "So.", None), own("question", "How?", None)];
        assert_eq!(fields("t.tsv", b"question\tWhy?\nanswer\tSo.\nquestion\tHow?\n"), kinds);
    }

    #[test]
    fn labels_in_the_last_column_are_not_taken_as_sentences() {
        let lines: String = (0..9).map(|i| format!("sentence {i}\t{}\n", i % 2)).collect();
        let e = read("t.tsv", lines.as_bytes()).unwrap_err();
        assert!(
            e.to_string().ends_with("t.tsv: the first column has 9 different labels in 9 lines, the last only 2"),
            "{e}"
        );
        assert_eq!(e.remedy(), NAME_THEM);
        let named = format!("sentence\tlabel\n{lines}");
        assert_eq!(read("t.tsv", named.as_bytes()).unwrap()[1].label, "1");
        assert!(read("t.csv", b"\x1f\x8b\x08").unwrap_err().to_string().ends_with("t.csv: is compressed (gzip)"));
    }
}
