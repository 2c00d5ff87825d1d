//! Files that are either complete or absent: written under a temporary name, synced, renamed.

use crate::error::{Error, Result};
use serde::Serialize;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use tempfile::TempPath;

/// The temporary path for `path`: in the same directory and hidden, so that a listing does not show it as the finished file.
fn temporary(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".tmp");
    path.with_file_name(name)
}

/// A temporary file next to `path` that will become it; it is deleted when dropped, unless [`keep`] is called.
pub fn unfinished(path: &Path) -> Result<TempPath> {
    TempPath::try_from_path(temporary(path)).map_err(Error::io(path, "write"))
}

/// Renames an [`unfinished`] file to `path`, replacing what was there.
pub fn keep(unfinished: TempPath, path: &Path) -> Result<()> {
    unfinished.persist(path).map_err(|e| Error::io(path, "write")(e.error))
}

/// Syncs the directory that holds `path`, so that a rename in it is durable. Not every system supports this; failure is not an error.
fn sync_parent(path: &Path) {
    if let Some(Ok(parent)) = path.parent().map(File::open) {
        let _ = parent.sync_all();
    }
}

/// Writes a file completely or not at all, replacing what was there.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let tmp = temporary(path);
    let filled = File::create(&tmp).and_then(|mut f| f.write_all(bytes).and_then(|()| f.sync_all()));
    let done = filled.and_then(|()| fs::rename(&tmp, path));
    if done.is_err() {
        let _ = fs::remove_file(&tmp);
    }
    done.map_err(Error::io(path, "write"))?;
    sync_parent(path);
    Ok(())
}

/// Writes a value as JSON with a final newline, completely or not at all.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let json = serde_json::to_string_pretty(value)
        .map_err(|e| Error::failed(format!("{}: {e}", path.display()), "report this as a bug in cpc"))?;
    write(path, format!("{json}\n").as_bytes())
}

/// Creates a directory completely or not at all: `fill` gets a temporary directory, which is then renamed to `path`.
///
/// An existing directory at `path` is replaced.
pub fn write_dir(path: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let tmp = temporary(path);
    let clear = |dir: &Path| if dir.exists() { fs::remove_dir_all(dir) } else { Ok(()) };
    clear(&tmp).map_err(Error::io(&tmp, "remove"))?;
    fs::create_dir_all(&tmp).map_err(Error::io(&tmp, "create"))?;
    let done = fill(&tmp).and_then(|()| {
        clear(path).map_err(Error::io(path, "remove"))?;
        fs::rename(&tmp, path).map_err(Error::io(path, "create"))
    });
    if done.is_err() {
        let _ = fs::remove_dir_all(&tmp);
    }
    done?;
    sync_parent(path);
    Ok(())
}

/// A directory that this process alone writes to, until this is dropped.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    // The lock ends when the file is closed.
    _file: File,
}

/// The name of the file that a lock is on.
const LOCK: &str = ".lock";

/// Locks an existing directory, however the process that holds the lock may end.
///
/// # Errors
/// Another process holds the lock.
pub fn lock(dir: &Path) -> Result<Lock> {
    let path = dir.join(LOCK);
    let file = File::create(&path).map_err(Error::io(&path, "create"))?;
    match file.try_lock() {
        Err(fs::TryLockError::WouldBlock) => Err(Error::failed(
            format!("{}: another process is writing to this directory", dir.display()),
            "wait until it has finished, or choose another --out",
        )),
        // Some network file systems have no locks.
        Ok(()) | Err(fs::TryLockError::Error(_)) => Ok(Lock { path, _file: file }),
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Whether a file of this name is the lock of its directory.
pub fn is_lock(name: &std::ffi::OsStr) -> bool {
    name == LOCK
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(write(&dir.path().join("no/such/place"), b"x").is_err());
    }

    #[test]
    fn a_directory_has_one_writer() {
        let dir = tempfile::tempdir().unwrap();
        let held = lock(dir.path()).unwrap();
        let error = lock(dir.path()).unwrap_err();
        assert!(error.to_string().contains("another process is writing"), "{error}");
        drop(held);
        drop(lock(dir.path()).unwrap());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_directory_that_cannot_be_filled_leaves_the_old_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("step-1");
        write_dir(&path, |d| write(&d.join("a"), b"old")).unwrap();
        let failed = write_dir(&path, |d| {
            write(&d.join("a"), b"new")?;
            Err(Error::failed("the disk is full", "free some space"))
        });
        assert!(failed.is_err());
        assert_eq!(fs::read(path.join("a")).unwrap(), b"old");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        write_dir(&path, |d| write(&d.join("b"), b"new")).unwrap();
        assert!(!path.join("a").exists() && path.join("b").exists());
    }
}
