//! A text as token ids, in a file that is written once and mapped into memory.
//!
//! The file consists of a header of 16 words of 64 bits, the ids of all sentences (32 bits each, padded to a multiple of 8
//! bytes), the end of each sentence counted in ids, the end of each document counted in sentences, and the problems as
//! JSON; all in the byte order of the machine. The header has a key derived from the text, the tokenizer and the options,
//! and a checksum of the rest. A file that does not match in any of these is rewritten.

use crate::durable;
use crate::error::{Error, Problem, Result};
use crate::text::reading::Piece;
use crate::text::source::Source;
use crate::text::token_stats::TokenStats;
use crate::text::tokenizer::Tokenizer;
use crate::text::writer::{HEAD, Writer};
use memmap2::Mmap;
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Changes whenever ids or the layout of the file change.
const MAGIC: u64 = u64::from_le_bytes(*b"cpctext2");

/// Number of bytes of text whose sentences are encoded at once.
const AT_ONCE: usize = 1 << 20;

/// The sentences of a text as token ids.
#[derive(Debug)]
pub struct Tokens {
    path: PathBuf,
    map: Mmap,
    stats: TokenStats,
    reused: bool,
    /// Byte ranges of the ids, the sentence ends, and the document ends.
    ids: Range<usize>,
    sentences: Range<usize>,
    documents: Range<usize>,
}

impl Tokens {
    /// The text of `source` as tokens, at most `max_tokens` per sentence. The file at `path` is used if it is complete and was
    /// built from the same text, tokenizer and options; otherwise it is written first. `progress` is called with the number of
    /// sentences done.
    ///
    /// # Errors
    ///
    /// `max_tokens` is 0; the text cannot be read ([`Source::read`]); it has no sentences; the file cannot be written.
    pub fn open_or_build(
        path: &Path,
        source: &Source,
        tokenizer: &Tokenizer,
        max_tokens: usize,
        progress: &dyn Fn(u64),
    ) -> Result<Tokens> {
        if max_tokens == 0 {
            return Err(Error::usage("a sentence cannot have at most 0 tokens", "choose 1 or more"));
        }
        let mut key = Sha256::new();
        key.update(source.digest()?);
        key.update(tokenizer.sha256());
        key.update((max_tokens as u64).to_le_bytes());
        let key: [u8; 32] = key.finalize().into();
        if let Some(tokens) = Tokens::open(path, &key) {
            return Ok(Tokens { reused: true, ..tokens });
        }
        build(path, source, tokenizer, max_tokens, &key, progress)?;
        Tokens::open(path, &key).ok_or_else(|| {
            Error::bad_file(
                path,
                "cannot be read back as it was written; check its disk, and that no other run is using it",
            )
        })
    }

    /// The file at `path`, if it is complete and has this key.
    fn open(path: &Path, key: &[u8; 32]) -> Option<Tokens> {
        let file = File::open(path).ok()?;
        // SAFETY: the file was renamed to its final name when it was complete, and this crate never writes to it afterwards; a
        // later build replaces it by another file.
        let map = unsafe { Mmap::map(&file) }.ok()?;
        let (head, body) = map.split_at_checked(HEAD * 8)?;
        let head: &[u64] = bytemuck::try_cast_slice(head).ok()?;
        let [magic, k0, k1, k2, k3, documents, sentences, tokens, cut, unknown, blank, without, more, notes, sum, own] =
            *<&[u64; HEAD]>::try_from(head).ok()?;
        let known = bytemuck::cast_slice::<u8, u64>(&map[8..40]) == [k0, k1, k2, k3] && map[8..40] == key[..];
        if magic != MAGIC || !known || own != u64::from(crc32c::crc32c(&map[..(HEAD - 1) * 8])) {
            return None;
        }
        let section = |start: usize, count: u64, size: usize| -> Option<Range<usize>> {
            Some(start..start.checked_add(usize::try_from(count).ok()?.checked_mul(size)?)?)
        };
        let ids = section(HEAD * 8, tokens, 4)?;
        let sentence_ends = section(ids.end.checked_next_multiple_of(8)?, sentences, 8)?;
        let document_ends = section(sentence_ends.end, documents, 8)?;
        let notes = section(document_ends.end, notes, 1)?;
        if notes.end != map.len() || sum != u64::from(crc32c::crc32c(body)) {
            return None;
        }
        let problems: Vec<(String, String)> = serde_json::from_slice(map.get(notes)?).ok()?;
        let problems = problems.into_iter().map(|(at, what)| Problem { at, what }).collect();
        let stats = TokenStats {
            documents,
            sentences,
            tokens,
            cut,
            unknown,
            blank,
            without_tokens: without,
            problems,
            more_problems: more,
        };
        let path = path.to_path_buf();
        Some(Tokens { path, map, stats, reused: false, ids, sentences: sentence_ends, documents: document_ends })
    }

    /// What it contains; its `Display` is a one-line message for the user.
    pub fn stats(&self) -> &TokenStats {
        &self.stats
    }

    /// Whether an existing file was used.
    pub fn reused(&self) -> bool {
        self.reused
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The number of sentences.
    pub fn sentences(&self) -> u64 {
        self.stats.sentences
    }

    /// The number of documents.
    pub fn documents(&self) -> u64 {
        self.stats.documents
    }

    /// The ids of a sentence; empty if there is no such sentence.
    pub fn sentence(&self, sentence: u64) -> &[u32] {
        let range = between(self.words(&self.sentences), sentence);
        let ids: &[u32] = self.map.get(self.ids.clone()).and_then(|b| bytemuck::try_cast_slice(b).ok()).unwrap_or(&[]);
        ids.get(range.start as usize..range.end as usize).unwrap_or(&[])
    }

    /// The sentences of a document; empty if there is no such document.
    pub fn document(&self, document: u64) -> Range<u64> {
        between(self.words(&self.documents), document)
    }

    fn words(&self, section: &Range<usize>) -> &[u64] {
        self.map.get(section.clone()).and_then(|bytes| bytemuck::try_cast_slice(bytes).ok()).unwrap_or(&[])
    }
}

/// The range from the end of item `i - 1` to the end of item `i`.
fn between(ends: &[u64], i: u64) -> Range<u64> {
    let at = |i: u64| usize::try_from(i).ok().and_then(|i| ends.get(i)).copied();
    let start = i.checked_sub(1).map_or(Some(0), at);
    start.zip(at(i)).map_or(0..0, |(start, end)| start..end)
}

/// Writes the file.
fn build(
    path: &Path,
    source: &Source,
    tokenizer: &Tokenizer,
    max_tokens: usize,
    key: &[u8; 32],
    progress: &dyn Fn(u64),
) -> Result<()> {
    let unfinished = durable::unfinished(path)?;
    let mut writer = Writer::create(&unfinished)?;
    let mut stats = TokenStats::default();
    // Sentences waiting to be encoded together, and the number of them after which each document ends.
    let (mut waiting, mut ends, mut bytes) = (Vec::new(), Vec::new(), 0);
    let mut encode = |waiting: &mut Vec<String>, ends: &mut Vec<usize>| -> Result<()> {
        let encoded: Vec<_> = waiting.par_iter().map(|sentence| tokenizer.encode(sentence, max_tokens)).collect();
        let mut ends = ends.drain(..).peekable();
        for (i, encoded) in encoded.into_iter().enumerate() {
            while ends.next_if(|end| *end <= i).is_some() {
                stats.documents += u64::from(writer.end_document()?);
            }
            let encoded = encoded.map_err(|what| {
                let start: String = waiting[i].chars().take(40).collect();
                Error::failed(format!("the sentence `{start}` {what}"), "use another tokenizer")
            })?;
            if encoded.ids.is_empty() {
                stats.without_tokens += 1;
                continue;
            }
            writer.sentence(&encoded.ids)?;
            stats.sentences += 1;
            stats.tokens += encoded.ids.len() as u64;
            stats.cut += u64::from(encoded.cut);
            stats.unknown += encoded.ids.iter().filter(|id| Some(**id) == tokenizer.unknown()).count() as u64;
        }
        for _ in ends {
            stats.documents += u64::from(writer.end_document()?);
        }
        waiting.clear();
        progress(stats.sentences);
        Ok(())
    };
    let counts = source.read(&mut |piece| {
        match piece {
            Piece::Sentence(text, _) => {
                bytes += text.len();
                waiting.push(text.to_string());
            }
            Piece::End => ends.push(waiting.len()),
        }
        if bytes >= AT_ONCE {
            bytes = 0;
            encode(&mut waiting, &mut ends)?;
        }
        Ok(())
    })?;
    encode(&mut waiting, &mut ends)?;
    (stats.blank, stats.problems, stats.more_problems) = (counts.blank, counts.problems, counts.more_problems);
    if stats.sentences == 0 {
        let first = source.files().first().map_or(Path::new(""), |file| file);
        let what = match source.files().len() {
            1 => format!("{}: has no sentences", first.display()),
            n => format!("{} and {} other files have no sentences", first.display(), n - 1),
        };
        return Err(match stats.all_problems() {
            0 => Error::failed(what, "provide a text with one sentence per line"),
            _ => Error::BadFiles(stats.problems),
        });
    }
    writer.finish(MAGIC, key, &stats)?;
    durable::keep(unfinished, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::OnBadFile;
    use crate::text::fixtures::{lines, numbers};

    fn built(dir: &Path, text: &[u8], on_bad_file: OnBadFile) -> Result<Tokens> {
        std::fs::write(dir.join("a.txt"), text).unwrap();
        let source = lines(&dir.join("a.txt"), on_bad_file);
        Tokens::open_or_build(&dir.join("tokens"), &source, &numbers(100), 3, &|_| {})
    }

    const TEXT: &[u8] = b"1 2 3\n4 x 5 6\n\n\n7\ny z\n8 9\n";

    #[test]
    fn sentences_and_documents_are_found_and_counted() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = built(dir.path(), TEXT, OnBadFile::Fail).unwrap();
        let all: Vec<&[u32]> = (0..5).map(|i| tokens.sentence(i)).collect();
        assert_eq!(all, [&[1, 2, 3][..], &[4, 0, 5], &[7], &[0, 0], &[8, 9]]);
        assert_eq!([tokens.document(0), tokens.document(1)], [0..2, 2..5]);
        let stats = TokenStats {
            documents: 2,
            sentences: 5,
            tokens: 11,
            cut: 1,
            unknown: 3,
            blank: 1,
            ..TokenStats::default()
        };
        assert_eq!(*tokens.stats(), stats);
        assert_eq!(
            stats.to_string(),
            "5 sentences in 2 documents, 11 tokens; 20.00 % of sentences were cut, 27.27 % of tokens are unknown; 1 blank \
             lines were skipped"
        );
        for i in [5, 6, u64::MAX] {
            assert!(tokens.sentence(i).is_empty() && tokens.document(i).is_empty(), "{i}");
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "the text and the tokens, nothing else");
    }

    #[test]
    fn the_file_is_used_again_only_for_the_same_text_tokenizer_and_options() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!built(dir.path(), TEXT, OnBadFile::Fail).unwrap().reused());
        let again = built(dir.path(), TEXT, OnBadFile::Fail).unwrap();
        assert!(again.reused() && again.stats().cut == 1);
        let source = lines(&dir.path().join("a.txt"), OnBadFile::Fail);
        let path = dir.path().join("tokens");
        let open = |tokenizer, most| Tokens::open_or_build(&path, &source, &numbers(tokenizer), most, &|_| {}).unwrap();
        assert!(open(100, 3).reused());
        assert!(!open(100, 4).reused() && open(100, 4).reused());
        assert!(!open(99, 4).reused());
        let changed = built(dir.path(), b"1 2 3\n", OnBadFile::Fail).unwrap();
        assert!(!changed.reused() && changed.sentences() == 1);
    }

    #[test]
    fn a_file_with_any_byte_changed_or_missing_is_written_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tokens");
        built(dir.path(), TEXT, OnBadFile::Fail).unwrap();
        let whole = std::fs::read(&path).unwrap();
        let mut bad: Vec<Vec<u8>> = (0..whole.len()).step_by(3).map(|n| whole[..n].to_vec()).collect();
        bad.extend((0..whole.len()).map(|i| {
            let mut bytes = whole.clone();
            bytes[i] ^= 0x40;
            bytes
        }));
        bad.push([&whole[..], b"x"].concat());
        for bytes in bad {
            std::fs::write(&path, &bytes).unwrap();
            let tokens = built(dir.path(), TEXT, OnBadFile::Fail).unwrap();
            assert!(!tokens.reused() && tokens.sentence(4) == [8, 9]);
            assert_eq!(std::fs::read(&path).unwrap(), whole);
        }
    }

    #[test]
    fn problems_are_named_again_when_the_file_is_used_again() {
        let dir = tempfile::tempdir().unwrap();
        let text = b"1\n\xff\n2\n3\n";
        let error = built(dir.path(), text, OnBadFile::Fail).unwrap_err();
        assert!(error.to_string().contains("a.txt:2: is not UTF-8") && !dir.path().join("tokens").exists(), "{error}");
        let first = built(dir.path(), text, OnBadFile::Skip).unwrap();
        let again = built(dir.path(), text, OnBadFile::Skip).unwrap();
        assert!(again.reused() && again.stats() == first.stats());
        assert_eq!((again.documents(), again.stats().all_problems()), (2, 1));
        assert!(again.stats().to_string().ends_with("1 places could not be read and were left out"));
    }

    #[test]
    fn a_text_without_sentences_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        for text in [&b""[..], b" \n\n"] {
            let error = built(dir.path(), text, OnBadFile::Fail).unwrap_err();
            assert!(error.to_string().ends_with("a.txt: has no sentences"), "{error}");
        }
        let error = built(dir.path(), b"\xff\n", OnBadFile::Skip).unwrap_err();
        assert!(error.to_string().contains("a.txt:1: is not UTF-8"), "{error}");
        let source = lines(&dir.path().join("a.txt"), OnBadFile::Skip);
        let none = Tokens::open_or_build(&dir.path().join("t"), &source, &numbers(9), 0, &|_| {}).unwrap_err();
        assert_eq!(none.exit_code(), 2);
    }

    #[test]
    fn sentences_that_wait_together_keep_their_documents() {
        let dir = tempfile::tempdir().unwrap();
        let mut text = String::new();
        for document in 0..3000u64 {
            // About 4 MB: encoded in several parts.
            (0..1 + document % 3).for_each(|i| text += &format!("{} {}\n", 1 + (document + i) % 99, "7 ".repeat(350)));
            text.push('\n');
        }
        let tokens = built(dir.path(), text.as_bytes(), OnBadFile::Fail).unwrap();
        assert_eq!((tokens.documents(), tokens.sentences(), tokens.stats().cut), (3000, 6000, 6000));
        for document in 0..3000 {
            let range = tokens.document(document);
            assert_eq!(range.end - range.start, 1 + document % 3);
            for (i, sentence) in (0..).zip(range) {
                assert_eq!(tokens.sentence(sentence), [(1 + (document + i) % 99) as u32, 7, 7]);
            }
        }
    }
}
