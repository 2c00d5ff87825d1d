//! Pushing to a hub: files in one commit to a repository, which is created if it does not exist.
//!
//! hf-hub 1.0 sends large files by xet, or within the commit if the server does not offer xet. Only the second way is tested.

use crate::error::{Error, Result};
use crate::hub::client::{Hub, on};
use crate::hub::failure::{Asked, Trouble, offline};
use crate::hub::reference::{RepoKind, RepoRef};
use hf_hub::repository::{CommitInfo, CommitOperation, RepoTypeDataset, RepoTypeModel};
use std::path::PathBuf;

/// The content of a pushed file.
#[derive(Debug, Clone)]
pub enum Content {
    /// The content of this file at the time it is sent.
    File(PathBuf),
    /// These bytes.
    Bytes(Vec<u8>),
}

impl Content {
    /// Its size in bytes.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn size(&self) -> Result<u64> {
        match self {
            Content::File(path) => Ok(std::fs::metadata(path).map_err(Error::io(path, "read"))?.len()),
            Content::Bytes(bytes) => Ok(bytes.len() as u64),
        }
    }
}

/// A commit that was made.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Pushed {
    /// The address of its page.
    pub url: String,
    /// Its hash.
    pub commit: String,
}

impl Hub {
    /// Sends files, each to its path in the repository, as one commit on the reference's branch. The repository (private or public) and the
    /// branch (from `main`) are created if they do not exist.
    ///
    /// # Errors
    /// There is no token; it is refused or has no write access; `private` is requested but the repository exists and is public; a file
    /// cannot be read; no answer arrived.
    pub fn push(&self, repo: &RepoRef, files: Vec<(String, Content)>, private: bool, message: &str) -> Result<Pushed> {
        let settings = self.settings();
        if settings.offline {
            return Err(offline());
        }
        if settings.token.is_none() {
            return Err(Error::usage(
                format!("there is no token to push to {} with", repo.root()),
                format!("create one with write access at {}/settings/tokens and set HF_TOKEN", settings.endpoint),
            ));
        }
        let mut operations = Vec::new();
        for (path, content) in files {
            content.size()?;
            operations.push(match content {
                Content::File(file) => CommitOperation::add_file(path, file),
                Content::Bytes(bytes) => CommitOperation::add_bytes(path, bytes),
            });
        }
        self.prepare(repo, private)?;
        let handle = self.repo(repo)?;
        // No time limit: there is no answer until everything has been sent.
        let made: Tried<CommitInfo> = on!(&handle, r => {
            let commit = r.create_commit().operations(operations).commit_message(message).revision(repo.revision());
            self.wait(None, commit.send())
        });
        let made = made.map_err(|trouble| self.writing(repo).error(trouble))?;
        let commit = made.commit_oid.filter(|commit| super::check::is_hash(commit));
        let commit = commit.ok_or_else(|| self.writing(repo).error(Trouble::NoHub))?;
        let page = repo.page(&settings.endpoint);
        let url = match repo.named_revision() {
            None => page,
            Some(revision) => format!("{page}/tree/{}", revision.replace('/', "%2F")),
        };
        Ok(Pushed { url, commit })
    }

    fn writing<'a>(&'a self, repo: &'a RepoRef) -> Asked<'a> {
        Asked { writing: true, ..self.asked(repo) }
    }

    /// Creates the repository and the branch, if they do not exist.
    fn prepare(&self, repo: &RepoRef, private: bool) -> Result<()> {
        let error = |trouble| self.writing(repo).error(trouble);
        let page = repo.page(&self.settings().endpoint);
        let main = repo.repository();
        match self.info(&main)? {
            Ok(info) if private && !info.private => {
                return Err(Error::usage(
                    format!("{main} is there already, and public"),
                    format!("omit --private, or make it private at {page}/settings"),
                ));
            }
            Ok(_) => {}
            Err(trouble) if trouble.is_no_repository() => self.create(&main, private).map_err(error)?,
            Err(trouble) => return Err(error(trouble)),
        }
        if repo.revision() == "main" {
            return Ok(());
        }
        match self.info(repo)? {
            Ok(_) => Ok(()),
            Err(trouble) if trouble.is_no_revision() => {
                let handle = self.repo(repo)?;
                let made: Tried<()> = on!(&handle, r => self.answer(r.create_branch().branch(repo.revision()).send()));
                made.map_err(error)
            }
            Err(trouble) => Err(error(trouble)),
        }
    }

    fn create(&self, repo: &RepoRef, private: bool) -> Tried<()> {
        let client = self.client().map_err(|_| Trouble::Offline)?;
        let id = format!("{}/{}", repo.owner(), repo.name());
        match repo.kind() {
            RepoKind::Model => {
                let create = client.create_repository().repo_id(&id).repo_type(RepoTypeModel);
                self.answer(create.private(private).exist_ok(true).send())
            }
            RepoKind::Dataset => {
                let create = client.create_repository().repo_id(&id).repo_type(RepoTypeDataset);
                self.answer(create.private(private).exist_ok(true).send())
            }
        }
        .map(drop)
    }
}

type Tried<T> = std::result::Result<T, Trouble>;
