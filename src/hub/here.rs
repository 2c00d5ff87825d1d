//! Fetches what a reference names to this machine.

use super::{Fetched, Here, Hub, RepoKind, RepoRef, Settings};
use crate::data::{Chosen, NoTables, tables_of};
use crate::error::{Error, Result};
use crate::observer::{Progress, Session};
use std::path::{Path, PathBuf};

/// The hub that the environment and `--offline` select. Ctrl-C ends its work.
///
/// # Errors
/// An environment variable has a value that cannot be used.
pub fn hub(session: &Session) -> Result<Hub> {
    Ok(Hub::new(Settings::from_env(session.offline)?)?.stop_on(session))
}

/// A model on the hub, along with what was fetched of it: the files for which `wanted` returns true.
///
/// # Errors
/// There is no such model, or it cannot be fetched.
pub fn fetch_model(
    hub: &Hub,
    reference: &str,
    wanted: &dyn Fn(&str) -> bool,
    session: &Session,
) -> Result<(RepoRef, Fetched)> {
    let repo = hub.settings().reference(reference)?;
    if repo.kind() == RepoKind::Dataset {
        let what = format!("{repo} is a data set");
        return Err(Error::usage(
            what,
            "give a model; the commands that accept a data set as DATA fetch it themselves",
        ));
    }
    let fetched = hub.fetch_model(&repo, wanted, &download(session));
    session.observer.done();
    Ok((repo, fetched?))
}

/// A model, which is fetched if it is on the hub.
///
/// # Errors
/// There is no such model, or it cannot be fetched.
pub fn model(reference: &str, wanted: &dyn Fn(&str) -> bool, session: &Session) -> Result<Here> {
    if !RepoRef::is_reference(reference) {
        return Ok(Here { path: reference.into(), name: reference.into() });
    }
    let (repo, fetched) = fetch_model(&hub(session)?, reference, wanted, session)?;
    let name = pinned(&repo, &fetched, session)?;
    Ok(Here { path: fetched.file.unwrap_or(fetched.dir), name })
}

/// A file on this machine, or in a repository on the hub. If the reference to a repository names no file, the file is the one called
/// `name`.
///
/// # Errors
/// There is no such file, or it cannot be fetched.
pub fn file(reference: &str, name: &str, session: &Session) -> Result<PathBuf> {
    if !RepoRef::is_reference(reference) {
        let path = PathBuf::from(reference);
        return Ok(if path.is_dir() { path.join(name) } else { path });
    }
    let hub = hub(session)?;
    let repo = hub.settings().reference(reference)?;
    let choose = |names: &[String]| {
        let folder = repo.path().map_or(String::new(), |path| format!("{path}/"));
        let wanted = [repo.path().unwrap_or_default().to_string(), format!("{folder}{name}")];
        let found = wanted.into_iter().find(|path| names.contains(path)).ok_or_else(|| {
            Error::failed(format!("{repo}: there is no {name}"), "name the file itself, as in hf:owner/name/file")
        })?;
        Ok(Chosen { files: vec![found.clone()], place: found })
    };
    Ok(chosen(&hub, &repo, choose, session)?.path)
}

/// Data. If they are on the hub, the parquet files that the reference names are fetched.
///
/// # Errors
/// There are no such data, or they cannot be fetched.
pub fn data(reference: &Path, session: &Session) -> Result<Here> {
    let Some(text) = reference.to_str().filter(|text| RepoRef::is_reference(text)) else {
        return Ok(Here { path: reference.into(), name: reference.display().to_string() });
    };
    let hub = hub(session)?;
    let repo = hub.settings().reference(text)?;
    if repo.kind() == RepoKind::Model {
        return Err(Error::usage(
            format!("{repo} is a model"),
            format!("give data; a data set on the hub is hf://datasets/{}/{}", repo.owner(), repo.name()),
        ));
    }
    let choose =
        |names: &[String]| tables_of(repo.path().unwrap_or_default(), names).map_err(|fault| missing(&repo, fault));
    chosen(&hub, &repo, choose, session)
}

/// Fetches the files of a repository that `choose` selects from the list of their paths.
fn chosen(hub: &Hub, repo: &RepoRef, choose: impl Fn(&[String]) -> Result<Chosen>, session: &Session) -> Result<Here> {
    let mut place = String::new();
    let fetched = hub.fetch_chosen(
        repo,
        &mut |names| {
            let chosen = choose(names)?;
            place = chosen.place;
            Ok(chosen.files)
        },
        &download(session),
    );
    session.observer.done();
    let fetched = fetched?;
    let name = pinned(repo, &fetched, session)?;
    Ok(Here { path: if place.is_empty() { fetched.dir } else { fetched.dir.join(place) }, name })
}

/// The error for a data set that does not contain the requested tables.
fn missing(repo: &RepoRef, fault: NoTables) -> Error {
    let root = repo.root();
    match fault {
        NoTables::None => {
            let convert = format!("{}@refs/convert/parquet", repo.repository());
            let remedy = match repo.named_revision() {
                Some("refs/convert/parquet") => "give a data set of recordings in parquet files".to_string(),
                _ => format!("the hub converts many data sets: try {convert}, or download it and give the directory"),
            };
            Error::failed(format!("{root}: there are no parquet files in it"), remedy)
        }
        NoTables::Several(folders) => Error::usage(
            format!("{root} has several folders of parquet files: {}", folders.join(", ")),
            format!("name one, such as {root}/{}", folders.first().map_or("", String::as_str)),
        ),
        NoTables::Other(folders) => Error::failed(
            format!("{repo}: no parquet files are called so"),
            format!("name a folder, a file, or a split of these: {}", folders.join(", ")),
        ),
    }
}

/// Reports what a reference resolved to, and returns a reference that is pinned to that commit.
fn pinned(repo: &RepoRef, fetched: &Fetched, session: &Session) -> Result<String> {
    let from = if fetched.from_cache { ", in the cache" } else { "" };
    session.observer.note(&format!("{repo}: commit {}{from}", fetched.commit));
    Ok(repo.clone().at(&fetched.commit)?.to_string())
}

/// Whether a reference to the hub names a model.
///
/// # Errors
/// The text is not a reference.
pub fn is_model(reference: &str, session: &Session) -> Result<bool> {
    Ok(Settings::from_env(session.offline)?.reference(reference)?.kind() == RepoKind::Model)
}

/// Whether `kept`, a reference to a commit, is what `asked` resolved to.
pub fn pins(kept: &str, asked: &str) -> bool {
    let Ok(settings) = Settings::from_env(true) else { return false };
    let read = |text: &str| settings.reference(text).ok().filter(|_| RepoRef::is_reference(text));
    matches!((read(kept), read(asked)), (Some(kept), Some(asked)) if kept.pins(&asked))
}

/// Reports the progress of a download to the observer.
fn download<'a>(session: &'a Session) -> impl Fn(&str, u64, u64) + 'a {
    |file, done, of| {
        session.observer.progress(&Progress { what: file, unit: "bytes", done: done as f64, of: of as f64 });
    }
}
