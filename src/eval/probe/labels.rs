//! Labels: what a probe has to predict from features.
//!
//! There are three kinds. **Frame labels** have the form of CPC_audio's `converted_aligned_phones.txt`: one line per utterance,
//! `<utterance> <id> <id> ...`, separated by blanks, one id for every 10 ms. **Utterance labels** are a table with tabs:
//! `<utterance>\t<label>`, where further columns are ignored. **Speakers** come with the features. The kind of a file is detected from
//! its content: a file with a tab in its first line is a table.

use crate::error::{Error, Problem, Result};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

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
                     lines of `<utterance>`, a tab, `<label>`";

impl Labels {
    /// Reads a file of labels; its kind is detected from its content.
    ///
    /// # Errors
    /// Lines that have neither form (each is named with its number); utterances that occur twice.
    pub fn read(path: &Path) -> Result<Labels> {
        let text = read_text(path)?;
        let lines = || text.lines().enumerate().map(|(i, l)| (i + 1, l.trim_end())).filter(|(_, l)| !l.is_empty());
        let Some((_, first)) = lines().next() else {
            return Err(Error::failed(format!("{}: has no labels", path.display()), FORMS));
        };
        let mut problems = Vec::new();
        let mut seen: HashMap<&str, usize> = HashMap::new();
        let mut check = |line: usize, id: &str, problem: Option<String>, seen: Option<usize>| {
            let twice = seen.map(|first| format!("{id} was in line {first} already"));
            let Some(what) = problem.or(twice) else { return true };
            problems.push(Problem::new(format!("{} line {line}", path.display()), what));
            false
        };
        let labels = if first.contains('\t') {
            let mut labels = HashMap::new();
            for (n, line) in lines() {
                let (id, rest) = line.split_once('\t').unwrap_or((line, ""));
                let (id, label) = (id.trim(), rest.split('\t').next().unwrap_or_default().trim());
                let problem =
                    (id.is_empty() || label.is_empty()).then(|| "is not `<utterance>`, a tab, `<label>`".into());
                if check(n, id, problem, seen.insert(id, n)) {
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
                if check(n, id, problem, seen.insert(id, n)) {
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
    let bytes = std::fs::read(path).map_err(Error::io(path, "read"))?;
    String::from_utf8(bytes)
        .map_err(|_| Error::failed(format!("{}: is not text (UTF-8)", path.display()), "check which file was meant"))
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
        assert!(read("a\t1\nb\n").unwrap_err().to_string().contains("line 2: is not"));
        assert!(read("").unwrap_err().to_string().contains("has no labels"));
    }
}
