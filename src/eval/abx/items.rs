//! Item files: each item gives a segment of an utterance, its phone, the neighboring phones and the speaker.
//!
//! The format is that of the Zero Resource Speech challenges and Libri-light: a header line that names the fields, usually
//! `#file onset offset #phone prev-phone next-phone speaker`, then one item per line, with times in seconds. The fields come in the order of the
//! header; fields of other names are ignored. Names are numbered in the order in which they first appear.

use crate::data::{header, plain};
use crate::error::{Error, Problem, Result};
use crate::eval::abx::slicing::Decimal;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// One line of an item file.
#[derive(Debug, Clone, Copy)]
pub struct Item {
    /// The line of the file, from 1.
    pub line: u32,
    /// Index into [`ItemFile::utterances`].
    pub utterance: u32,
    /// Where it begins, in seconds.
    pub onset: Decimal,
    /// Where it ends, in seconds.
    pub offset: Decimal,
    /// Index into [`ItemFile::phones`].
    pub phone: u32,
    /// A number that identifies the pair of neighboring phones.
    pub context: u32,
    /// Index into [`ItemFile::speakers`].
    pub speaker: u32,
}

/// All items of a file.
#[derive(Debug, Clone)]
pub struct ItemFile {
    /// The file.
    pub path: PathBuf,
    /// Its items, in its order.
    pub items: Vec<Item>,
    /// Names of utterances.
    pub utterances: Vec<String>,
    /// Names of phones.
    pub phones: Vec<String>,
    /// Names of speakers.
    pub speakers: Vec<String>,
    /// Number of distinct pairs of neighboring phones.
    pub contexts: usize,
}

/// Numbers for names, in the order of their first appearance.
#[derive(Default)]
struct Names {
    known: HashMap<String, u32>,
    names: Vec<String>,
}

impl Names {
    fn number(&mut self, name: &str) -> u32 {
        if let Some(&number) = self.known.get(name) {
            return number;
        }
        let number = self.names.len() as u32;
        self.known.insert(name.to_string(), number);
        self.names.push(name.to_string());
        number
    }
}

/// The times of a line, or what is wrong with them.
fn times(onset: &str, offset: &str) -> std::result::Result<(Decimal, Decimal), String> {
    let time = |text: &str, which: &str| {
        Decimal::parse(text)
            .filter(|t| t.value() >= 0.0)
            .ok_or_else(|| format!("{which} `{text}` is not a number of seconds that is 0 or more"))
    };
    let (on, off) = (time(onset, "onset")?, time(offset, "offset")?);
    if off.value() < on.value() {
        return Err(format!("the offset {offset} lies before the onset {onset}"));
    }
    Ok((on, off))
}

/// The fields of an item, each under the names that it may have.
const FIELDS: [&[&str]; 7] = [
    &["file", "filename", "utterance", "wav"],
    &["onset", "start", "begin"],
    &["offset", "end"],
    &["phone", "phoneme", "item"],
    &["prevphone", "previousphone", "prev", "previous"],
    &["nextphone", "next"],
    &["speaker", "talker", "spk"],
];

/// The places of the fields that a header names; or the field that it does not name.
fn fields(header: &[&str]) -> std::result::Result<[usize; 7], &'static str> {
    let mut places = [0; 7];
    for (at, names) in places.iter_mut().zip(FIELDS) {
        *at = header::place(header, names).ok_or(names[0])?;
    }
    Ok(places)
}

impl ItemFile {
    /// Reads an item file.
    ///
    /// # Errors
    /// The file cannot be read, has no header or no items, or has lines that are not items; all of these lines are named.
    pub fn read(path: &Path) -> Result<ItemFile> {
        let text = plain::text(path)?;
        let mut lines = text.lines().zip(1u32..);
        let remedy = "an item file has the header `#file onset offset #phone prev-phone next-phone speaker`, in any order, and one item per line";
        let header: Vec<&str> = lines.next().map_or_else(Vec::new, |(header, _)| header.split_whitespace().collect());
        let fields = fields(&header).map_err(|lacks| {
            let what = format!("{}:1: is not the header of an item file: it has no `{lacks}`", path.display());
            Error::failed(what, remedy)
        })?;
        let (mut items, mut problems) = (Vec::new(), Vec::new());
        let (mut utterances, mut phones, mut speakers) = (Names::default(), Names::default(), Names::default());
        let mut contexts = Names::default();
        for (text, line) in lines.filter(|(text, _)| !text.trim().is_empty()) {
            let mut at_fault = |what: String| problems.push(Problem::new(format!("{}:{line}", path.display()), what));
            let found: Vec<&str> = text.split_whitespace().collect();
            if found.len() != header.len() {
                at_fault(format!("has {} fields, not the {} of the header", found.len(), header.len()));
                continue;
            }
            let [utterance, onset, offset, phone, previous, next, speaker] = fields.map(|at| found[at]);
            match times(onset, offset) {
                Err(what) => at_fault(what),
                Ok((onset, offset)) => items.push(Item {
                    line,
                    utterance: utterances.number(utterance),
                    onset,
                    offset,
                    phone: phones.number(phone),
                    // Names contain no blanks, so different pairs give different strings.
                    context: contexts.number(&format!("{previous} {next}")),
                    speaker: speakers.number(speaker),
                }),
            }
        }
        if !problems.is_empty() {
            return Err(Error::problems(problems, remedy));
        }
        if items.is_empty() {
            return Err(Error::failed(format!("{}: has no items", path.display()), remedy));
        }
        Ok(ItemFile {
            path: path.to_path_buf(),
            items,
            utterances: utterances.names,
            phones: phones.names,
            speakers: speakers.names,
            contexts: contexts.names.len(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ItemFile> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.item");
        std::fs::write(&path, text).unwrap();
        ItemFile::read(&path)
    }

    const HEADER: &str = "#file onset offset #phone prev-phone next-phone speaker\n";

    #[test]
    fn reads_names_in_order_and_tells_contexts_apart() {
        let file =
            read(&format!("\u{feff}{HEADER}u2 0.1 0.25 a b c s1\r\nu1 0.3 0.4 d b c s2\n\nu1 1 2 a c b s1\n")).unwrap();
        assert_eq!(file.utterances, ["u2", "u1"]);
        assert_eq!(file.phones, ["a", "d"]);
        assert_eq!(file.speakers, ["s1", "s2"]);
        assert_eq!(file.items.iter().map(|i| i.context).collect::<Vec<_>>(), [0, 0, 1]);
        assert_eq!(file.items.iter().map(|i| i.line).collect::<Vec<_>>(), [2, 3, 5]);
        assert_eq!(file.items[0].offset.value(), 0.25);
    }

    #[test]
    fn names_every_line_that_is_no_item() {
        let text =
            format!("{HEADER}u 0.1 0.2 a b c s\nu 0.1 0.2 a b c\nu x 0.2 a b c s\nu 0.3 0.2 a b c s\nu -1 2 a b c s\n");
        let message = read(&text).unwrap_err().to_string();
        for part in
            ["x.item:3: has 6 fields", "x.item:4: onset `x`", "x.item:5: the offset 0.2", "x.item:6: onset `-1`"]
        {
            assert!(message.contains(part), "{part} in {message}");
        }
        assert!(!message.contains("x.item:2"), "{message}");
    }

    #[test]
    fn refuses_a_file_without_header_or_without_items() {
        let error = read("u 0.1 0.2 a b c s\n").unwrap_err();
        assert!(error.to_string().contains("x.item:1: is not the header"), "{error}");
        assert!(error.remedy().contains("#file onset"));
        assert!(read(HEADER).unwrap_err().to_string().contains("has no items"));
    }

    #[test]
    fn fields_come_in_the_order_of_the_header() {
        let usual = read(&format!("{HEADER}u1 0.1 0.25 a b c s1\nu2 1 2 d e f s2\n")).unwrap();
        let other = "#speaker #phone onset offset file next_phone channel prev_phone\ns1 a 0.1 0.25 u1 c 0 b\ns2 d 1 2 u2 f 1 e\n";
        for text in [other.to_string(), other.replace('#', ""), other.replace(' ', "\t"), other.replace('\n', "\r\n")] {
            let file = read(&text).unwrap();
            assert_eq!(
                (&file.utterances, &file.phones, &file.speakers),
                (&usual.utterances, &usual.phones, &usual.speakers)
            );
            assert_eq!(file.items.iter().map(|i| i.offset.value()).collect::<Vec<_>>(), [0.25, 2.0]);
        }
        let e = read(&other.replace("speaker", "channel2")).unwrap_err().to_string();
        assert!(e.contains("x.item:1: is not the header of an item file: it has no `speaker`"), "{e}");
    }
}
