//! One file from a hub into the cache's contents: what came before is used, what breaks off is gone on with, and only
//! what is checked gets its name.

use super::cache::{RepoCache, make_parent};
use super::check::RepoFile;
use super::client::{Hub, on};
use super::failure::{Asked, Trouble};
use super::fetch::Progress;
use super::reference::RepoRef;
use crate::error::{Error, Result};
use futures_util::StreamExt;
use hf_hub::repository::download::HFByteStream;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::time::Duration;

/// How often a download that broke off is tried again, without having come further, before that is an error.
const ATTEMPTS: u32 = 3;

/// How often it is gone on with at all.
const PIECES: u32 = 1000;

impl Hub {
    /// Fetches a file's content. Gives its name in the cache.
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
        // Another process may have brought it meanwhile.
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
            // What an earlier run left may have been the fault; from its beginning the file is tried once more.
            if began_at == 0 {
                return Err(Error::failed(
                    format!("{} of {}: what came is not what the hub says (checksum)", file.path, repo.root()),
                    "run the same command again; if it stays so, a proxy changes what passes, or the hub's copy is bad",
                ));
            }
        }
    }

    /// Fills a file up to its size. Gives how much of it was there before.
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
        // Small files come at once; only of large ones the rest is asked for.
        if !file.large || done > file.size {
            out.set_len(0).map_err(write)?;
            done = 0;
        }
        let (began_at, mut failed, mut pieces) = (done, 0, 0);
        progress(&file.path, done, file.size);
        // An empty file has no first byte to wait for.
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
                            "{} of {}: the download ends after {done} of {} bytes",
                            file.path,
                            repo.root(),
                            file.size
                        ),
                        "run the same command again: it goes on from there",
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

    /// Appends what one request gives. The outer error is the disk's, the inner one the line's.
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
        // Who does not know ranges sends all of it.
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

    /// Waits until no other process fetches the same content.
    fn lock(&self, path: &Path, asked: &Asked<'_>) -> Result<File> {
        make_parent(path)?;
        let lock = File::create(path).map_err(Error::io(path, "write"))?;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(lock),
                // On some network disks there are no locks; two processes there then spoil each other's download, which
                // the check notices.
                Err(TryLockError::Error(e)) if e.kind() == ErrorKind::Unsupported => return Ok(lock),
                Err(TryLockError::Error(e)) => return Err(Error::io(path, "lock")(e)),
                Err(TryLockError::WouldBlock) if self.stopped() => return Err(asked.error(Trouble::Stopped)),
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(100)),
            }
        }
    }
}
