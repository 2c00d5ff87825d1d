//! SentEval's tasks from its directories, as created by its script `get_transfer_data.bash`.
//!
//! | task | files | split |
//! |---|---|---|
//! | MR | MR/rt-polarity.pos, .neg | folds |
//! | CR | CR/custrev.pos, .neg | folds |
//! | SUBJ | SUBJ/subj.subjective, .objective | folds |
//! | MPQA | MPQA/mpqa.pos, .neg | folds |
//! | TREC | TREC/train_5500.label, TREC_10.label: `LABEL:fine sentence`, where only the coarse label is used | given |
//! | SST | SST/binary/sentiment-train, -test: `sentence<TAB>label` | given |
//! | SST5 | SST/fine/sentiment-train, -test: `label sentence` | given |
//! | MRPC | MRPC/msr_paraphrase_train.txt, _test.txt: pairs; a header, then five columns, of which the 1st, 4th and 5th are used | given |
//!
//! SentEval reads the first five tasks as latin-1 (its script produces ASCII; the originals of MR and SUBJ contain some latin-1), and the
//! others as UTF-8. Here a line that is valid UTF-8 is read as UTF-8, and any other as latin-1. SentEval chooses the penalty for SST on
//! `sentiment-dev`; here, as for every task, it is chosen on a part of the training data, and `sentiment-dev` is not read.

use crate::error::{Error, Problem, Result};
use crate::eval::sentences::task::{Example, SentenceTask};
use std::path::{Path, PathBuf};

/// The tasks that [`load`] knows.
pub const TASKS: [&str; 8] = ["MR", "CR", "SUBJ", "MPQA", "TREC", "SST", "SST5", "MRPC"];

/// A task by its name (in upper or lower case; SST2 is SST). `data` is SentEval's `data/downstream`, a directory above it, or the task's
/// own directory.
///
/// # Errors
/// If the name is unknown, the files do not exist, or one of their lines cannot be used.
pub fn load(name: &str, data: &Path) -> Result<SentenceTask> {
    let upper = name.to_ascii_uppercase();
    match upper.as_str() {
        "MR" => folds("MR", data, [("rt-polarity.pos", "positive"), ("rt-polarity.neg", "negative")]),
        "CR" => folds("CR", data, [("custrev.pos", "positive"), ("custrev.neg", "negative")]),
        "SUBJ" => folds("SUBJ", data, [("subj.subjective", "subjective"), ("subj.objective", "objective")]),
        "MPQA" => folds("MPQA", data, [("mpqa.pos", "positive"), ("mpqa.neg", "negative")]),
        "TREC" => split("TREC", "TREC", data, ["train_5500.label", "TREC_10.label"], &trec),
        "SST" | "SST2" => split("SST", "SST/binary", data, ["sentiment-train", "sentiment-test"], &sst2),
        "SST5" => split("SST5", "SST/fine", data, ["sentiment-train", "sentiment-test"], &sst5),
        "MRPC" => split("MRPC", "MRPC", data, ["msr_paraphrase_train.txt", "msr_paraphrase_test.txt"], &mrpc),
        _ => Err(Error::usage(format!("--task {name}: not known"), format!("known are {}", TASKS.join(", ")))),
    }
}

/// A task from two files with one sentence per line, one file for each class.
fn folds(name: &str, data: &Path, files: [(&str, &str); 2]) -> Result<SentenceTask> {
    let dir = find(name, data, files[0].0)?;
    let (mut examples, mut remarks) = (Vec::new(), Vec::new());
    for (file, label) in files {
        let path = dir.join(file);
        let mut empty = 0;
        for (n, text) in lines(&path)? {
            if text.is_empty() {
                empty += 1;
                continue;
            }
            let place = format!("{} line {n}", path.display());
            examples.push(Example { label: label.into(), first: text, second: None, place });
        }
        if empty > 0 {
            remarks.push(format!("{file}: {empty} empty lines were left out"));
        }
    }
    Ok(SentenceTask { remarks, ..SentenceTask::new(name, examples)? })
}

/// The content of a line: label, sentence, second sentence; none if it is a header; or a description of what is wrong.
type Line = std::result::Result<Option<(String, String, Option<String>)>, String>;

/// A task from two files of labeled lines, for training and for testing.
fn split(
    name: &str,
    under: &str,
    data: &Path,
    files: [&str; 2],
    take: &dyn Fn(u64, &str) -> Line,
) -> Result<SentenceTask> {
    let dir = find(under, data, files[0])?;
    let (mut parts, mut problems) = ([Vec::new(), Vec::new()], Vec::new());
    for (part, file) in parts.iter_mut().zip(files) {
        let path = dir.join(file);
        for (n, text) in lines(&path)?.into_iter().filter(|(_, text)| !text.is_empty()) {
            let place = format!("{} line {n}", path.display());
            match take(n, &text) {
                Ok(Some((label, first, second))) => part.push(Example { label, first, second, place }),
                Ok(None) => (),
                Err(what) => problems.push(Problem::new(place, what)),
            }
        }
    }
    if !problems.is_empty() {
        return Err(Error::problems(
            problems,
            format!("the file does not have SentEval's format for {name}: download it again"),
        ));
    }
    let [train, test] = parts;
    SentenceTask::split(name, train, test)
}

fn trec(_: u64, line: &str) -> Line {
    let parts = line.split_once(':').and_then(|(label, rest)| Some((label, rest.split_once(' ')?.1)));
    let (label, sentence) = parts.ok_or("is not LABEL:fine sentence")?;
    Ok(Some((label.into(), sentence.trim().into(), None)))
}

fn sst2(_: u64, line: &str) -> Line {
    let (sentence, label) = line.split_once('\t').ok_or("is not sentence<TAB>label")?;
    Ok(Some((label.trim().into(), sentence.trim().into(), None)))
}

fn sst5(_: u64, line: &str) -> Line {
    let (label, sentence) = line.split_once(' ').ok_or("is not label sentence")?;
    Ok(Some((label.into(), sentence.trim().into(), None)))
}

fn mrpc(n: u64, line: &str) -> Line {
    if n == 1 {
        return Ok(None);
    }
    match line.split('\t').collect::<Vec<_>>()[..] {
        [label, _, _, a, b] => Ok(Some((label.trim().into(), a.trim().into(), Some(b.trim().into())))),
        ref other => Err(format!("{} columns instead of five", other.len())),
    }
}

/// The directory of a task.
fn find(under: &str, data: &Path, file: &str) -> Result<PathBuf> {
    let places = [data.join(under), data.join("downstream").join(under), data.join("data/downstream").join(under)];
    let own = std::iter::once(data.to_path_buf());
    let found = places.into_iter().chain(own).find(|dir| dir.join(file).is_file());
    found.ok_or_else(|| {
        let what = format!("{}: there is no {under}/{file}", data.display());
        Error::failed(what, "give the path of SentEval's data/downstream, as filled by its get_transfer_data.bash")
    })
}

/// The lines of a file with their numbers, without leading or trailing white space.
fn lines(path: &Path) -> Result<Vec<(u64, String)>> {
    let bytes = std::fs::read(path).map_err(Error::io(path, "read"))?;
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    let text = |bytes: &[u8]| match std::str::from_utf8(bytes) {
        Ok(text) => text.trim().to_string(),
        // The code points of latin-1 are those of Unicode.
        Err(_) => bytes.iter().map(|&b| char::from(b)).collect::<String>().trim().to_string(),
    };
    Ok((1..).zip(bytes.split(|&b| b == b'\n').map(text)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (file, bytes) in files {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        dir
    }

    #[test]
    fn two_files_are_two_classes_in_latin_1_or_utf_8() {
        let dir = data(&[
            ("data/downstream/MR/rt-polarity.pos", b"a fianc\xe9 .\n\nfianc\xc3\xa9 !\n"),
            ("data/downstream/MR/rt-polarity.neg", b"bad \xbf\nworse\n"),
        ]);
        for place in ["", "data", "data/downstream", "data/downstream/MR"] {
            let task = load("mr", &dir.path().join(place)).unwrap();
            let got: Vec<_> = task.examples.iter().map(|e| (e.label.as_str(), e.first.as_str())).collect();
            let want = [("positive", "a fianc\u{e9} ."), ("positive", "fianc\u{e9} !"), ("negative", "bad \u{bf}")];
            assert_eq!(got[..3], want);
            assert_eq!((got.len(), task.train), (4, None));
            assert_eq!(task.remarks, ["rt-polarity.pos: 1 empty lines were left out"]);
        }
    }

    #[test]
    fn trec_keeps_the_coarse_label_and_its_split() {
        let train = b"DESC:manner How did it go ?\nENTY:cremat What : is it ?\n";
        let dir = data(&[("TREC/train_5500.label", train), ("TREC/TREC_10.label", b"DESC:def Why ?\n")]);
        let task = load("TREC", dir.path()).unwrap();
        let got: Vec<_> = task.examples.iter().map(|e| (e.label.as_str(), e.first.as_str())).collect();
        assert_eq!(got, [("DESC", "How did it go ?"), ("ENTY", "What : is it ?"), ("DESC", "Why ?")]);
        assert_eq!(task.train, Some(2));
        std::fs::write(dir.path().join("TREC/TREC_10.label"), "DESC:def Why ?\nWhat\n").unwrap();
        let text = load("TREC", dir.path()).unwrap_err().to_string();
        assert!(text.contains("TREC_10.label line 2: is not LABEL:fine"), "{text}");
    }

    #[test]
    fn sst_and_mrpc_have_their_columns() {
        let mrpc = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\r\n1\t7\t8\tA \"b .\tC d .\r\n0\t7\t9\tE\tF\r\n";
        let dir = data(&[
            ("SST/binary/sentiment-train", b"good film\t1\nbad film\t0\n"),
            ("SST/binary/sentiment-test", b"fine\t1\n"),
            ("SST/fine/sentiment-train", b"4 good film\n0 bad film\n"),
            ("SST/fine/sentiment-test", b"4 fine\n"),
            ("MRPC/msr_paraphrase_train.txt", mrpc.as_bytes()),
            ("MRPC/msr_paraphrase_test.txt", mrpc.as_bytes()),
        ]);
        let first = |name| load(name, dir.path()).unwrap().examples[0].clone();
        assert_eq!((first("SST2").label, first("SST").first), ("1".into(), "good film".into()));
        assert_eq!((first("SST5").label, first("SST5").first), ("4".into(), "good film".into()));
        let pair = first("MRPC");
        assert_eq!((pair.label.as_str(), pair.first.as_str(), pair.second.as_deref()), ("1", "A \"b .", Some("C d .")));
        assert!(load("CR", dir.path()).unwrap_err().to_string().contains("no CR/custrev.pos"));
        assert_eq!(load("STS", dir.path()).unwrap_err().exit_code(), 2);
    }
}
