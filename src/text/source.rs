//! The sources of documents: text files, JSON lines and parquet, with one sentence in memory at a time.

use crate::config::OnBadFile;
use crate::data;
use crate::error::{Error, Result};
use crate::text::reading::{Counts, Piece, Reading};
use crate::text::split::Split;
use crate::text::{documents, rows};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// Text files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    files: Vec<PathBuf>,
    split: Split,
    column: String,
    on_bad_file: OnBadFile,
}

/// The formats that are read, by file extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Text,
    JsonLines,
    Table,
}

fn format(path: &Path) -> Option<Format> {
    let named = |ending: &str| path.extension().is_some_and(|e| e.eq_ignore_ascii_case(ending));
    match () {
        () if named("txt") => Some(Format::Text),
        () if named("jsonl") => Some(Format::JsonLines),
        () if data::is_table(path) => Some(Format::Table),
        () => None,
    }
}

impl Source {
    /// The text at `data`: a `.txt`, `.jsonl` or `.parquet` file, the parquet files of a split (`DIR/train`), or a directory
    /// with all such files below it, sorted (names that begin with a dot are skipped).
    ///
    /// `.jsonl` has one document per line: a string, a list of sentences, or an object with `text` (a string) or `sentences`
    /// (a list), or with the key `column`. From parquet, column `column` is read; if `column` is empty, the only text column, `text`, or
    /// `sentence`.
    /// A line of `.txt` and a sentence have at most 1 MiB; a line of `.jsonl` and a row have at most 64 MiB.
    ///
    /// # Errors
    ///
    /// Nothing of that name exists, or no file has a text extension.
    pub fn open(data: &Path, split: Split, column: &str, on_bad_file: OnBadFile) -> Result<Source> {
        let files = if data.is_dir() {
            below(data)?
        } else if let Some((files, _)) = data::at(data)? {
            files
        } else {
            File::open(data).map_err(Error::io(data, "read"))?;
            vec![data.to_path_buf()]
        };
        if files.iter().any(|file| format(file).is_none()) {
            return Err(Error::usage(
                format!("{}: is not named like text", data.display()),
                "pass a file that ends in .txt, .jsonl or .parquet, or a directory of such files",
            ));
        }
        if files.is_empty() {
            return Err(Error::usage(
                format!("{}: no file below it is named like text", data.display()),
                "pass a directory with files that end in .txt, .jsonl or .parquet",
            ));
        }
        Ok(Source { files, split, column: column.to_string(), on_bad_file })
    }

    /// The files, in the order they are read.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Passes every sentence and every end of a document to `each`, in the order of the text, and counts them.
    ///
    /// # Errors
    ///
    /// With `on_bad_file = fail`, all problems at once ([`Error::BadFiles`]); after the first problem, nothing more is passed
    /// on. Also a file that cannot be opened, a column that does not exist, and errors returned by `each`.
    pub fn read(&self, each: &mut dyn FnMut(Piece<'_>) -> Result<()>) -> Result<Counts> {
        let strict = self.on_bad_file == OnBadFile::Fail;
        let mut reading = Reading::new(strict, each);
        for (file, path) in self.files.iter().enumerate() {
            reading.file = file;
            match format(path) {
                Some(Format::Text) => documents::text(path, self.split, &mut reading)?,
                Some(Format::JsonLines) => documents::json_lines(path, &self.column, self.split, &mut reading)?,
                Some(Format::Table) => rows::table(path, &self.column, self.split, &mut reading)?,
                None => (),
            }
            reading.end()?;
        }
        let (counts, remedy) = (reading.counts, reading.remedy);
        if strict && !counts.problems.is_empty() {
            return Err(match remedy {
                Some(remedy) => Error::problems(counts.problems, remedy),
                None => Error::BadFiles(counts.problems),
            });
        }
        Ok(counts)
    }

    /// The SHA-256 of everything that determines what [`Source::read`] passes on: the bytes of the files, in order, and the
    /// options.
    ///
    /// It covers contents, not sizes and times: a copy of the text counts as the same, and an edit within the same second is
    /// noticed. Reading a file is fast compared with training on it.
    ///
    /// # Errors
    ///
    /// A file cannot be read.
    pub fn digest(&self) -> Result<[u8; 32]> {
        let mut sum = Sha256::new();
        let options = (self.split, &self.column, self.on_bad_file);
        sum.update(format!("{options:?}"));
        for path in &self.files {
            let mut file = BufReader::with_capacity(1 << 20, File::open(path).map_err(Error::io(path, "read"))?);
            let mut length = 0u64;
            sum.update(format!("{:?}", format(path)));
            loop {
                let bytes = match file.fill_buf() {
                    Ok([]) => break,
                    Ok(bytes) => bytes,
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                    Err(e) => return Err(Error::io(path, "read")(e)),
                };
                sum.update(bytes);
                let n = bytes.len();
                length += n as u64;
                file.consume(n);
            }
            sum.update(length.to_le_bytes());
        }
        Ok(sum.finalize().into())
    }
}

/// All files with text extensions below a directory, sorted.
fn below(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let walk = WalkDir::new(root).follow_links(true).sort_by_file_name().into_iter();
    for entry in walk.filter_entry(|e| e.depth() == 0 || !e.file_name().as_encoded_bytes().starts_with(b".")) {
        let entry = entry.map_err(|e| {
            let path = e.path().unwrap_or(root).to_path_buf();
            Error::io(path, "read")(e.into())
        })?;
        if !entry.file_type().is_dir() && format(entry.path()).is_some() {
            files.push(entry.into_path());
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Problem;
    use parquet::data_type::{ByteArray, ByteArrayType};
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;
    use std::sync::Arc;

    /// Documents as lists of sentences, and the counts.
    fn read(source: &Source) -> Result<(Vec<Vec<String>>, Counts)> {
        let (mut documents, mut open) = (Vec::new(), Vec::new());
        let counts = source.read(&mut |piece| {
            match piece {
                Piece::Sentence(text, _) => open.push(text.to_string()),
                Piece::End => documents.push(std::mem::take(&mut open)),
            }
            Ok(())
        })?;
        assert!(open.is_empty(), "a document without an end: {open:?}");
        assert_eq!(counts.documents, documents.len() as u64);
        assert_eq!(counts.sentences, documents.iter().map(|d| d.len() as u64).sum::<u64>());
        Ok((documents, counts))
    }

    fn of(name: &str, bytes: &[u8], split: Split, on_bad_file: OnBadFile) -> Result<(Vec<Vec<String>>, Counts)> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        read(&Source::open(&path, split, "", on_bad_file)?)
    }

    fn write_table(path: &Path, columns: &[(&str, &[Option<&[u8]>])]) {
        let fields: String = columns.iter().map(|(name, _)| format!("OPTIONAL BYTE_ARRAY {name} (UTF8); ")).collect();
        let schema = Arc::new(parse_message_type(&format!("message m {{ {fields} }}")).unwrap());
        let mut writer = SerializedFileWriter::new(File::create(path).unwrap(), schema, Default::default()).unwrap();
        let mut group = writer.next_row_group().unwrap();
        for (_, rows) in columns {
            let mut column = group.next_column().unwrap().unwrap();
            let values: Vec<ByteArray> = rows.iter().flatten().map(|bytes| bytes.to_vec().into()).collect();
            let levels: Vec<i16> = rows.iter().map(|row| i16::from(row.is_some())).collect();
            column.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None).unwrap();
            column.close().unwrap();
        }
        group.close().unwrap();
        writer.close().unwrap();
    }

    #[test]
    fn a_line_is_a_sentence_and_a_blank_one_ends_a_document() {
        let text = "\n one \r\ntwo\n\n \t\n\nthree\r\n";
        let (documents, counts) = of("a.txt", text.as_bytes(), Split::Lines, OnBadFile::Fail).unwrap();
        assert_eq!(documents, [vec!["one", "two"], vec!["three"]]);
        assert_eq!(counts.blank, 3, "the first line, and two after the one that ends a document");
    }

    #[test]
    fn prose_is_cut_into_sentences_inside_its_paragraphs() {
        let text = "It rained. They\nwent in.\n\nThen it\nstopped";
        let (documents, _) = of("a.TXT", text.as_bytes(), Split::Sentences, OnBadFile::Fail).unwrap();
        assert_eq!(documents, [vec!["It rained.", "They went in."], vec!["Then it stopped"]]);
    }

    #[test]
    fn a_line_of_json_is_a_document_in_any_of_four_forms() {
        let text = r#""It is. It was."
["a. b.", " ", "c"]
{"text": "One.\n\nTwo. Three", "id": 4}
{"sentences": ["x", "y"]}

"#;
        let (documents, counts) = of("a.jsonl", text.as_bytes(), Split::Sentences, OnBadFile::Fail).unwrap();
        let expected = [vec!["It is.", "It was."], vec!["a. b.", "c"], vec!["One.", "Two.", "Three"], vec!["x", "y"]];
        assert_eq!((documents, counts.blank), (expected.map(|d| d.map_strings()).to_vec(), 2));
        let (documents, _) = of("a.jsonl", b"\"one. two.\\nthree\"", Split::Lines, OnBadFile::Fail).unwrap();
        assert_eq!(documents, [vec!["one. two.", "three"]]);
    }

    trait MapStrings {
        fn map_strings(self) -> Vec<String>;
    }

    impl MapStrings for Vec<&str> {
        fn map_strings(self) -> Vec<String> {
            self.into_iter().map(String::from).collect()
        }
    }

    #[test]
    fn json_that_is_no_document_is_named_with_its_line() {
        let text = "\"good\"\n{\"text\": 3}\n7\n{\"a\n[\"x\", 1]\n{\"text\": \"a\", \"sentences\": [\"b\"]}\n\"last\"";
        let error = of("a.jsonl", text.as_bytes(), Split::Lines, OnBadFile::Fail).unwrap_err();
        let Error::BadFiles(problems) = error else { panic!("{error}") };
        let lines: Vec<&str> = problems.iter().map(|p| p.at.rsplit(':').next().unwrap()).collect();
        assert_eq!(lines, ["2", "3", "4", "5", "6"]);
        assert!(problems[2].what.starts_with("is not JSON: ") && problems[3].what.contains("item 1"), "{problems:?}");
        let (documents, _) = of("a.jsonl", text.as_bytes(), Split::Lines, OnBadFile::Skip).unwrap();
        assert_eq!(documents, [["good"], ["last"]]);
    }

    #[test]
    fn invalid_utf8_and_a_line_of_ten_megabytes_are_named_and_the_rest_is_kept() {
        let mut text = b"one\ntwo \xff\nthree\n".to_vec();
        text.extend("word ".repeat(2_000_000).bytes());
        text.extend(b"\nfour\nfive\n");
        for split in [Split::Lines, Split::Sentences] {
            let error = of("a.txt", &text, split, OnBadFile::Fail).unwrap_err();
            assert_eq!(error.exit_code(), 1);
            let error = error.to_string();
            let lines: Vec<&str> = error.lines().collect();
            assert!(lines[0].ends_with("a.txt:2: is not UTF-8 (byte 4 of the line)"), "{error}");
            assert!(lines[1].ends_with("a.txt:4: the line is longer than 1048576 bytes"), "{error}");
            assert_eq!(lines.len(), 2);
        }
        let (documents, counts) = of("a.txt", &text, Split::Lines, OnBadFile::Skip).unwrap();
        assert_eq!(documents, [vec!["one"], vec!["three"], vec!["four", "five"]], "no document spans a gap");
        assert_eq!(counts.problems.len(), 2);
    }

    #[test]
    fn thousands_of_problems_are_counted_and_not_all_held() {
        let text = b"\xff\n".repeat(3000);
        let (_, counts) = of("a.txt", &text, Split::Lines, OnBadFile::Skip).unwrap();
        assert_eq!((counts.problems.len(), counts.more_problems), (1000, 2000));
        let error = of("a.txt", &text, Split::Lines, OnBadFile::Fail).unwrap_err().to_string();
        assert!(error.ends_with("... and 980 more"), "{error}");
    }

    #[test]
    fn rows_are_documents_or_sentences() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.parquet");
        let rows: [Option<&[u8]>; 6] =
            [Some(b"It is. It was."), Some(b"Two"), None, Some(b" "), Some(b"bad \xff"), Some(b"Last.")];
        write_table(&path, &[("title", &[Some(&b"t"[..]); 6]), ("text", &rows)]);
        let open = |split, column| Source::open(&path, split, column, OnBadFile::Skip).unwrap();
        let (documents, counts) = read(&open(Split::Sentences, "")).unwrap();
        assert_eq!(documents, [vec!["It is.", "It was."], vec!["Two"], vec!["Last."]]);
        let bad = Problem::new(format!("{} row 4", path.display()), "is not UTF-8 (byte 4)");
        assert_eq!((counts.blank, counts.problems), (2, vec![bad]));
        let (documents, _) = read(&open(Split::Lines, "")).unwrap();
        assert_eq!(documents, [vec!["It is. It was.", "Two"], vec!["Last."]]);
        assert_eq!(read(&open(Split::Lines, "title")).unwrap().1.sentences, 6);
        let error = read(&open(Split::Lines, "body")).unwrap_err();
        assert!(error.to_string().ends_with("has no column `body` of text"), "{error}");
        assert!(error.remedy().ends_with("title, text") && error.exit_code() == 2, "{}", error.remedy());
    }

    #[test]
    fn a_table_that_is_none_is_a_problem_and_one_column_of_text_needs_no_name() {
        let dir = tempfile::tempdir().unwrap();
        write_table(&dir.path().join("train-00000-of-00001.parquet"), &[("review", &[Some(b"fine")])]);
        let source = Source::open(&dir.path().join("train"), Split::Lines, "", OnBadFile::Fail).unwrap();
        assert_eq!(read(&source).unwrap().0, [["fine"]]);
        let error = of("a.parquet", b"no table", Split::Lines, OnBadFile::Fail).unwrap_err().to_string();
        assert!(error.contains("a.parquet: is not a whole parquet file"), "{error}");
        let two = dir.path().join("two.parquet");
        write_table(&two, &[("a", &[Some(b"x")]), ("b", &[Some(b"y")])]);
        let error = read(&Source::open(&two, Split::Lines, "", OnBadFile::Skip).unwrap()).unwrap_err();
        assert!(error.to_string().contains("has 2 columns of text") && error.remedy().contains("a, b"), "{error}");
    }

    #[test]
    fn a_directory_is_all_its_text_in_order_and_no_document_spans_files() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("b")).unwrap();
        for (name, text) in [("c.txt", "3"), ("b/x.jsonl", "\"2\""), ("a.txt", "1"), (".d.txt", "no"), ("e.md", "no")] {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        let source = Source::open(dir.path(), Split::Lines, "", OnBadFile::Fail).unwrap();
        assert_eq!(read(&source).unwrap().0, [["1"], ["2"], ["3"]]);
        assert_eq!(source.files().len(), 3);
    }

    #[test]
    fn what_is_no_text_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let open = |name: &str| Source::open(&dir.path().join(name), Split::Lines, "", OnBadFile::Fail).unwrap_err();
        std::fs::write(dir.path().join("a.md"), "x").unwrap();
        assert!(open("a.md").to_string().ends_with("a.md: is not named like text"));
        assert!(open("").to_string().ends_with("no file below it is named like text"));
        assert!(open("none.txt").to_string().starts_with("cannot read"));
        let (documents, counts) = of("empty.txt", b"", Split::Lines, OnBadFile::Fail).unwrap();
        assert_eq!((documents.len(), counts), (0, Counts::default()));
    }

    #[test]
    fn the_digest_is_of_contents_and_options() {
        let dir = tempfile::tempdir().unwrap();
        let digest = |name: &str, text: &str, split| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            Source::open(&path, split, "", OnBadFile::Fail).unwrap().digest().unwrap()
        };
        let first = digest("a.txt", "one", Split::Lines);
        assert_eq!(first, digest("b.txt", "one", Split::Lines));
        assert_ne!(first, digest("a.txt", "onf", Split::Lines));
        assert_ne!(first, digest("a.txt", "one", Split::Sentences));
        assert_ne!(first, digest("a.jsonl", "one", Split::Lines));
    }
}
