//! References: the name of a repository on the hub, optionally with a revision and a path in it.
//!
//! ```text
//! hf:owner/name[@revision][/path]                                 a model
//! hf://datasets/owner/name[@revision][/path]                      a dataset
//! https://huggingface.co/[datasets/]owner/name[/tree|blob|resolve/revision[/path]]
//! ```
//!
//! A revision is a branch, a tag or a commit. A slash in it is written `%2F`, except in the hub's own `refs/pr/N` and
//! `refs/convert/NAME`. A path is a folder of the repository or one file in it. Names follow the hub's rules (`validate_repo_id` of
//! huggingface_hub), revisions those of git (git-check-ref-format).

use crate::error::{Error, Result};
use std::fmt;
use std::str::FromStr;

/// The hub that is used unless HF_ENDPOINT names another.
pub const HUB: &str = "https://huggingface.co";

/// The kind of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RepoKind {
    /// A model.
    Model,
    /// A data set.
    Dataset,
}

impl RepoKind {
    /// The prefix of `owner/name` in an address.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            RepoKind::Model => "",
            RepoKind::Dataset => "datasets/",
        }
    }
}

/// A repository, a revision of it, and a path in it. Its `Display` form is accepted by [`RepoRef::parse`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepoRef {
    kind: RepoKind,
    owner: String,
    name: String,
    revision: Option<String>,
    path: Option<String>,
}

const GRAMMAR: &str = "write hf:owner/name, hf:owner/name@revision/folder, or the https address of a model on the hub";

impl RepoRef {
    /// A repository without revision and path.
    ///
    /// # Errors
    /// The hub allows no such name.
    pub fn new(kind: RepoKind, owner: &str, name: &str) -> Result<RepoRef> {
        for part in [owner, name] {
            if let Some(fault) = name_fault(part) {
                return Err(Error::usage(format!("{owner:?}/{name:?}: no name of a repository: {fault}"), GRAMMAR));
            }
        }
        Ok(RepoRef { kind, owner: owner.into(), name: name.into(), revision: None, path: None })
    }

    /// Whether a text is intended as a reference, valid or not, and not as a local path.
    pub fn is_reference(text: &str) -> bool {
        ["hf:", "https://", "http://"].iter().any(|start| text.starts_with(start))
    }

    /// Parses a reference; `authority` is the host and port of the hub in use, whose addresses are accepted too.
    ///
    /// # Errors
    /// The text does not follow the grammar above; the error names the fault.
    pub fn parse(text: &str, authority: &str) -> Result<RepoRef> {
        let wrong = |fault: &str| Error::usage(format!("{text:?}: {fault}"), GRAMMAR);
        if text.len() > 1000 {
            return Err(Error::usage("a reference of more than 1000 characters", GRAMMAR));
        }
        if let Some(rest) = text.strip_prefix("hf:") {
            let rest = rest.strip_prefix("//").unwrap_or(rest);
            return short(rest).map_err(|fault| wrong(&fault));
        }
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let Some((host, rest)) = rest.map(|rest| rest.split_once('/').unwrap_or((rest, ""))) else {
            return Err(wrong("neither hf: nor an https address"));
        };
        let known = ["huggingface.co", "www.huggingface.co", "hf.co", authority];
        if !known.iter().any(|known| !known.is_empty() && known.eq_ignore_ascii_case(host)) {
            let remedy = format!("give an address at {HUB}, or set HF_ENDPOINT to the hub that it belongs to");
            return Err(Error::usage(format!("{text:?}: {host} is not the hub"), remedy));
        }
        address(rest.split(['?', '#']).next().unwrap_or_default()).map_err(|fault| wrong(&fault))
    }

    /// The same repository at a branch, a tag or a commit.
    ///
    /// # Errors
    /// Git does not allow such a name.
    pub fn at(mut self, revision: &str) -> Result<RepoRef> {
        if let Some(fault) = revision_fault(revision) {
            return Err(Error::usage(
                format!("{revision:?}: not a revision: {fault}"),
                "give a branch, a tag or a commit",
            ));
        }
        self.revision = Some(revision.into());
        Ok(self)
    }

    /// Whether this reference, to a commit, is what `asked` resolved to: the same repository and path, and no other commit.
    #[cfg(any(feature = "hub", test))]
    pub(super) fn pins(&self, asked: &RepoRef) -> bool {
        let commit =
            |r: &RepoRef| r.named_revision().is_some_and(|r| r.len() == 40 && r.bytes().all(|b| b.is_ascii_hexdigit()));
        let alike = |r: &RepoRef| (r.kind, r.owner.clone(), r.name.clone(), r.path.clone());
        alike(self) == alike(asked) && (self.revision == asked.revision || commit(self) && !commit(asked))
    }

    /// The same repository and revision, without a path.
    pub fn root(&self) -> RepoRef {
        RepoRef { path: None, ..self.clone() }
    }

    /// The repository alone.
    pub fn repository(&self) -> RepoRef {
        RepoRef { revision: None, path: None, ..self.clone() }
    }

    /// What the repository holds.
    pub fn kind(&self) -> RepoKind {
        self.kind
    }

    /// The user or organization.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// The name below the owner.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The revision, if one is named.
    pub fn named_revision(&self) -> Option<&str> {
        self.revision.as_deref()
    }

    /// The revision; `main` if none is named.
    pub fn revision(&self) -> &str {
        self.revision.as_deref().unwrap_or("main")
    }

    /// The folder or file in the repository, if one is named.
    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// Its page on a hub.
    pub fn page(&self, endpoint: &str) -> String {
        format!("{endpoint}/{}{}/{}", self.kind.prefix(), self.owner, self.name)
    }

    fn with(mut self, revision: Option<String>, path: &[String]) -> std::result::Result<RepoRef, String> {
        if let Some(fault) = revision.as_deref().and_then(revision_fault) {
            return Err(format!("the revision {fault}"));
        }
        if let Some(fault) = path.iter().find_map(|segment| segment_fault(segment)) {
            return Err(fault);
        }
        self.revision = revision;
        self.path = (!path.is_empty()).then(|| path.join("/"));
        Ok(self)
    }
}

impl fmt::Display for RepoRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.kind == RepoKind::Model { "hf:" } else { "hf://" };
        write!(f, "{scheme}{}{}/{}", self.kind.prefix(), self.owner, self.name)?;
        if let Some(revision) = &self.revision {
            let segments: Vec<&str> = revision.split('/').collect();
            write!(f, "@{}", if own_ref(&segments) { revision.clone() } else { revision.replace('/', "%2F") })?;
        }
        self.path.as_ref().map_or(Ok(()), |path| write!(f, "/{path}"))
    }
}

impl FromStr for RepoRef {
    type Err = Error;

    fn from_str(text: &str) -> Result<RepoRef> {
        RepoRef::parse(text, "")
    }
}

type Parsed = std::result::Result<RepoRef, String>;

/// A repository from the owner and name at the head of an address or a reference.
fn repository(kind: RepoKind, owner: &str, name: &str) -> Parsed {
    let fault = [owner, name].iter().find_map(|part| name_fault(part).map(|fault| format!("{part:?} {fault}")));
    fault.map_or_else(|| RepoRef::new(kind, owner, name).map_err(|e| e.to_string()), Err)
}

/// `[datasets/]`, and what is neither a model nor a data set.
fn kind(rest: &str) -> std::result::Result<(RepoKind, &str), String> {
    match rest.split_once('/') {
        Some(("datasets", rest)) => Ok((RepoKind::Dataset, rest)),
        Some(("models", rest)) => Ok((RepoKind::Model, rest)),
        Some((other @ ("spaces" | "kernels" | "buckets" | "api"), _)) => Err(format!("{other} are not read")),
        _ => Ok((RepoKind::Model, rest)),
    }
}

/// What stands after `hf:`.
fn short(rest: &str) -> Parsed {
    let (kind, rest) = kind(rest)?;
    let (owner, rest) = rest.split_once('/').ok_or("an owner and a name are wanted, as in hf:owner/name")?;
    let end = rest.find(['@', '/']).unwrap_or(rest.len());
    let (name, rest) = rest.split_at(end);
    let repo = repository(kind, owner, name)?;
    if let Some(rest) = rest.strip_prefix('@') {
        let segments: Vec<&str> = rest.split('/').collect();
        let (revision, path) = split_revision(&segments)?;
        return repo.with(Some(revision), &path.iter().map(|s| s.to_string()).collect::<Vec<_>>());
    }
    let path: Vec<String> =
        rest.strip_prefix('/').map(|p| p.split('/').map(String::from).collect()).unwrap_or_default();
    if path.iter().any(|segment| segment.contains('@')) {
        return Err("the revision belongs after the name, as in hf:owner/name@revision/folder".into());
    }
    repo.with(None, &path)
}

/// Parses the part after the host of an https address.
fn address(rest: &str) -> Parsed {
    let (kind, rest) = kind(rest.trim_end_matches('/'))?;
    let segments: Vec<&str> = rest.split('/').collect();
    match segments.as_slice() {
        [owner, name] => repository(kind, owner, name),
        [owner, name, "tree" | "blob" | "resolve", rest @ ..] if !rest.is_empty() => {
            let (revision, path) = split_revision(rest)?;
            let path = path.iter().map(|segment| decode(segment)).collect::<std::result::Result<Vec<_>, _>>()?;
            repository(kind, owner, name)?.with(Some(revision), &path)
        }
        [_, _, other, ..] => Err(format!("/{other} after the name is not a page with files")),
        _ => Err("an owner and a name are needed".into()),
    }
}

/// Whether the segments form one of the hub's own references, which contain slashes.
fn own_ref(segments: &[&str]) -> bool {
    matches!(segments, ["refs", "pr" | "convert", _])
}

/// Splits segments into the revision and the path after it.
fn split_revision<'a>(segments: &'a [&'a str]) -> std::result::Result<(String, &'a [&'a str]), String> {
    let length = if segments.len() >= 3 && own_ref(&segments[..3]) { 3 } else { 1 };
    Ok((decode(&segments[..length].join("/"))?, &segments[length..]))
}

/// Decodes `%2F` and other percent escapes.
fn decode(text: &str) -> std::result::Result<String, String> {
    let wrong = || format!("{text:?} contains a % that is not a valid escape");
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'%' {
            let digit = |byte: Option<u8>| byte.and_then(|b| (b as char).to_digit(16)).ok_or_else(wrong);
            (digit(rest.next())? * 16 + digit(rest.next())?) as u8
        } else {
            byte
        });
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

fn name_fault(part: &str) -> Option<&'static str> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if part.is_empty() {
        Some("is empty")
    } else if !part.chars().all(allowed) {
        Some("contains other signs than letters, digits, -, _ and .")
    } else if part.len() > 96 {
        Some("is longer than 96 characters")
    } else if part.starts_with(['-', '.']) || part.ends_with(['-', '.']) {
        Some("begins or ends with - or .")
    } else if part.contains("--") || part.contains("..") || part.ends_with(".git") {
        Some("contains -- or .., or ends with .git")
    } else {
        None
    }
}

fn revision_fault(revision: &str) -> Option<&'static str> {
    let bad = |c: char| c.is_control() || c.is_whitespace() || "~^:?*[\\%".contains(c);
    if revision.is_empty() {
        Some("is empty")
    } else if revision.len() > 200 {
        Some("is longer than 200 characters")
    } else if revision.contains(bad) {
        Some("contains a sign that git allows in no name")
    } else if revision.starts_with('-') || revision.contains("..") || revision.contains("@{") {
        Some("begins with -, or contains .. or @{")
    } else if revision
        .split('/')
        .any(|s| s.is_empty() || s.starts_with('.') || s.ends_with(['.']) || s.ends_with(".lock"))
    {
        Some("has an empty part, or one that begins or ends with . or ends with .lock")
    } else {
        None
    }
}

fn segment_fault(segment: &str) -> Option<String> {
    let bad = |c: char| c.is_control() || c.is_whitespace() || "\\:?*\"<>|%#@".contains(c);
    if segment.is_empty() {
        Some("the path has an empty part".into())
    } else if segment == "." || segment == ".." || segment.contains(bad) {
        Some(format!("{segment:?} is no part of a path in a repository"))
    } else {
        None
    }
}

/// Whether a path given by a hub stays below the folder in which it is placed, on any system.
#[cfg(any(feature = "hub", test))]
pub(super) fn is_safe(path: &str) -> bool {
    let bad = |c: char| c.is_control() || "\\:".contains(c);
    !path.is_empty()
        && path.len() < 1000
        && path.split('/').all(|s| !matches!(s, "" | "." | ".."))
        && !path.contains(bad)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(text: &str) -> (RepoKind, String, Option<String>, Option<String>) {
        let r = RepoRef::parse(text, "hub.example:8080").unwrap_or_else(|e| panic!("{text}: {e}"));
        (r.kind, format!("{}/{}", r.owner, r.name), r.revision, r.path)
    }

    #[test]
    fn a_reference_at_a_commit_is_what_one_without_resolved_to() {
        let read = |text: &str| RepoRef::parse(text, "").unwrap();
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let kept = read(&format!("hf:owner/name@{commit}/folder"));
        for asked in [
            "hf:owner/name/folder",
            "hf://owner/name@v1.0/folder",
            "https://huggingface.co/owner/name/tree/main/folder",
        ] {
            assert!(kept.pins(&read(asked)), "{asked}");
        }
        let other = format!("hf:owner/name@{}/folder", commit.replace('0', "f"));
        for asked in ["hf:owner/name", "hf:owner/other/folder", "hf://datasets/owner/name/folder", &other] {
            assert!(!kept.pins(&read(asked)), "{asked}");
        }
        assert!(kept.pins(&kept) && !read("hf:owner/name@v1").pins(&read("hf:owner/name")));
    }

    #[test]
    fn every_form_of_a_reference_is_read() {
        let is = |text: &str, kind, revision: Option<&str>, path: Option<&str>| {
            let expected = (kind, "owner/na.me-1".to_string(), revision.map(String::from), path.map(String::from));
            assert_eq!(parsed(text), expected, "{text}");
        };
        is("hf:owner/na.me-1", RepoKind::Model, None, None);
        is("hf:owner/na.me-1@v1.0", RepoKind::Model, Some("v1.0"), None);
        is("hf:owner/na.me-1/big/model.pt", RepoKind::Model, None, Some("big/model.pt"));
        is("hf:owner/na.me-1@a%2Fb/sub", RepoKind::Model, Some("a/b"), Some("sub"));
        is("hf://owner/na.me-1@refs/pr/12/sub", RepoKind::Model, Some("refs/pr/12"), Some("sub"));
        is("hf://datasets/owner/na.me-1@refs/convert/parquet", RepoKind::Dataset, Some("refs/convert/parquet"), None);
        is("https://huggingface.co/owner/na.me-1/", RepoKind::Model, None, None);
        is("https://hf.co/owner/na.me-1/tree/main/a/b", RepoKind::Model, Some("main"), Some("a/b"));
        is("http://hub.example:8080/owner/na.me-1/tree/a%2Fb", RepoKind::Model, Some("a/b"), None);
        is(
            "https://huggingface.co/owner/na.me-1/resolve/main/x.pt?download=true",
            RepoKind::Model,
            Some("main"),
            Some("x.pt"),
        );
        is(
            "https://huggingface.co/datasets/owner/na.me-1/blob/main/x.csv",
            RepoKind::Dataset,
            Some("main"),
            Some("x.csv"),
        );
    }

    #[test]
    fn what_is_no_reference_is_refused_in_words() {
        for (text, word) in [
            ("hf:name", "owner and a name"),
            ("hf:owner/", "is empty"),
            ("hf:../name", "begins or ends"),
            ("hf:/etc/passwd", "is empty"),
            ("hf:owner/na me", "other signs"),
            ("hf:owner/na\\me", "other signs"),
            ("hf:owner/na\0me", "other signs"),
            ("hf:owner/a--b", "--"),
            ("hf:owner/name.git", ".git"),
            ("hf:owner/name@", "is empty"),
            ("hf:owner/name@a..b", ".."),
            ("hf:owner/name@-x", "begins with -"),
            ("hf:owner/name@a b", "git allows"),
            ("hf:owner/name@%2Fetc", "empty part"),
            ("hf:owner/name@..%2F..", ".."),
            ("hf:owner/name@x%2", "%"),
            ("hf:owner/name/sub@rev", "after the name"),
            ("hf:owner/name/a/../b", "no part of a path"),
            ("hf:owner/name//b", "empty part"),
            ("hf:owner/name/a\\b", "no part of a path"),
            ("hf:owner/name/a\0b", "no part of a path"),
            ("hf:owner/name/C:", "no part of a path"),
            ("https://example.org/owner/name", "not the hub"),
            ("https://huggingface.co.evil.org/owner/name", "not the hub"),
            ("https://me@huggingface.co/owner/name", "not the hub"),
            ("https://huggingface.co/owner", "owner and a name"),
            ("https://huggingface.co/owner/name/discussions/1", "not a page"),
            ("https://huggingface.co/owner/name/tree/main/%2e%2e/x", "no part of a path"),
            ("https://huggingface.co/spaces/owner/name", "spaces"),
            ("model", "neither"),
        ] {
            let error = RepoRef::parse(text, "").err().unwrap_or_else(|| panic!("{text} is taken"));
            assert!(error.to_string().contains(word) && error.exit_code() == 2, "{text}: {error}");
        }
        assert!(RepoRef::parse(&format!("hf:o/{}", "a/".repeat(1000)), "").is_err());
    }

    #[test]
    fn a_path_from_a_hub_stays_in_its_folder() {
        for good in ["config.json", "a/b c/..d.txt", ".gitattributes"] {
            assert!(is_safe(good), "{good}");
        }
        for bad in ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a/", "a\\b", "C:x", "a\0", "./a"] {
            assert!(!is_safe(bad), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_a_reference_shows_is_read_as_the_same(
            kind in prop_oneof![Just(RepoKind::Model), Just(RepoKind::Dataset)],
            owner in "[a-zA-Z0-9]{1,8}([-._][a-zA-Z0-9]{1,4}){0,2}",
            name in "[a-zA-Z0-9]{1,8}([-._][a-zA-Z0-9]{1,4}){0,2}",
            revision in prop::option::of("[a-zA-Z0-9@#]{1,4}([-_./][a-zA-Z0-9]{1,4}){0,3}|refs/pr/[0-9]{1,3}|refs/convert/[a-z]{1,8}"),
            path in prop::option::of("[a-zA-Z0-9._é-]{1,6}(/[a-zA-Z0-9_-]{1,6}){0,3}"),
        ) {
            let path = path.filter(|p| p.split('/').all(|s| segment_fault(s).is_none()));
            let revision = revision.filter(|r| revision_fault(r).is_none());
            if let Ok(mut r) = RepoRef::new(kind, &owner, &name) {
                (r.revision, r.path) = (revision, path);
                prop_assert_eq!(RepoRef::parse(&r.to_string(), "").map_err(|e| e.to_string()), Ok(r));
            }
        }

        #[test]
        fn no_text_panics_and_what_is_taken_is_safe(text in "(hf:|hf://|https://huggingface.co/)\\PC{0,30}|\\PC{0,20}") {
            if let Ok(r) = RepoRef::parse(&text, "") {
                prop_assert!(r.path.as_deref().is_none_or(is_safe) && is_safe(r.revision()));
                prop_assert_eq!(RepoRef::parse(&r.to_string(), "").map_err(|e| e.to_string()), Ok(r));
            }
        }
    }
}
