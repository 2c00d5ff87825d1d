//! The cache on disk, in the layout of Python's `huggingface_hub`, so that each finds the files that the other fetched:
//!
//! ```text
//! models--owner--name/blobs/<hash>                   contents, named by the hub's hash
//! models--owner--name/snapshots/<commit>/<path>      links to them
//! models--owner--name/refs/<revision>                the commit that a branch or tag pointed to
//! ```
//!
//! Nothing gets its final name before it is complete: contents are checked under a temporary name, and links and references are created
//! under one and renamed. All temporary names end with `.cpc.incomplete` and are in `blobs`, where neither client looks for names it does
//! not know.

use crate::error::{Error, Result};
use crate::hub::check::{RepoFile, is_hash};
use crate::hub::reference::{RepoKind, RepoRef};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// What the cache holds of one repository.
#[derive(Debug, Clone, Serialize)]
pub struct Cached {
    /// The repository, as `hf:owner/name`.
    pub repo: String,
    /// What it holds.
    pub kind: RepoKind,
    /// Its folder.
    pub path: PathBuf,
    /// Bytes of all contents that a snapshot links to, each counted once.
    pub size: u64,
    /// Its snapshots, by commit.
    pub revisions: Vec<CachedRevision>,
}

/// One snapshot.
#[derive(Debug, Clone, Serialize)]
pub struct CachedRevision {
    /// The commit.
    pub commit: String,
    /// The branches and tags that pointed to it when they were last resolved.
    pub refs: Vec<String>,
    /// Size of its files in bytes.
    pub size: u64,
    /// Number of its files. Files whose content is missing are not counted.
    pub files: usize,
}

/// The folder of one repository.
#[derive(Debug, Clone)]
pub(super) struct RepoCache {
    cache: PathBuf,
    folder: String,
}

impl RepoCache {
    pub fn new(cache: &Path, repo: &RepoRef) -> RepoCache {
        let kind = if repo.kind() == RepoKind::Model { "models" } else { "datasets" };
        RepoCache { cache: cache.into(), folder: format!("{kind}--{}--{}", repo.owner(), repo.name()) }
    }

    pub fn root(&self) -> PathBuf {
        self.cache.join(&self.folder)
    }

    pub fn blobs(&self) -> PathBuf {
        self.root().join("blobs")
    }

    pub fn snapshot(&self, commit: &str) -> PathBuf {
        self.root().join("snapshots").join(commit)
    }

    /// The path of a file while it is being downloaded.
    pub fn incomplete(&self, file: &RepoFile) -> PathBuf {
        self.blobs().join(format!("{}.cpc.incomplete", file.oid))
    }

    /// The file that a process locks while it fetches a content.
    pub fn lock(&self, file: &RepoFile) -> PathBuf {
        self.cache.join(".locks").join(&self.folder).join(format!("{}.cpc.lock", file.oid))
    }

    /// Whether a snapshot has a file with the size given by the hub.
    pub fn has(&self, commit: &str, file: &RepoFile) -> bool {
        fs::metadata(self.snapshot(commit).join(&file.path)).is_ok_and(|m| m.is_file() && m.len() == file.size)
    }

    /// The name of a file's content, if it was already fetched for another snapshot.
    pub fn blob(&self, file: &RepoFile) -> Option<String> {
        let entries = fs::read_dir(self.blobs()).ok()?.flatten();
        let same = |entry: &fs::DirEntry| entry.metadata().is_ok_and(|m| m.is_file() && m.len() == file.size);
        let mut names = entries.filter(same).filter_map(|entry| entry.file_name().into_string().ok());
        names.find(|name| file.is_called(name))
    }

    /// Links a file of a snapshot to a content; on systems without symbolic links it is copied.
    pub fn link(&self, commit: &str, path: &str, blob: &str) -> Result<()> {
        let place = self.snapshot(commit).join(path);
        make_parent(&place)?;
        let up = "../".repeat(2 + path.matches('/').count());
        let unnamed = self.blobs().join(format!("{blob}.link.cpc.incomplete"));
        let done = remove_if_there(&unnamed)
            .and_then(|()| {
                symlink(Path::new(&format!("{up}blobs/{blob}")), &unnamed)
                    .or_else(|_| fs::copy(self.blobs().join(blob), &unnamed).map(drop))
            })
            .and_then(|()| fs::rename(&unnamed, &place));
        done.map_err(Error::io(&place, "write"))
    }

    /// The commit that a branch or tag pointed to.
    pub fn read_ref(&self, revision: &str) -> Option<String> {
        let text = fs::read_to_string(self.root().join("refs").join(revision)).ok()?;
        Some(text.trim().to_string()).filter(|commit| is_hash(commit))
    }

    pub fn write_ref(&self, revision: &str, commit: &str) -> Result<()> {
        let place = self.root().join("refs").join(revision);
        if self.read_ref(revision).as_deref() == Some(commit) {
            return Ok(());
        }
        make_parent(&place)?;
        let unnamed = self.blobs().join(format!("{commit}.ref.cpc.incomplete"));
        make_parent(&unnamed)?;
        let written =
            File::create(&unnamed).and_then(|mut f| f.write_all(commit.as_bytes()).and_then(|()| f.sync_all()));
        written.and_then(|()| fs::rename(&unnamed, &place)).map_err(Error::io(&place, "write"))
    }

    /// The files of a snapshot with their sizes, by path; files whose content is missing are omitted.
    pub fn files(&self, commit: &str) -> BTreeMap<String, u64> {
        let root = self.snapshot(commit);
        let below = |entry: walkdir::DirEntry| {
            let size = fs::metadata(entry.path()).ok().filter(fs::Metadata::is_file)?.len();
            let path = entry.path().strip_prefix(&root).ok()?.to_str()?.replace('\\', "/");
            Some((path, size))
        };
        walkdir::WalkDir::new(&root).min_depth(1).into_iter().flatten().filter_map(below).collect()
    }
}

pub(super) fn make_parent(path: &Path) -> Result<()> {
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent).map_err(Error::io(parent, "create"))
}

fn remove_if_there(path: &Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn symlink(target: &Path, link: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(not(unix))]
fn symlink(_: &Path, _: &Path) -> std::io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}

/// The contents of a cache, sorted by name. A cache that does not exist is empty.
///
/// # Errors
/// The directory cannot be read.
pub fn cached(cache: &Path) -> Result<Vec<Cached>> {
    let entries = match fs::read_dir(cache) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(Error::io(cache, "read"))?,
    };
    let mut all = Vec::new();
    for entry in entries {
        let entry = entry.map_err(Error::io(cache, "read"))?;
        if let Some(found) = entry.file_name().to_str().and_then(|name| repository(cache, name)) {
            all.push(found);
        }
    }
    all.sort_by(|a, b| (a.kind, &a.repo).cmp(&(b.kind, &b.repo)));
    Ok(all)
}

/// The contents of one folder of a cache, if it belongs to a repository with a snapshot.
fn repository(cache: &Path, folder: &str) -> Option<Cached> {
    let (kind, rest) = folder.split_once("--")?;
    let kind = match kind {
        "models" => RepoKind::Model,
        "datasets" => RepoKind::Dataset,
        _ => return None,
    };
    let repo = match rest.split_once("--") {
        Some((owner, name)) => RepoRef::new(kind, owner, name).ok()?.to_string(),
        // A few old models on the hub have no owner.
        None => format!("hf:{rest}"),
    };
    let here = RepoCache { cache: cache.into(), folder: folder.into() };
    let mut refs = BTreeMap::<String, Vec<String>>::new();
    let root = here.root().join("refs");
    for entry in walkdir::WalkDir::new(&root).into_iter().flatten().filter(|e| e.file_type().is_file()) {
        let name = entry.path().strip_prefix(&root).ok().and_then(Path::to_str).map(|n| n.replace('\\', "/"));
        if let Some((name, commit)) = name.and_then(|name| here.read_ref(&name).map(|commit| (name, commit))) {
            refs.entry(commit).or_default().push(name);
        }
    }
    let snapshots = fs::read_dir(here.root().join("snapshots")).ok()?.flatten();
    let mut commits: Vec<String> =
        snapshots.filter_map(|e| e.file_name().into_string().ok()).filter(|c| is_hash(c)).collect();
    commits.sort();
    let mut contents = BTreeMap::new();
    let revisions: Vec<CachedRevision> = commits
        .into_iter()
        .map(|commit| {
            let files = here.files(&commit);
            for (path, size) in &files {
                let file = here.snapshot(&commit).join(path);
                contents.insert(fs::canonicalize(&file).unwrap_or(file), *size);
            }
            let mut refs = refs.remove(&commit).unwrap_or_default();
            refs.sort();
            CachedRevision { commit, refs, size: files.values().sum(), files: files.len() }
        })
        .collect();
    if revisions.is_empty() {
        return None;
    }
    Some(Cached { repo, kind, path: here.root(), size: contents.values().sum(), revisions })
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "0123456789012345678901234567890123456789";
    const OTHER: &str = "1123456789012345678901234567890123456789";

    #[test]
    fn the_layout_is_the_one_of_python() {
        let dir = tempfile::tempdir().unwrap();
        let cache = RepoCache::new(dir.path(), &RepoRef::parse("hf:owner/name", "").unwrap());
        let file = |path: &str| RepoFile { path: path.into(), size: 5, oid: OTHER.into(), large: false };
        let root = dir.path().join("models--owner--name");
        fs::create_dir_all(root.join("blobs")).unwrap();
        assert_eq!(cache.blob(&file("a")), None);
        fs::write(root.join("blobs").join(OTHER), "hello").unwrap();
        assert_eq!(cache.blob(&file("a")).as_deref(), Some(OTHER));
        assert_eq!(cache.blob(&RepoFile { size: 6, ..file("a") }), None, "a content that was cut off is not whole");
        for path in ["a.json", "deep/er/b.json"] {
            cache.link(COMMIT, path, OTHER).unwrap();
            cache.link(COMMIT, path, OTHER).unwrap();
            assert!(cache.has(COMMIT, &file(path)) && !cache.has(COMMIT, &RepoFile { size: 4, ..file(path) }));
            assert_eq!(fs::read_to_string(root.join("snapshots").join(COMMIT).join(path)).unwrap(), "hello");
        }
        #[cfg(unix)]
        {
            let link = |path: &str| fs::read_link(root.join("snapshots").join(COMMIT).join(path)).unwrap();
            assert_eq!(link("a.json"), PathBuf::from(format!("../../blobs/{OTHER}")));
            assert_eq!(link("deep/er/b.json"), PathBuf::from(format!("../../../../blobs/{OTHER}")));
        }
        cache.write_ref("refs/pr/1", COMMIT).unwrap();
        assert_eq!(fs::read_to_string(root.join("refs/refs/pr/1")).unwrap(), COMMIT);
        assert_eq!(fs::read_dir(root.join("blobs")).unwrap().count(), 1, "nothing unnamed is left");
    }

    #[test]
    fn a_cache_is_listed_with_its_revisions() {
        let dir = tempfile::tempdir().unwrap();
        assert!(cached(&dir.path().join("none")).unwrap().is_empty());
        let cache = RepoCache::new(dir.path(), &RepoRef::parse("hf://datasets/owner/name", "").unwrap());
        fs::create_dir_all(cache.blobs()).unwrap();
        fs::write(cache.blobs().join(OTHER), "hello").unwrap();
        for (commit, path) in [(COMMIT, "a"), (COMMIT, "b/c"), (OTHER, "a")] {
            cache.link(commit, path, OTHER).unwrap();
        }
        cache.link(OTHER, "gone", "no-such-content").unwrap_or_default();
        cache.write_ref("main", COMMIT).unwrap();
        for odd in ["models--x", "version.txt", ".locks"] {
            fs::create_dir_all(dir.path().join(odd)).unwrap();
        }
        let all = cached(dir.path()).unwrap();
        assert_eq!(all.len(), 1);
        assert_eq!((all[0].repo.as_str(), all[0].size), ("hf://datasets/owner/name", 5));
        let shown: Vec<_> =
            all[0].revisions.iter().map(|r| (r.commit.as_str(), r.files, r.size, r.refs.len())).collect();
        assert_eq!(shown, [(COMMIT, 2, 10, 1), (OTHER, 1, 5, 0)]);
    }
}
