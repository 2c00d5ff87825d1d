//! Checks whether a downloaded file is the one described by the hub.
//!
//! A tree on the hub identifies each file by git's hash of the object that git stores: the file itself or, for a large file, a pointer
//! that contains its SHA-256 and its size (the Git LFS specification, version 1). The pointer has only one form, so it is computed here
//! from the downloaded file: if the hash of the pointer matches the hub's, the hash and size of the file match too.

use crate::digest::hex;
use sha1::{Digest, Sha1};
use sha2::Sha256;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// A file in a repository, as the hub describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepoFile {
    /// Its path in the repository, with `/` between folders.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// Git's hash of the file, or of the pointer to it.
    pub(super) oid: String,
    /// Whether git stores a pointer.
    pub(super) large: bool,
}

impl RepoFile {
    /// If the file at `path` has this file's content, the name of that content in Python's cache: the SHA-256 for a large file, git's hash
    /// for any other.
    pub(super) fn verify(&self, path: &Path) -> io::Result<Option<String>> {
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        if size != self.size {
            return Ok(None);
        }
        if self.large {
            let sha256 = digest(Sha256::new(), file)?;
            return Ok((pointer_oid(&sha256, size) == self.oid).then_some(sha256));
        }
        let oid = digest(Sha1::new().chain_update(format!("blob {size}\0")), file)?;
        Ok((oid == self.oid).then_some(oid))
    }

    /// Whether a complete file with this name in the cache holds this content.
    pub(super) fn is_called(&self, name: &str) -> bool {
        if self.large { name.len() == 64 && pointer_oid(name, self.size) == self.oid } else { name == self.oid }
    }
}

/// Git's hash of the pointer to a large file.
fn pointer_oid(sha256: &str, size: u64) -> String {
    let pointer = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n");
    hex(&Sha1::new().chain_update(format!("blob {}\0", pointer.len())).chain_update(pointer).finalize())
}

fn digest<D: Digest>(mut hash: D, mut file: File) -> io::Result<String> {
    let mut buffer = vec![0; 1 << 18];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hash.finalize())),
            n => hash.update(&buffer[..n]),
        }
    }
}

/// Whether a text is a git hash in lower case.
pub(super) fn is_hash(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_a_large_file_follows_from_the_tree_of_the_hub() {
        // lysandre/arxiv-nlp on the hub; its tree is taken from the documentation of huggingface_hub's get_paths_info.
        for (oid, sha256, size) in [
            (
                "8095a62ccb4d806da7666fcda07467e2d150218e",
                "d88b0d6a6ff9c3f8151f9d3228f57092aaea997f09af009eefd7373a77b5abb9",
                497_764_107,
            ),
            (
                "64eaa9c526867e404b68f2c5d66fd78e27026523",
                "9be78edb5b928eba33aa88f431551348f7466ba9f5ef3daf1d552398722a5436",
                548_123_560,
            ),
        ] {
            let file = RepoFile { path: "x".into(), size, oid: oid.into(), large: true };
            assert!(file.is_called(sha256));
            assert!(!RepoFile { size: size + 1, ..file }.is_called(sha256));
        }
    }

    #[test]
    fn one_changed_byte_or_one_too_few_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        // `printf 'hello\n' | git hash-object --stdin` and `| sha256sum`.
        let small = RepoFile {
            path: "a".into(),
            size: 6,
            oid: "ce013625030ba8dba906f756967f9e9ca394464a".into(),
            large: false,
        };
        let sha256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
        let large = RepoFile { oid: pointer_oid(sha256, 6), large: true, ..small.clone() };
        std::fs::write(&path, "hello\n").unwrap();
        assert_eq!(small.verify(&path).unwrap().as_deref(), Some(small.oid.as_str()));
        assert_eq!(large.verify(&path).unwrap().as_deref(), Some(sha256));
        for wrong in ["hellO\n", "hello"] {
            std::fs::write(&path, wrong).unwrap();
            assert_eq!((small.verify(&path).unwrap(), large.verify(&path).unwrap()), (None, None), "{wrong:?}");
        }
    }
}
