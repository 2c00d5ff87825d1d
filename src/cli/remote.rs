//! What a user names on the hub, brought to this machine; what lies here already stays where it is.

use super::Terminal;
use super::interrupt::interruptible;
use super::progress::{PAUSE, bar};
use crate::data::{self, Chosen};
use crate::error::{Error, Result};
use crate::weights::hub::{Fetched, Hub, Kind, RepoRef, Settings};
use indicatif::{HumanBytes, ProgressBar};
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Something that a user named, on this machine.
pub(super) struct Here {
    /// Where it is.
    pub path: PathBuf,
    /// What it is called for good: on the hub, with its commit.
    pub name: String,
}

/// The hub that the environment and `--offline` say; Ctrl-C ends what it does.
pub(super) fn hub(terminal: &Terminal) -> Result<Hub> {
    Ok(Hub::new(Settings::from_env(terminal.offline)?)?.stop_on(interruptible()?))
}

/// A model of the hub, and what was fetched of it.
pub(super) fn fetch_model(hub: &Hub, reference: &str, terminal: &Terminal) -> Result<(RepoRef, Fetched)> {
    let repo = hub.settings().reference(reference)?;
    if repo.kind() == Kind::Dataset {
        let what = format!("{repo} is a data set");
        return Err(Error::usage(what, "give a model; a data set is fetched by the commands that take it as DATA"));
    }
    let progress = Download::new(terminal);
    let fetched = hub.fetch_model(&repo, &|file, done, total| progress.show(file, done, total))?;
    Ok((repo, fetched))
}

/// A model: fetched if it is on the hub.
pub(super) fn model(reference: &str, terminal: &Terminal) -> Result<Here> {
    if !RepoRef::is_reference(reference) {
        return Ok(Here { path: reference.into(), name: reference.into() });
    }
    let (repo, fetched) = fetch_model(&hub(terminal)?, reference, terminal)?;
    let name = pinned(&repo, &fetched, terminal)?;
    Ok(Here { path: fetched.file.unwrap_or(fetched.dir), name })
}

/// A file: here, or on the hub that of a repository, called `name` where the reference names none.
pub(super) fn file(reference: &str, name: &str, terminal: &Terminal) -> Result<PathBuf> {
    if !RepoRef::is_reference(reference) {
        let path = PathBuf::from(reference);
        return Ok(if path.is_dir() { path.join(name) } else { path });
    }
    let hub = hub(terminal)?;
    let repo = hub.settings().reference(reference)?;
    let choose = |names: &[String]| {
        let folder = repo.path().map_or(String::new(), |path| format!("{path}/"));
        let wanted = [repo.path().unwrap_or_default().to_string(), format!("{folder}{name}")];
        let found = wanted.into_iter().find(|path| names.contains(path)).ok_or_else(|| {
            Error::failed(format!("{repo}: there is no {name}"), "name the file itself, as in hf:owner/name/file")
        })?;
        Ok(Chosen { files: vec![found.clone()], place: found })
    };
    Ok(chosen(&hub, &repo, choose, terminal)?.path)
}

/// Recordings: if they are on the hub, the parquet files that the reference means are fetched.
pub(super) fn recordings(reference: &Path, terminal: &Terminal) -> Result<Here> {
    let Some(text) = reference.to_str().filter(|text| RepoRef::is_reference(text)) else {
        return Ok(Here { path: reference.into(), name: reference.display().to_string() });
    };
    let hub = hub(terminal)?;
    let repo = hub.settings().reference(text)?;
    if repo.kind() == Kind::Model {
        return Err(Error::usage(
            format!("{repo} is a model"),
            format!("give recordings; a data set of the hub is hf://datasets/{}/{}", repo.owner(), repo.name()),
        ));
    }
    let choose = |names: &[String]| {
        data::tables_of(repo.path().unwrap_or_default(), names).map_err(|fault| missing(&repo, fault))
    };
    chosen(&hub, &repo, choose, terminal)
}

/// Fetches what `choose` chooses of the paths of a repository's files.
fn chosen(
    hub: &Hub,
    repo: &RepoRef,
    choose: impl Fn(&[String]) -> Result<Chosen>,
    terminal: &Terminal,
) -> Result<Here> {
    let progress = Download::new(terminal);
    let mut place = String::new();
    let fetched = hub.fetch_chosen(
        repo,
        &mut |names| {
            let chosen = choose(names)?;
            place = chosen.place;
            Ok(chosen.files)
        },
        &|file, done, total| progress.show(file, done, total),
    )?;
    drop(progress);
    let name = pinned(repo, &fetched, terminal)?;
    Ok(Here { path: if place.is_empty() { fetched.dir } else { fetched.dir.join(place) }, name })
}

/// The error for a data set in which the wanted tables are not.
fn missing(repo: &RepoRef, fault: data::NoTables) -> Error {
    let root = repo.root();
    match fault {
        data::NoTables::None => {
            let convert = format!("{}@refs/convert/parquet", repo.repository());
            let remedy = match repo.named_revision() {
                Some("refs/convert/parquet") => "give a data set of recordings in parquet files".to_string(),
                _ => format!("the hub converts many data sets: try {convert}, or download it and give the directory"),
            };
            Error::failed(format!("{root}: there are no parquet files in it"), remedy)
        }
        data::NoTables::Several(folders) => Error::usage(
            format!("{root} has several folders of parquet files: {}", folders.join(", ")),
            format!("name one, such as {root}/{}", folders.first().map_or("", String::as_str)),
        ),
        data::NoTables::Other(folders) => Error::failed(
            format!("{repo}: no parquet files are called so"),
            format!("name a folder, a file, or a split of these: {}", folders.join(", ")),
        ),
    }
}

/// Says what a reference resolved to, and gives the reference that stays that.
fn pinned(repo: &RepoRef, fetched: &Fetched, terminal: &Terminal) -> Result<String> {
    let from = if fetched.from_cache { ", in the cache" } else { "" };
    terminal.note(&format!("{repo}: commit {}{from}", fetched.commit));
    Ok(repo.clone().at(&fetched.commit)?.to_string())
}

/// How far a download is: a bar of bytes for the file that comes, and a line a file where there is no terminal.
struct Download {
    terminal: Terminal,
    bar: ProgressBar,
    /// The file that comes, and when it was spoken of last.
    at: RefCell<(String, Instant)>,
}

impl Download {
    fn new(terminal: &Terminal) -> Self {
        Download {
            terminal: terminal.clone(),
            bar: bar(terminal, 0, " bytes"),
            at: RefCell::new((String::new(), Instant::now())),
        }
    }

    fn show(&self, file: &str, done: u64, total: u64) {
        self.bar.set_length(total);
        self.bar.set_position(done);
        self.bar.set_message(file.to_string());
        let mut at = self.at.borrow_mut();
        // One that goes on says so at once.
        let goes_on = at.0 != file && done > 0;
        at.0 = file.into();
        if !self.terminal.interactive && (goes_on || done == total || at.1.elapsed() > PAUSE) {
            at.1 = Instant::now();
            self.terminal.note(&format!("{file}: {} of {}", HumanBytes(done), HumanBytes(total)));
        }
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
