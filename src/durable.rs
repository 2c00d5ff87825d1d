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

/// A file that is locked until this is dropped, however the process ends. The lock is on a directory, or on a part of the work in it.
#[derive(Debug)]
pub struct Lock {
    /// The path of the file, if it is removed with the lock.
    path: Option<PathBuf>,
    // The lock ends when the file is closed.
    _file: File,
}

/// The name of the file that the lock on a directory is on.
const LOCK: &str = ".lock";

/// Opens a file in `dir` and locks it with `try_lock`. The file is removed with the lock, unless others may hold it too. `busy` says what it
/// means if the lock is held elsewhere.
fn locked(
    dir: &Path,
    name: &str,
    try_lock: impl Fn(&File) -> std::result::Result<(), fs::TryLockError>,
    removed: bool,
    busy: &str,
) -> Result<Lock> {
    let path = dir.join(name);
    loop {
        // Network file systems lock by byte ranges: for a shared lock, the file has to be open for reading.
        let file =
            File::options().create(true).read(true).append(true).open(&path).map_err(Error::io(&path, "create"))?;
        match try_lock(&file) {
            Err(fs::TryLockError::WouldBlock) => {
                return Err(Error::failed(
                    format!("{}: {busy}", dir.display()),
                    "wait until it has finished, or choose another --out",
                ));
            }
            // Some network file systems have no locks.
            Err(fs::TryLockError::Error(e)) if has_none(&e) => {}
            Err(fs::TryLockError::Error(e)) => return Err(Error::io(&path, "lock")(e)),
            Ok(()) if is_still(&file, &path) => {}
            // Its last holder has removed the file in the meantime.
            Ok(()) => continue,
        }
        return Ok(Lock { path: removed.then_some(path), _file: file });
    }
}

/// Whether an error of locking says that the file system has no locks.
fn has_none(e: &std::io::Error) -> bool {
    // ENOLCK, ENOSYS and EOPNOTSUPP of Linux.
    e.kind() == std::io::ErrorKind::Unsupported || matches!(e.raw_os_error(), Some(37 | 38 | 95))
}

/// Whether an open file is still the one at `path`.
fn is_still(file: &File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let of = |m: fs::Metadata| (m.dev(), m.ino());
        matches!((file.metadata().map(of), fs::metadata(path).map(of)), (Ok(a), Ok(b)) if a == b)
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        path.exists()
    }
}

/// What it means if a directory is locked by another process.
const BUSY: &str = "another process is writing to this directory";

/// Locks an existing directory for this process alone.
///
/// # Errors
/// Another process holds a lock on it.
pub fn lock(dir: &Path) -> Result<Lock> {
    locked(dir, LOCK, File::try_lock, true, BUSY)
}

/// Locks an existing directory together with other processes that call this.
///
/// # Errors
/// A process holds it alone.
pub fn lock_shared(dir: &Path) -> Result<Lock> {
    locked(dir, LOCK, File::try_lock_shared, false, BUSY)
}

/// Locks a part of the work in a directory, such as `shard 3/64`, for this process alone.
///
/// # Errors
/// Another process holds it.
pub fn lock_part(dir: &Path, part: &str) -> Result<Lock> {
    let name = format!("{LOCK}-{}", part.replace([' ', '/'], "-"));
    locked(dir, &name, File::try_lock, true, &format!("another process is working on {part} there"))
}

/// Whether a process holds a [part](lock_part) of the work in a directory whose name begins with `kind`, such as `shard`, other than those
/// whose names end with `except`.
///
/// # Errors
/// The directory cannot be read.
pub fn is_part_held(dir: &Path, kind: &str, except: &str) -> Result<bool> {
    for entry in fs::read_dir(dir).map_err(Error::io(dir, "read"))?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let other = name.starts_with(&format!("{LOCK}-{kind}-")) && !name.ends_with(except);
        let held = |file: File| matches!(file.try_lock(), Err(fs::TryLockError::WouldBlock));
        if other && File::open(entry.path()).is_ok_and(held) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Waits until no other process does the short work that this lock is for.
///
/// # Errors
/// The file cannot be created.
pub fn wait_for(dir: &Path, work: &str) -> Result<Lock> {
    let wait = |file: &File| file.lock().map_err(fs::TryLockError::Error);
    locked(dir, &format!("{LOCK}-{work}"), wait, true, BUSY)
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            let _ = fs::remove_file(path);
        }
    }
}

/// Whether a file of this name is one that [`unfinished`] or [`write()`] makes before it has its own name.
pub fn is_unfinished(name: &std::ffi::OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.starts_with(b".") && name.ends_with(b".tmp")
}

/// Whether a file of this name is a lock of its directory.
pub fn is_lock(name: &std::ffi::OsStr) -> bool {
    name.as_encoded_bytes().starts_with(LOCK.as_bytes())
}

/// Removes the locks that were left in a directory by processes that ended, except the one on the directory itself.
///
/// # Errors
/// The directory cannot be read.
pub fn remove_old_locks(dir: &Path) -> Result<()> {
    for entry in fs::read_dir(dir).map_err(Error::io(dir, "read"))?.flatten() {
        let name = entry.file_name();
        if is_lock(&name) && name != LOCK {
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
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
    fn parts_of_the_work_in_a_directory_have_one_worker_each() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let shared = [lock_shared(dir).unwrap(), lock_shared(dir).unwrap()];
        let part = lock_part(dir, "shard 0/2").unwrap();
        let said = lock_part(dir, "shard 0/2").unwrap_err().to_string();
        assert!(said.ends_with("another process is working on shard 0/2 there"), "{said}");
        drop(lock_part(dir, "shard 1/2").unwrap());
        assert!(lock(dir).is_err());
        drop((shared, part));
        let alone = lock(dir).unwrap();
        assert!(lock_shared(dir).is_err());
        drop(wait_for(dir, "begin").unwrap());
        remove_old_locks(dir).unwrap();
        drop(alone);
        assert_eq!(fs::read_dir(dir).unwrap().count(), 0);
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
