//! Writes a token file sequentially, whatever its size; see [`Tokens`](super::Tokens) for its layout.

use crate::error::{Error, Result};
use crate::text::token_stats::TokenStats;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Number of words in the header.
pub(super) const HEAD: usize = 16;

/// Number of bytes copied at once.
const COPIED: usize = 1 << 16;

/// Numbers produced before their position in the file is known; until then they are in an unnamed temporary file.
struct Spill {
    file: BufWriter<File>,
    last: u64,
}

impl Spill {
    fn create(dir: &Path) -> std::io::Result<Spill> {
        Ok(Spill { file: BufWriter::new(tempfile::tempfile_in(dir)?), last: 0 })
    }

    fn push(&mut self, end: u64) -> std::io::Result<()> {
        self.last = end;
        self.file.write_all(&end.to_ne_bytes())
    }

    fn copy(mut self, to: &mut Summed) -> std::io::Result<()> {
        self.file.flush()?;
        let mut file = BufReader::with_capacity(COPIED, self.file.into_inner().map_err(|e| e.into_error())?);
        file.seek(SeekFrom::Start(0))?;
        let mut some = vec![0; COPIED];
        loop {
            match file.read(&mut some)? {
                0 => return Ok(()),
                n => to.put(&some[..n])?,
            }
        }
    }
}

/// A file, and the checksum of what was written after its header.
struct Summed {
    file: BufWriter<File>,
    sum: u32,
}

impl Summed {
    fn put(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.sum = crc32c::crc32c_append(self.sum, bytes);
        self.file.write_all(bytes)
    }
}

/// A token file that is being written.
pub(super) struct Writer {
    path: PathBuf,
    out: Summed,
    tokens: u64,
    sentences: u64,
    sentence_ends: Spill,
    document_ends: Spill,
}

impl Writer {
    /// Creates the file at `path`.
    pub(super) fn create(path: &Path) -> Result<Writer> {
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let begin = || {
            let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
            file.write_all(&[0; HEAD * 8])?;
            Ok(Writer {
                path: path.to_path_buf(),
                out: Summed { file, sum: 0 },
                tokens: 0,
                sentences: 0,
                sentence_ends: Spill::create(dir)?,
                document_ends: Spill::create(dir)?,
            })
        };
        begin().map_err(Error::io(path, "write"))
    }

    /// Adds a sentence to the current document.
    pub(super) fn sentence(&mut self, ids: &[u32]) -> Result<()> {
        self.tokens += ids.len() as u64;
        self.sentences += 1;
        let written = self.out.put(bytemuck::cast_slice(ids)).and_then(|()| self.sentence_ends.push(self.tokens));
        written.map_err(Error::io(&self.path, "write"))
    }

    /// Ends the current document, if it has a sentence; returns whether it had one.
    pub(super) fn end_document(&mut self) -> Result<bool> {
        if self.document_ends.last == self.sentences {
            return Ok(false);
        }
        self.document_ends.push(self.sentences).map_err(Error::io(&self.path, "write"))?;
        Ok(true)
    }

    /// Writes what follows the ids, and finally the header.
    pub(super) fn finish(self, magic: u64, key: &[u8; 32], stats: &TokenStats) -> Result<()> {
        let path = self.path.clone();
        self.end(magic, key, stats).map_err(Error::io(path, "write"))
    }

    fn end(self, magic: u64, key: &[u8; 32], stats: &TokenStats) -> std::io::Result<()> {
        let Writer { mut out, tokens, sentence_ends, document_ends, .. } = self;
        if tokens % 2 == 1 {
            out.put(&[0; 4])?;
        }
        sentence_ends.copy(&mut out)?;
        document_ends.copy(&mut out)?;
        let problems: Vec<(&str, &str)> = stats.problems.iter().map(|p| (p.at.as_str(), p.what.as_str())).collect();
        let problems = serde_json::to_vec(&problems)?;
        out.put(&problems)?;
        let TokenStats { documents, sentences, tokens, cut, unknown, blank, without_tokens, more_problems, .. } =
            *stats;
        let mut head = magic.to_ne_bytes().to_vec();
        head.extend(key);
        let counts = [documents, sentences, tokens, cut, unknown, blank, without_tokens, more_problems];
        for word in counts.into_iter().chain([problems.len() as u64, u64::from(out.sum)]) {
            head.extend(word.to_ne_bytes());
        }
        head.extend(u64::from(crc32c::crc32c(&head)).to_ne_bytes());
        out.file.seek(SeekFrom::Start(0))?;
        out.file.write_all(&head)?;
        out.file.flush()?;
        out.file.get_ref().sync_all()
    }
}
