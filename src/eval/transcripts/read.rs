//! Files of transcripts.

use crate::data::dialect::Dialect;
use crate::data::{header, plain};
use crate::error::{Error, Problem, Result};
use crate::eval::probe::labels::{UTTERANCES, rows};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::Path;

/// Names of the column of phones, of that of words, and of either; the first that exists is used.
const PHONES: [&str; 4] = ["phones", "phonemes", "phone", "phonetic"];
const WORDS: [&str; 4] = ["sentence", "text", "normalizedtext", "words"];
const EITHER: [&str; 2] = ["transcript", "transcription"];
/// Which may be classes: only without a better column.
const LAST: [&str; 2] = ["label", "labels"];

const FORMS: &str = "transcripts are lines of `<utterance>`, a tab or a blank, and what is said in it; or CSV whose first line names the columns \
                     `utterance` and `transcript`";

/// What the symbols of a transcript are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spelling {
    /// Phones, or other symbols, separated by blanks.
    Phones,
    /// Characters. Blanks between words are one symbol.
    Characters,
}

impl Spelling {
    /// The symbols of a transcript.
    pub fn symbols(self, transcript: &str) -> Vec<String> {
        match self {
            Spelling::Phones => transcript.split_whitespace().map(String::from).collect(),
            Spelling::Characters => {
                let words: Vec<&str> = transcript.split_whitespace().collect();
                words.join(" ").chars().map(String::from).collect()
            }
        }
    }

    /// A transcript of symbols.
    pub fn text(self, symbols: &[&str]) -> String {
        match self {
            Spelling::Phones => symbols.join(" "),
            Spelling::Characters => symbols.concat(),
        }
    }
}

/// Reads what is said in each utterance.
///
/// Three forms are read: lines of an utterance, a tab and its transcript; the same with a blank, as Kaldi's `text`, LibriSpeech's `.trans.txt`
/// and CPC_audio's lists of phones; and tables (.csv, or with tabs) whose first line names their columns. A transcript may be empty.
///
/// # Errors
/// The file cannot be read or has no lines, an utterance occurs twice (each is named with its line), or names do not say which column is which.
pub fn read(path: &Path, spelling: Spelling) -> Result<HashMap<String, String>> {
    let text = plain::text(path)?;
    let first = text.lines().find(|line| !line.trim().is_empty());
    let Some(first) = first else {
        return Err(Error::failed(format!("{}: has no transcripts", path.display()), FORMS));
    };
    let csv = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv"));
    let lines: Vec<(usize, String, String)> = if first.contains('\t') || csv {
        let dialect = match first.contains('\t') {
            true => Dialect { separator: b'\t', skip: 0 },
            false => Dialect::of(text.as_bytes(), b',', true),
        };
        let rows = rows(&text, dialect, path)?;
        let [id_at, text_at, skip] = columns(&rows, path, spelling)?;
        let cell = |cells: &[String], at: usize| cells.get(at).cloned().unwrap_or_default();
        rows[skip..].iter().map(|(n, cells)| (*n, cell(cells, id_at), cell(cells, text_at))).collect()
    } else {
        let numbered = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let of = |(i, line): (usize, &str)| {
            let (id, said) = line.trim().split_once(char::is_whitespace).unwrap_or((line.trim(), ""));
            (i + 1, id.to_string(), said.trim().to_string())
        };
        numbered.map(of).collect()
    };
    let (mut found, mut problems) = (HashMap::new(), Vec::new());
    let mut seen: HashMap<String, usize> = HashMap::new();
    for (n, id, said) in lines {
        let place = || format!("{} line {n}", path.display());
        if id.is_empty() {
            problems.push(Problem::new(place(), "has no utterance"));
        } else if let Some(first) = seen.insert(id.clone(), n) {
            problems.push(Problem::new(place(), format!("{id} was in line {first} already")));
        } else {
            found.insert(id, said);
        }
    }
    if problems.is_empty() { Ok(found) } else { Err(Error::problems(problems, FORMS)) }
}

/// The columns of utterances and of transcripts, and the number of lines of names above the rows.
fn columns(rows: &[(usize, Vec<String>)], path: &Path, spelling: Spelling) -> Result<[usize; 3]> {
    let Some((line, first)) = rows.first() else {
        return Err(Error::failed(format!("{}: has no transcripts", path.display()), FORMS));
    };
    let names = match spelling {
        Spelling::Phones => [&EITHER[..], &PHONES, &WORDS, &LAST].concat(),
        Spelling::Characters => [&EITHER[..], &WORDS, &PHONES, &LAST].concat(),
    };
    match (header::place(first, &UTTERANCES), header::place(first, &names)) {
        (Some(id), Some(text)) if id != text => Ok([id, text, 1]),
        _ if rows.iter().all(|(_, cells)| cells.len() <= 2) => Ok([0, 1, 0]),
        _ => Err(Error::failed(
            format!("{} line {line}: no name says which column is the transcript", path.display()),
            "name the columns in the first line, one of them `utterance` and one `transcript`",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, text: &str) -> Result<HashMap<String, String>> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        read(&path, Spelling::Phones)
    }

    #[test]
    fn transcripts_are_read_in_the_forms_that_are_around() {
        let wanted = HashMap::from([("u1".to_string(), "AH, B K".to_string()), ("u2".into(), String::new())]);
        for (name, text) in [
            ("text", "u1 AH, B K\nu2\n"),
            ("a.trans.txt", "\u{feff}u1   AH, B K\r\n\r\nu2 \r\n"),
            ("a.tsv", "u1\tAH, B K\nu2\t\n"),
            ("a.tsv", "client\tpath\tsentence\tup\nx\tu1\tAH, B K\t3\nx\tu2\t\t0\n"),
            ("a.csv", "transcript,utterance\n\"AH, B K\",u1\n,u2\n"),
            ("a.csv", "u1,\"AH, B K\"\nu2,\n"),
        ] {
            assert_eq!(of(name, text).unwrap(), wanted, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (text, what) in [
            ("", "has no transcripts"),
            ("u1 A\nu2 B\nu1 C\n", "line 3: u1 was in line 1 already"),
            ("u1\tA\tx\nu2\tB\ty\n", "line 1: no name says which column is the transcript"),
            ("u1\tA\n\tB\n", "line 2: has no utterance"),
        ] {
            let error = of("text", text).unwrap_err();
            assert!(error.to_string().contains(what), "{error}");
            assert_eq!(error.exit_code(), 1);
        }
    }

    #[test]
    fn of_two_columns_the_spelling_says_which() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        std::fs::write(&path, "utterance,text,phones\nu1,the,DH AH\n").unwrap();
        assert_eq!(read(&path, Spelling::Phones).unwrap()["u1"], "DH AH");
        assert_eq!(read(&path, Spelling::Characters).unwrap()["u1"], "the");
    }

    #[test]
    fn symbols_are_split_and_joined() {
        assert_eq!(Spelling::Phones.symbols(" sp  AH0\tB "), ["sp", "AH0", "B"]);
        assert_eq!(Spelling::Characters.symbols(" né  a"), ["n", "é", " ", "a"]);
        assert_eq!(Spelling::Phones.text(&["AH", "B"]), "AH B");
        assert_eq!(Spelling::Characters.text(&["n", "é", " ", "a"]), "né a");
    }
}
