//! Downloads one file from a hub into the cache's contents. Partial downloads are reused, interrupted ones are resumed, and a file gets
//! its final name only after it has been checked.

use crate::error::{Error, Result};
use crate::hub::cache::{RepoCache, make_parent};
use crate::hub::check::RepoFile;
use crate::hub::client::{Hub, on};
use crate::hub::failure::{Asked, Trouble};
use crate::hub::fetch::Progress;
use crate::hub::reference::RepoRef;
use futures_util::StreamExt;
use hf_hub::repository::download::HFByteStream;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::time::Duration;

/// Number of attempts without progress after which a broken download is an error.
const ATTEMPTS: u32 = 3;

/// Largest number of requests for one file.
const PIECES: u32 = 1000;

impl Hub {
    /// Fetches a file's content, and returns its name in the cache.
    pub(super) fn download(
        &self,
        repo: &RepoRef,
        commit: &str,
        file: &RepoFile,
        cache: &RepoCache,
        progress: Progress<'_>,
    ) -> Result<String> {
        let asked = Asked { file: Some(&file.path), ..self.asked(repo) };
        let place = cache.incomplete(file);
        make_parent(&place)?;
        let _lock = self.lock(&cache.lock(file), &asked)?;
        // Another process may have fetched it in the meantime.
        if let Some(blob) = cache.blob(file) {
            return Ok(blob);
        }
        loop {
            let began_at = self.fill(repo, commit, file, &place, &asked, progress)?;
            if let Some(blob) = file.verify(&place).map_err(Error::io(&place, "read"))? {
                let named = cache.blobs().join(&blob);
                fs::rename(&place, &named).map_err(Error::io(&named, "write"))?;
                return Ok(blob);
            }
            fs::remove_file(&place).map_err(Error::io(&place, "remove"))?;
            // The part left by an earlier run may have been damaged; the file is fetched once more from its beginning.
            if began_at == 0 {
                return Err(Error::failed(
                    format!("{} of {}: the download does not match the hub's checksum", file.path, repo.root()),
                    "run the same command again; if that does not help, a proxy changes the data, or the hub's copy is bad",
                ));
            }
        }
    }

    /// Downloads a file up to its full size, and returns the number of bytes that were present before.
    fn fill(
        &self,
        repo: &RepoRef,
        commit: &str,
        file: &RepoFile,
        place: &Path,
        asked: &Asked<'_>,
        progress: Progress<'_>,
    ) -> Result<u64> {
        let write = |e| Error::io(place, "write")(e);
        let mut out = OpenOptions::new().create(true).append(true).open(place).map_err(write)?;
        let mut done = out.metadata().map_err(write)?.len();
        // Small files are fetched in one piece; only large ones are resumed.
        if !file.large || done > file.size {
            out.set_len(0).map_err(write)?;
            done = 0;
        }
        let (began_at, mut failed, mut pieces) = (done, 0, 0);
        progress(&file.path, done, file.size);
        // An empty file needs no request.
        while done < file.size {
            let before = done;
            let ended = self.receive(repo, commit, file, &mut out, &mut done, place, progress)?;
            out.sync_all().map_err(write)?;
            pieces += 1;
            failed = if file.large && done > before { 0 } else { failed + 1 };
            let again = failed < ATTEMPTS && pieces < PIECES;
            match ended {
                Ok(()) if done >= file.size || again => {}
                Ok(()) => {
                    return Err(Error::failed(
                        format!(
                            "{} of {}: the download ended after {done} of {} bytes",
                            file.path,
                            repo.root(),
                            file.size
                        ),
                        "run the same command again: it resumes there",
                    ));
                }
                Err(trouble) if trouble.is_of_the_line() && again => {}
                Err(trouble) => return Err(asked.error(trouble)),
            }
            if !file.large && done < file.size {
                out.set_len(0).map_err(write)?;
                done = 0;
            }
        }
        out.sync_all().map_err(write)?;
        Ok(began_at)
    }

    /// Appends the data of one request. The outer error is one of the disk, the inner one of the connection.
    #[allow(clippy::too_many_arguments)]
    fn receive(
        &self,
        repo: &RepoRef,
        commit: &str,
        file: &RepoFile,
        out: &mut File,
        done: &mut u64,
        place: &Path,
        progress: Progress<'_>,
    ) -> Result<std::result::Result<(), Trouble>> {
        let write = |e| Error::io(place, "write")(e);
        let handle = self.repo(repo)?;
        let rest = (*done > 0).then_some(*done..file.size);
        let opened: std::result::Result<(Option<u64>, HFByteStream), Trouble> = on!(&handle, r => {
            let request = r.download_file_stream().filename(file.path.as_str()).revision(commit).maybe_range(rest.clone());
            self.answer(request.send())
        });
        let (length, mut stream) = match opened {
            Ok(opened) => opened,
            Err(trouble) => return Ok(Err(trouble)),
        };
        // A server that does not support ranges sends the whole file.
        if rest.is_some() && length == Some(file.size) {
            out.set_len(0).map_err(write)?;
            *done = 0;
        }
        loop {
            let piece = self.wait(Some(self.settings().stall_timeout), async { stream.next().await.transpose() });
            match piece {
                Ok(Some(piece)) => {
                    out.write_all(&piece).map_err(write)?;
                    *done += piece.len() as u64;
                    progress(&file.path, *done, file.size);
                    if *done > file.size {
                        return Ok(Ok(()));
                    }
                }
                Ok(None) => return Ok(Ok(())),
                Err(trouble) => return Ok(Err(trouble)),
            }
        }
    }

    /// Waits until no other process is fetching the same content.
    fn lock(&self, path: &Path, asked: &Asked<'_>) -> Result<File> {
        make_parent(path)?;
        let lock = File::create(path).map_err(Error::io(path, "write"))?;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(lock),
                // Some network file systems have no locks; two processes there may corrupt each other's download, which the check
                // detects.
                Err(TryLockError::Error(e)) if e.kind() == ErrorKind::Unsupported => return Ok(lock),
                Err(TryLockError::Error(e)) => return Err(Error::io(path, "lock")(e)),
                Err(TryLockError::WouldBlock) if self.stopped() => return Err(asked.error(Trouble::Stopped)),
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(100)),
            }
        }
    }
}
