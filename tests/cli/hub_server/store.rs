//! The hub's data: repositories, their commits and refs, and the storage of large files.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use sha1::{Digest, Sha1};
use sha2::Sha256;

/// The accepted token and its user; both are made up.
pub const TOKEN: &str = "hf_loopbackTokenOfTheTests";
pub const USER: &str = "tester";

/// Files of at least this size are kept in the storage, whatever their name: the hub's limit for a file within git, 10 MB.
const LARGE: usize = 10_000_000;

/// File extensions that a new repository on the hub keeps in the storage: those of the hub's list that may occur here.
const LARGE_ENDINGS: [&str; 14] =
    ["arrow", "bin", "ckpt", "gz", "h5", "npy", "npz", "onnx", "parquet", "pkl", "pt", "pth", "safetensors", "zip"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Model,
    Dataset,
}

impl Kind {
    /// The first segment after `/api`.
    pub fn plural(self) -> &'static str {
        match self {
            Kind::Model => "models",
            Kind::Dataset => "datasets",
        }
    }

    /// The prefix of `owner/name` in an address.
    pub fn prefix(self) -> &'static str {
        match self {
            Kind::Model => "",
            Kind::Dataset => "datasets/",
        }
    }
}

/// One file's content.
#[derive(Clone)]
pub struct Blob {
    pub bytes: Arc<[u8]>,
    pub sha256: String,
    /// Whether it is in the storage, with a pointer to it in git.
    pub lfs: bool,
    /// git's name for the object it stores: the file, or the pointer.
    pub git: String,
}

impl Blob {
    fn new(path: &str, bytes: Arc<[u8]>) -> Blob {
        let sha256 = sha256(&bytes);
        let lfs = goes_to_storage(path, bytes.len());
        let git = if lfs { git_blob(pointer(&sha256, bytes.len()).as_bytes()) } else { git_blob(&bytes) };
        Blob { bytes, sha256, lfs, git }
    }

    /// The ETag, with which a client compares its copy.
    pub fn etag(&self) -> &str {
        if self.lfs { &self.sha256 } else { &self.git }
    }

    pub fn pointer_size(&self) -> usize {
        pointer(&self.sha256, self.bytes.len()).len()
    }
}

fn pointer(sha256: &str, size: usize) -> String {
    format!("version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n")
}

/// Whether the hub keeps a file in its storage rather than in git. An empty file is never kept there.
pub fn goes_to_storage(path: &str, size: usize) -> bool {
    let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending);
    size >= LARGE || size > 0 && LARGE_ENDINGS.contains(&ending)
}

pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The name that git gives to a file's content.
pub fn git_blob(bytes: &[u8]) -> String {
    let mut hash = Sha1::new();
    hash.update(format!("blob {}\0", bytes.len()));
    hash.update(bytes);
    hex(&hash.finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub struct Commit {
    pub id: String,
    pub parent: Option<String>,
    pub title: String,
    pub message: String,
    pub date: String,
    pub files: BTreeMap<String, Blob>,
}

pub struct Repo {
    pub kind: Kind,
    /// `owner/name`.
    pub id: String,
    pub private: bool,
    pub gated: bool,
    pub granted: bool,
    /// Whether all requests for it are answered with 429.
    pub throttled: bool,
    pub commits: HashMap<String, Commit>,
    pub branches: BTreeMap<String, String>,
    pub tags: BTreeMap<String, String>,
}

impl Repo {
    fn new(kind: Kind, id: &str) -> Repo {
        Repo {
            kind,
            id: id.to_owned(),
            private: false,
            gated: false,
            granted: false,
            throttled: false,
            commits: HashMap::new(),
            branches: BTreeMap::new(),
            tags: BTreeMap::new(),
        }
    }

    /// The commit of a branch, a tag or a commit hash.
    pub fn resolve(&self, revision: &str) -> Option<&Commit> {
        let branch = revision.strip_prefix("refs/heads/").unwrap_or(revision);
        let tag = revision.strip_prefix("refs/tags/").unwrap_or(revision);
        let id = self.branches.get(branch).or_else(|| self.tags.get(tag)).map_or(revision, String::as_str);
        self.commits.get(id)
    }

    /// Adds a commit to a branch, which may be new. `None` removes a file. Returns the hash of the commit.
    pub fn commit(
        &mut self,
        branch: &str,
        title: &str,
        message: &str,
        changes: Vec<(String, Option<Arc<[u8]>>)>,
    ) -> String {
        let parent = self.branches.get(branch).cloned();
        let mut files = parent.as_ref().map(|parent| self.commits[parent].files.clone()).unwrap_or_default();
        for (path, content) in changes {
            match content {
                Some(content) => drop(files.insert(path.clone(), Blob::new(&path, content))),
                None => drop(files.remove(&path)),
            }
        }
        // A count replaces the clock, so that a test sees the same hashes each time.
        let count = self.commits.len();
        let mut hash = Sha1::new();
        hash.update(format!("{}{} {parent:?} {count} {title}\n{message}\n", self.kind.prefix(), self.id));
        for (path, blob) in &files {
            hash.update(format!("{} {path}\n", blob.git));
        }
        let id = hex(&hash.finalize());
        let (hour, minute) = (count / 60 % 24, count % 60);
        let date = format!("2026-01-01T{hour:02}:{minute:02}:00.000Z");
        let (title, message) = (title.to_owned(), message.to_owned());
        self.commits.insert(id.clone(), Commit { id: id.clone(), parent, title, message, date, files });
        self.branches.insert(branch.to_owned(), id.clone());
        id
    }
}

#[derive(Default)]
pub struct Store {
    /// Repositories by the kind's prefix and `owner/name`.
    repos: BTreeMap<String, Repo>,
    /// Large files that were uploaded, by their SHA-256; a commit then names them.
    pub uploads: HashMap<String, Arc<[u8]>>,
    /// Namespaces in which the token may not write.
    pub forbidden: BTreeSet<String>,
}

impl Store {
    pub fn repo(&self, key: &str) -> Option<&Repo> {
        self.repos.get(key)
    }

    pub fn find_mut(&mut self, key: &str) -> Option<&mut Repo> {
        self.repos.get_mut(key)
    }

    /// For calls by the tests themselves, which name repositories that they created.
    pub fn repo_mut(&mut self, key: &str) -> &mut Repo {
        self.repos.get_mut(key).unwrap_or_else(|| panic!("{key}: no such repository on the test's hub"))
    }

    pub fn remove(&mut self, key: &str) -> bool {
        self.repos.remove(key).is_some()
    }

    /// Creates a repository. As on the hub, it has one commit with the list of the extensions kept in the storage.
    pub fn create(&mut self, kind: Kind, id: &str, private: bool) {
        let mut repo = Repo::new(kind, id);
        repo.private = private;
        let attributes: String =
            LARGE_ENDINGS.iter().map(|ending| format!("*.{ending} filter=lfs diff=lfs merge=lfs -text\n")).collect();
        repo.commit(
            "main",
            "initial commit",
            "",
            vec![(".gitattributes".into(), Some(attributes.into_bytes().into()))],
        );
        self.repos.insert(format!("{}{id}", kind.prefix()), repo);
    }

    pub fn put(&mut self, kind: Kind, id: &str, files: &[(&str, &[u8])]) -> String {
        let repo = self.repos.entry(format!("{}{id}", kind.prefix())).or_insert_with(|| Repo::new(kind, id));
        let changes = files.iter().map(|(path, bytes)| ((*path).to_owned(), Some(Arc::from(*bytes)))).collect();
        repo.commit("main", "put by a test", "", changes)
    }

    /// A large file by its hash, either uploaded or in any commit.
    pub fn large(&self, sha256: &str) -> Option<Arc<[u8]>> {
        let committed = || {
            let commits = self.repos.values().flat_map(|repo| repo.commits.values());
            let mut blobs = commits.flat_map(|commit| commit.files.values());
            blobs.find(|blob| blob.lfs && blob.sha256 == sha256).map(|blob| Arc::clone(&blob.bytes))
        };
        self.uploads.get(sha256).cloned().or_else(committed)
    }
}
