//! A received request, and the permissions of its caller.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::Value;

use super::State;
use super::answer::Answer;
use super::store::{Commit, Kind, Repo, TOKEN};

/// The characters that are encoded in a segment of an address.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A received request.
pub struct Call {
    pub method: String,
    pub path: String,
    pub query: String,
    pub token: Option<String>,
    pub range: Option<String>,
    pub if_none_match: Option<String>,
    pub body: Vec<u8>,
}

impl Call {
    pub fn query(&self, name: &str) -> Option<String> {
        let pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(key, _)| decode(key) == name).map(|(_, value)| decode(value)).next()
    }

    pub fn asks(&self, name: &str) -> bool {
        self.query(name).is_some_and(|value| value.eq_ignore_ascii_case("true") || value == "1")
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub fn authorized(&self) -> bool {
        self.token.as_deref() == Some(TOKEN)
    }
}

pub fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

pub fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

pub fn encode_path(path: &str) -> String {
    path.split('/').map(encode).collect::<Vec<_>>().join("/")
}

pub fn too_many_requests() -> Answer {
    Answer::error(429, None, "We had to rate limit you, try again in a second.").with("Retry-After", "1")
}

/// A token other than the accepted one is refused in every request.
pub fn check_token(call: &Call) -> Result<(), Answer> {
    match &call.token {
        Some(token) if token != TOKEN => Err(Answer::error(401, None, "Invalid credentials in Authorization header")),
        _ => Ok(()),
    }
}

/// The repository, if the caller may know about it. For other callers a private repository does not exist; and without a token a repository
/// that does not exist is answered with 401.
pub fn readable<'a>(call: &Call, state: &'a mut State, kind: Kind, id: &str) -> Result<&'a mut Repo, Answer> {
    check_token(call)?;
    let authorized = call.authorized();
    match state.store.find_mut(&format!("{}{id}", kind.prefix())) {
        Some(repo) if repo.throttled => Err(too_many_requests()),
        Some(repo) if !repo.private || authorized => Ok(repo),
        _ if authorized => Err(Answer::error(404, Some("RepoNotFound"), "Repository not found")),
        _ => Err(Answer::error(401, Some("RepoNotFound"), "Invalid username or password.")),
    }
}

/// The files of a gated repository are only for those who were given access.
pub fn check_gate(call: &Call, repo: &Repo) -> Result<(), Answer> {
    match (repo.gated, call.authorized()) {
        (true, false) => {
            let message = "You must have access to it and be authenticated to access it. Please log in.";
            Err(Answer::error(401, Some("GatedRepo"), &format!("Access to {} is restricted. {message}", repo.id)))
        }
        (true, true) if !repo.granted => {
            let message = "is restricted and you are not in the authorized list. Ask for access on its page.";
            Err(Answer::error(403, Some("GatedRepo"), &format!("Access to {} {message}", repo.id)))
        }
        _ => Ok(()),
    }
}

pub fn check_write(call: &Call, state: &State, id: &str) -> Result<(), Answer> {
    check_token(call)?;
    if !call.authorized() {
        return Err(Answer::error(401, None, "Invalid username or password."));
    }
    let namespace = id.split('/').next().unwrap_or_default();
    if state.store.forbidden.contains(namespace) {
        let message = format!("You don't have the rights to write under the namespace \"{namespace}\"");
        return Err(Answer::error(403, None, &message));
    }
    Ok(())
}

pub fn revision_not_found(revision: &str) -> Answer {
    Answer::error(404, Some("RevisionNotFound"), &format!("Invalid rev id: {revision}"))
}

pub fn at<'a>(repo: &'a Repo, revision: &str) -> Result<&'a Commit, Answer> {
    repo.resolve(revision).ok_or_else(|| revision_not_found(revision))
}
