//! Labels: what a probe has to predict from features.
//!
//! There are three kinds. **Frame labels** have the form of CPC_audio's `converted_aligned_phones.txt`: one line per utterance,
//! `<utterance> <id> <id> ...`, separated by blanks, one id for every 10 ms. **Utterance labels** are a table: `<utterance>\t<label>`, or CSV.
//! If the first line names the columns (`utterance` or `file`, `label` or `speaker`, and the like), they may come in any order; otherwise the
//! utterance is first, the label second, and further columns are ignored. **Speakers** come with the features. The kind of a file is detected
//! from its content: a file with a tab in its first line is a table.

use crate::data::dialect::Dialect;
use crate::data::{header, plain};
use crate::error::{Error, Problem, Result};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Names of the column of utterances; the first that exists is used.
pub(crate) const UTTERANCES: [&str; 18] = [
    "utterance",
    "utteranceid",
    "uttid",
    "utt",
    "id",
    "fileid",
    "file",
    "filename",
    "path",
    "audio",
    "recording",
    "segment",
    "clip",
    "wav",
    "name",
    "key",
    "item",
    "sample",
];

/// Names of the column of labels; the first that exists is used.
const LABELS: [&str; 6] = ["label", "labels", "class", "category", "target", "classlabel"];

/// Names that say what a label is. They are used if there is only one.
const KINDS: [&str; 14] = [
    "speaker",
    "speakerid",
    "spk",
    "spkid",
    "genre",
    "emotion",
    "sex",
    "gender",
    "language",
    "accent",
    "phone",
    "word",
    "intent",
    "keyword",
];

/// The labels of a corpus.
#[derive(Debug, Clone)]
pub enum Labels {
    /// Labels at regular intervals of time.
    Frames {
        /// The file they were read from.
        path: PathBuf,
        /// The ids of each utterance.
        ids: HashMap<String, Vec<u32>>,
    },
    /// A label for each utterance.
    Utterances {
        /// The file they were read from.
        path: PathBuf,
        /// The label of each utterance.
        labels: HashMap<String, String>,
    },
    /// The speakers named in the features.
    Speakers,
}

const FORMS: &str = "frame labels are lines of `<utterance> <id> <id> ...`, one id for every 10 ms; utterance labels are \
                     lines of `<utterance>`, a tab, `<label>`, or CSV";

/// What to do about a table whose columns are not clear.
const NAME_THEM: &str = "name the columns in the first line, one of them `utterance` and one `label`";

impl Labels {
    /// Reads a file of labels; its kind is detected from its content.
    ///
    /// # Errors
    /// Lines that have neither form (each is named with its number); utterances that occur twice; names of columns, or numbers, that do not say
    /// which column is which.
    pub fn read(path: &Path) -> Result<Labels> {
        let text = read_text(path)?;
        let lines = || text.lines().enumerate().map(|(i, l)| (i + 1, l.trim_end())).filter(|(_, l)| !l.is_empty());
        let Some((_, first)) = lines().next() else {
            return Err(Error::failed(format!("{}: has no labels", path.display()), FORMS));
        };
        let mut problems = Vec::new();
        let mut seen: HashMap<String, usize> = HashMap::new();
        let mut check = |line: usize, id: &str, problem: Option<String>| {
            let twice = seen.insert(id.into(), line).map(|first| format!("{id} was in line {first} already"));
            let Some(what) = problem.or(twice) else { return true };
            problems.push(Problem::new(format!("{} line {line}", path.display()), what));
            false
        };
        let labels = if let Some(dialect) = table(path, &text, first) {
            let rows = rows(&text, dialect, path)?;
            let [id_at, label_at, skip] = columns(&rows, path)?;
            let mut labels = HashMap::new();
            for (n, cells) in &rows[skip..] {
                let cell = |at: usize| cells.get(at).map_or("", String::as_str);
                let (id, label) = (cell(id_at), cell(label_at));
                let problem = (id.is_empty() || label.is_empty()).then(|| "has no utterance or no label".into());
                if check(*n, id, problem) {
                    labels.insert(id.to_string(), label.to_string());
                }
            }
            Labels::Utterances { path: path.to_path_buf(), labels }
        } else {
            let mut ids = HashMap::new();
            for (n, line) in lines() {
                let mut fields = line.split_whitespace();
                let id = fields.next().unwrap_or_default();
                let (values, problem) = parse_ids(fields);
                if check(n, id, problem) {
                    ids.insert(id.to_string(), values);
                }
            }
            Labels::Frames { path: path.to_path_buf(), ids }
        };
        if problems.is_empty() { Ok(labels) } else { Err(Error::problems(problems, FORMS)) }
    }

    /// Their name: the file's path, or `speaker`.
    pub fn name(&self) -> String {
        match self {
            Labels::Frames { path, .. } | Labels::Utterances { path, .. } => path.display().to_string(),
            Labels::Speakers => "speaker".into(),
        }
    }

    /// Whether an utterance has labels, as far as can be known without the features.
    pub fn has(&self, id: &str) -> bool {
        match self {
            Labels::Frames { ids, .. } => ids.contains_key(id),
            Labels::Utterances { labels, .. } => labels.contains_key(id),
            Labels::Speakers => true,
        }
    }
}

/// How the table of utterance labels in `text` is written; none if `text` holds frame labels.
fn table(path: &Path, text: &str, first: &str) -> Option<Dialect> {
    if first.contains('\t') {
        return Some(Dialect { separator: b'\t', skip: 0 });
    }
    let mut fields = first.split_whitespace().skip(1).peekable();
    let frames = fields.peek().is_some() && fields.all(|field| field.parse::<u32>().is_ok());
    let named = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv"));
    let table = named || !frames && first.contains([',', ';', '|']);
    table.then(|| Dialect::of(text.as_bytes(), b',', true))
}

/// The rows of a table with their lines, without blank ones.
pub(crate) fn rows(text: &str, dialect: Dialect, path: &Path) -> Result<Vec<(usize, Vec<String>)>> {
    // In a table with tabs, a quotation mark is one, as in a cell `5" nails`.
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(dialect.separator)
        .quoting(dialect.separator != b'\t')
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let mut rows = Vec::new();
    for record in reader.records().skip(usize::from(dialect.skip > 0)) {
        let record = record.map_err(|e| Error::failed(format!("{}: {e}", path.display()), FORMS))?;
        let line = record.position().map_or(0, csv::Position::line) as usize;
        if record.iter().any(|cell| !cell.is_empty()) {
            rows.push((line, record.iter().map(unquoted).collect()));
        }
    }
    Ok(rows)
}

/// A cell without the quotation marks around all of it.
fn unquoted(cell: &str) -> String {
    let inside = cell.strip_prefix('"').and_then(|cell| cell.strip_suffix('"'));
    let inside = inside.filter(|inside| !inside.replace("\"\"", "").contains('"'));
    inside.map_or(cell.to_string(), |inside| inside.replace("\"\"", "\"").trim().to_string())
}

/// The columns of utterances and of labels, and the number of lines of names above the rows.
fn columns(rows: &[(usize, Vec<String>)], path: &Path) -> Result<[usize; 3]> {
    let Some((line, first)) = rows.first() else {
        return Err(Error::failed(format!("{}: has no labels", path.display()), FORMS));
    };
    let unclear = |what: String| Err(Error::failed(format!("{} line {line}: {what}", path.display()), NAME_THEM));
    let named = header::place(first, &LABELS);
    let kinds = header::places(first, &KINDS);
    let id = header::place(first, &UTTERANCES).filter(|at| named != Some(*at));
    let label = match (named, &kinds[..]) {
        (Some(at), _) => Some(at),
        (None, [one]) => Some(*one),
        (None, []) => None,
        (None, several) => {
            let names: Vec<&str> = several.iter().map(|&i| first[i].as_str()).collect();
            return unclear(format!("any of {} may be the label", names.join(", ")));
        }
    };
    // A label may be called `word`; but then it occurs again, as a name does not.
    let again = (0..first.len()).any(|at| rows[1..].iter().any(|(_, cells)| cells.get(at) == Some(&first[at])));
    match (id, label) {
        (Some(id), Some(label)) => Ok([id, label, 1]),
        (Some(known), None) if first.len() == 2 && !again => Ok([known, 1 - known, 1]),
        (None, Some(known)) if first.len() == 2 && !again => Ok([1 - known, known, 1]),
        (None, None) => {
            let number = |cell: &String| cell.parse::<u32>().is_ok();
            let ids = rows.iter().all(|(_, cells)| cells.len() > 1 && cells[1..].iter().all(number));
            match rows.iter().any(|(_, cells)| cells.len() > 2) && ids {
                true => unclear(
                    "several numbers after a name may be frame labels, which are separated by blanks, or columns"
                        .into(),
                ),
                false => Ok([0, 1, 0]),
            }
        }
        _ if first.len() == 2 => Ok([0, 1, 0]),
        (Some(_), None) => unclear("no name says which column is the label".into()),
        (None, Some(_)) => unclear("no name says which column is the utterance".into()),
    }
}

/// The ids of one line, and what is wrong with them, if anything.
fn parse_ids<'a>(fields: impl Iterator<Item = &'a str>) -> (Vec<u32>, Option<String>) {
    let mut values = Vec::new();
    for field in fields {
        match field.parse::<u32>() {
            Ok(value) => values.push(value),
            Err(_) => return (values, Some(format!("`{field}` is no id (a whole number from 0)"))),
        }
    }
    let problem = values.is_empty().then(|| "has an utterance without labels".into());
    (values, problem)
}

/// Names of frame labels: line n, from 0, names id n.
///
/// # Errors
/// If the file cannot be read as text.
pub fn read_names(path: &Path) -> Result<Vec<String>> {
    Ok(read_text(path)?.lines().map(|l| l.trim().to_string()).collect())
}

/// `phone_names.txt` next to a file of frame labels, if it exists.
pub fn names_beside(labels: &Labels) -> Option<PathBuf> {
    let Labels::Frames { path, .. } = labels else { return None };
    Some(path.with_file_name("phone_names.txt")).filter(|p| p.is_file())
}

pub(super) fn read_text(path: &Path) -> Result<String> {
    plain::text(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Labels> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("labels");
        std::fs::write(&path, text).unwrap();
        Labels::read(&path)
    }

    #[test]
    fn the_kind_of_a_file_is_seen_from_its_content() {
        let Ok(Labels::Frames { ids, .. }) = read("a 0 0 3\n\nb 7\r\n") else { panic!("frame labels") };
        assert_eq!((&ids["a"][..], &ids["b"][..]), (&[0, 0, 3][..], &[7][..]));
        let Ok(Labels::Utterances { labels, .. }) = read("a\t3\tmore\nb\tanna maria\n") else { panic!("a table") };
        assert_eq!((labels["a"].as_str(), labels["b"].as_str()), ("3", "anna maria"));
    }

    #[test]
    fn every_bad_line_is_named_with_its_number() {
        let error = read("a 0 1\nb 0 x\nc\na 1\nd -1\n").unwrap_err();
        let text = error.to_string();
        for part in [
            "line 2: `x` is no id",
            "line 3: has an utterance without labels",
            "line 4: a was in line 1",
            "line 5: `-1`",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        assert_eq!(error.exit_code(), 1);
        assert!(read("a\t1\nb\n").unwrap_err().to_string().contains("line 2: has no utterance or no label"));
        assert!(read("").unwrap_err().to_string().contains("has no labels"));
    }

    fn table(text: &str) -> HashMap<String, String> {
        let Ok(Labels::Utterances { labels, .. }) = read(text) else { panic!("{text}: {:?}", read(text)) };
        labels
    }

    #[test]
    fn columns_that_are_named_come_in_any_order_and_by_any_separator() {
        let wanted = HashMap::from([("u1".to_string(), "anna, m".to_string()), ("u2".into(), "ben".into())]);
        for text in [
            "u1\tanna, m\nu2\tben\n",
            "utterance\tlabel\nu1\tanna, m\nu2\tben\n",
            "label\tutterance\nanna, m\tu1\nben\tu2\n",
            "\u{feff}label,id\r\n\"anna, m\",u1\r\nben,u2\r\n",
            "label;file\nanna, m;u1\nben;u2\n",
            "sep=;\nspeaker;n;Utt_ID\nanna, m;3;u1\nben;4;u2\n",
            "u1,\"anna, m\"\nu2,ben\n",
            "mood\tfile\n\"anna, m\"\tu1\nben\tu2\n",
            "Label\tclip name\nanna, m\tu1\nben\tu2\n",
            "speaker,label,path\nx,\"anna, m\",u1\nx,ben,u2\n",
            "label\tutterance\ranna, m\tu1\rben\tu2\r",
        ] {
            assert_eq!(table(text), wanted, "{text}");
        }
        // Labels that are usual names.
        assert_eq!(table("u1\tword\nu2\tphone\nu3\tword\n").len(), 3);
        assert_eq!(table("name\tcat\nkey\tdog\nitem\tcat\n")["name"], "cat");
        assert_eq!(table("a\t5\" nails\nb\t\"x\"\n")["a"], "5\" nails");
    }

    #[test]
    fn columns_that_are_not_clear_are_not_guessed() {
        for (text, what) in [
            ("path\tspeaker\tgender\nu1\ta\tm\n", "line 1: any of speaker, gender may be the label"),
            ("label\tx\ty\n1\ta\tb\n", "line 1: no name says which column is the utterance"),
            ("id\tx\ty\nu1\ta\tb\n", "line 1: no name says which column is the label"),
            ("u1\t0\t0\t3\nu2\t1\t1\n", "line 1: several numbers after a name may be frame labels"),
        ] {
            let e = read(text).unwrap_err();
            assert!(e.to_string().contains(what) && e.remedy() == NAME_THEM, "{e}");
            // The remedy.
            let width = text.lines().next().unwrap().split('\t').count();
            let names = ["utterance", "label", "more", "still"][..width].join("\t");
            let rows: String = text.lines().filter(|l| l.starts_with('u')).map(|l| format!("{l}\n")).collect();
            let rows = if rows.is_empty() { "u1\ta\tb\n".into() } else { rows };
            assert!(table(&format!("{names}\n{rows}")).contains_key("u1"));
        }
    }
}
