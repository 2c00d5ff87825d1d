//! Fetching from a hub into the cache: resolves a revision, lists its files, and fetches the requested ones, each checked before it enters
//! the cache. In offline mode, the same is done from the cache alone.

use crate::error::{Error, Result};
use crate::hub::cache::RepoCache;
use crate::hub::check::{RepoFile, is_hash};
use crate::hub::client::{Hub, on};
use crate::hub::failure::Trouble;
use crate::hub::reference::{RepoRef, is_safe};
use futures_util::StreamExt;
use hf_hub::HFResult;
use hf_hub::repository::RepoTreeEntry;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::pin::pin;

/// Largest number of entries of a tree that are read, so that no answer fills the memory.
const ENTRIES: usize = 200_000;

/// Receives the progress of a file: its name, bytes so far, total bytes.
pub type Progress<'a> = &'a dyn Fn(&str, u64, u64);

/// What a reference currently resolves to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The commit, 40 hexadecimal digits.
    pub commit: String,
}

/// Files in the cache.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// The requested folder, in the snapshot.
    pub dir: PathBuf,
    /// The requested file, if the reference names one.
    pub file: Option<PathBuf>,
    /// The commit.
    pub commit: String,
    /// The requested files below `dir`, with their sizes in bytes.
    pub files: Vec<(String, u64)>,
    /// Whether all of them were in the cache already.
    pub from_cache: bool,
}

/// The files selected by a reference's path.
struct Selection {
    folder: String,
    file: Option<String>,
    /// Paths in the repository.
    files: Vec<RepoFile>,
}

fn is_weights(name: &str) -> bool {
    name.ends_with(".safetensors") || name.ends_with(".pt")
}

/// The error for a repository that contains no CPC model; it lists what the repository contains.
pub fn not_a_model(repo: &RepoRef, files: &[String]) -> Error {
    let few: Vec<&str> = files.iter().take(12).map(String::as_str).collect();
    let more = files.len().saturating_sub(few.len());
    let found = match (few.is_empty(), more) {
        (true, _) => "nothing".to_string(),
        (_, 0) => few.join(", "),
        _ => format!("{} and {more} more", few.join(", ")),
    };
    Error::failed(
        format!("{repo}: not a CPC model: it has neither config.json with .safetensors nor a .pt file; found: {found}"),
        "give the folder that contains the model, as in hf:owner/name/folder, or another repository",
    )
}

impl Hub {
    /// The commit that a reference points to, according to the hub; in offline mode, the one it pointed to when it was last fetched.
    ///
    /// # Errors
    /// There is no such repository or revision, or none visible with this token; no answer arrived; offline, it is not in the cache.
    pub fn resolve(&self, repo: &RepoRef) -> Result<Resolved> {
        let commit = if is_commit(repo.revision()) {
            repo.revision().to_ascii_lowercase()
        } else if self.settings().offline {
            self.cache(repo).read_ref(repo.revision()).ok_or_else(|| self.not_cached(repo))?
        } else {
            self.info(repo)?.map_err(|trouble| self.asked(repo).error(trouble))?.commit
        };
        Ok(Resolved { commit })
    }

    /// All files of a repository at a commit; the path of the reference is ignored. In offline mode, those in the cache.
    ///
    /// # Errors
    /// As [`Hub::resolve`].
    pub fn list(&self, repo: &RepoRef, commit: &str) -> Result<Vec<RepoFile>> {
        if self.settings().offline {
            let files = self.cache(repo).files(commit);
            if files.is_empty() {
                return Err(self.not_cached(repo));
            }
            let file = |(path, size)| RepoFile { path, size, oid: String::new(), large: false };
            return Ok(files.into_iter().map(file).collect());
        }
        let error = |trouble| self.asked(repo).error(trouble);
        let handle = self.repo(repo)?;
        on!(&handle, r => {
            let tree = r.list_tree().revision(commit.to_string()).recursive(true).send();
            let mut tree = pin!(tree.map_err(|e| error(Trouble::Hub(e)))?);
            let mut files = Vec::new();
            while let Some(entry) = self.answer(next(&mut tree)).map_err(error)? {
                if let RepoTreeEntry::File { oid, size, path, lfs, .. } = entry {
                    if !is_safe(&path) || !is_hash(&oid) || files.len() >= ENTRIES {
                        return Err(error(Trouble::NoHub));
                    }
                    files.push(RepoFile { path, size, oid, large: lfs.is_some() });
                }
            }
            Ok(files)
        })
    }

    /// Fetches files of a repository into the cache; files already cached for that commit are not fetched again. `choose` receives the paths
    /// of all files and returns those to fetch; the path of the reference is ignored.
    ///
    /// # Errors
    /// As [`Hub::resolve`], and those of `choose`; a download breaks off or does not match the hub's description; the disk is full. Even
    /// then the cache contains no incomplete file.
    pub fn fetch_chosen(
        &self,
        repo: &RepoRef,
        choose: &mut dyn FnMut(&[String]) -> Result<Vec<String>>,
        progress: Progress<'_>,
    ) -> Result<Fetched> {
        let Resolved { commit } = self.resolve(repo)?;
        let listed = self.list(repo, &commit)?;
        let names: Vec<String> = listed.iter().map(|file| file.path.clone()).collect();
        let chosen: BTreeSet<String> = choose(&names)?.into_iter().collect();
        let files = listed.into_iter().filter(|file| chosen.contains(&file.path)).collect();
        self.bring(repo, commit, Selection { folder: String::new(), file: None, files }, progress)
    }

    /// Brings a model into the cache: the files that `wanted` wants of the reference's folder, by their names in it. Where the reference names a file, that one
    /// is fetched, and the `.json` files beside it.
    ///
    /// # Errors
    /// As [`Hub::resolve`]; a download broke off, or is not what the hub said, or the disk is full; or what is there is no model of
    /// CPC. The cache then has no file that is not whole.
    pub fn fetch_model(
        &self,
        repo: &RepoRef,
        wanted: &dyn Fn(&str) -> bool,
        progress: Progress<'_>,
    ) -> Result<Fetched> {
        let Resolved { commit } = self.resolve(repo)?;
        let listed = self.list(repo, &commit)?;
        let all = select(repo, listed.clone(), &|_| true)?;
        let selection = select(repo, listed, wanted)?;
        let has = |wanted: &dyn Fn(&str) -> bool| selection.files.iter().any(|file| wanted(&file.path));
        let config = has(&|path| path.ends_with("config.json"));
        if !(has(&|path| path.ends_with(".pt")) || config && has(&is_weights)) {
            if self.settings().offline {
                return Err(self.not_cached(repo));
            }
            let names: Vec<String> = all.files.into_iter().map(|file| file.path).collect();
            return Err(not_a_model(repo, &names));
        }
        self.bring(repo, commit, selection, progress)
    }

    pub(super) fn cache(&self, repo: &RepoRef) -> RepoCache {
        RepoCache::new(&self.settings().cache, repo)
    }

    fn bring(&self, repo: &RepoRef, commit: String, selection: Selection, progress: Progress<'_>) -> Result<Fetched> {
        let cache = self.cache(repo);
        let mut from_cache = true;
        if !self.settings().offline {
            let mut links = Vec::new();
            for file in selection.files.iter().filter(|file| !cache.has(&commit, file)) {
                let blob = match cache.blob(file) {
                    Some(blob) => blob,
                    None => {
                        from_cache = false;
                        self.download(repo, &commit, file, &cache, progress)?
                    }
                };
                links.push((&file.path, blob));
            }
            // Only now, so that a snapshot is never created before all of its files are complete.
            for (path, blob) in links {
                cache.link(&commit, path, &blob)?;
            }
            if !selection.files.is_empty() && !is_commit(repo.revision()) {
                cache.write_ref(repo.revision(), &commit)?;
            }
        }
        let snapshot = cache.snapshot(&commit);
        let below =
            |path: &str| path.strip_prefix(&selection.folder).unwrap_or(path).trim_start_matches('/').to_string();
        Ok(Fetched {
            dir: if selection.folder.is_empty() { snapshot.clone() } else { snapshot.join(&selection.folder) },
            file: selection.file.as_ref().map(|file| snapshot.join(file)),
            files: selection.files.iter().map(|file| (below(&file.path), file.size)).collect(),
            commit,
            from_cache,
        })
    }

    /// The error for something requested in offline mode that is not in the cache.
    fn not_cached(&self, repo: &RepoRef) -> Error {
        let cache = &self.settings().cache;
        let known = super::cache::cached(cache).unwrap_or_default();
        let here = known.into_iter().find(|known| known.repo == repo.repository().to_string());
        let have = match here {
            None => String::new(),
            Some(here) => {
                let of = |r: super::CachedRevision| {
                    let name = r.refs.first().cloned().unwrap_or_else(|| r.commit.chars().take(12).collect());
                    format!("{name} ({} files)", r.files)
                };
                format!("; it has {}", here.revisions.into_iter().map(of).collect::<Vec<_>>().join(", "))
            }
        };
        Error::failed(
            format!("{repo} at {}: not in the cache {}, or not whole{have}", repo.revision(), cache.display()),
            format!("fetch it when there is a connection: cpc hub pull {repo}"),
        )
    }
}

/// The next entry of a stream, if it has one.
async fn next<T>(stream: &mut (impl futures_util::Stream<Item = HFResult<T>> + Unpin)) -> HFResult<Option<T>> {
    stream.next().await.transpose()
}

/// Whether a revision is a commit, and therefore never changes.
fn is_commit(revision: &str) -> bool {
    is_hash(&revision.to_ascii_lowercase())
}

/// The files selected by a reference's path, sorted by name.
fn select(repo: &RepoRef, listed: Vec<RepoFile>, wanted: &dyn Fn(&str) -> bool) -> Result<Selection> {
    let path = repo.path().unwrap_or_default();
    let file = listed.iter().any(|file| file.path == path).then(|| path.to_string());
    let folder = match &file {
        Some(file) => file.rsplit_once('/').map_or("", |(folder, _)| folder),
        None => path,
    };
    let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    if !listed.iter().any(|file| file.path.starts_with(&prefix)) && !folder.is_empty() {
        let top: BTreeSet<&str> = listed.iter().filter_map(|file| file.path.split('/').next()).take(1000).collect();
        let top: Vec<&str> = top.into_iter().take(12).collect();
        let what = format!("{}: neither a folder nor a file {path} is there", repo.root());
        return Err(Error::failed(what, format!("give one that exists: {}", top.join(", "))));
    }
    let mut files: Vec<RepoFile> = listed
        .into_iter()
        .filter(|f| match (f.path.strip_prefix(&prefix), &file) {
            (Some(_), Some(file)) if *file == f.path => true,
            (Some(name), Some(_)) => name.ends_with(".json") && !name.contains('/') && wanted(name),
            (Some(name), None) => wanted(name),
            (None, _) => false,
        })
        .collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(Selection { folder: folder.into(), file, files })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed() -> Vec<RepoFile> {
        let names =
            [".gitattributes", "README.md", "big/config.json", "big/model.safetensors", "big/old/model.pt", "a.pt"];
        let file = |name: &&str| RepoFile { path: name.to_string(), size: 1, oid: String::new(), large: false };
        names.iter().map(file).chain([file(&"checkpoint_args.json"), file(&"b.pt")]).collect()
    }

    fn selected(reference: &str, wanted: &dyn Fn(&str) -> bool) -> Result<(String, Vec<String>)> {
        let repo: RepoRef = reference.parse().unwrap();
        let found = select(&repo, listed(), wanted)?;
        Ok((found.folder, found.files.into_iter().map(|f| f.path).collect()))
    }

    #[test]
    fn a_path_selects_a_folder_or_a_file_with_its_settings() {
        let of = |folder: &str, files: &[&str]| {
            (folder.to_string(), files.iter().map(|f| f.to_string()).collect::<Vec<_>>())
        };
        let model = &|name: &str| {
            ["config.json", "README.md", "checkpoint_args.json"].contains(&name)
                || is_weights(name) && !name.contains('/')
        };
        assert_eq!(selected("hf:o/n", model).unwrap(), of("", &["README.md", "a.pt", "b.pt", "checkpoint_args.json"]));
        assert_eq!(selected("hf:o/n/big", model).unwrap(), of("big", &["big/config.json", "big/model.safetensors"]));
        assert_eq!(selected("hf:o/n/a.pt", model).unwrap(), of("", &["a.pt", "checkpoint_args.json"]));
        assert_eq!(selected("hf:o/n/big/old", model).unwrap(), of("big/old", &["big/old/model.pt"]));
        assert_eq!(selected("hf:o/n/big", &|_| true).unwrap().1.len(), 3);
        let error = selected("hf:o/n/bi", model).unwrap_err();
        assert!(error.to_string().contains("bi") && error.remedy().contains("big"), "{error} {}", error.remedy());
    }

    #[test]
    fn what_is_no_model_is_named() {
        let files: Vec<String> = (0..20).map(|i| format!("f{i}.bin")).collect();
        let text = not_a_model(&"hf:o/n".parse().unwrap(), &files).to_string();
        assert!(text.contains("f0.bin") && text.contains("f11.bin and 8 more") && !text.contains("f12"), "{text}");
    }
}
