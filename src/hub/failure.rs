//! Failures of requests to a hub, in words that a user can act on. Signed addresses, and texts that might contain a token, are never
//! repeated.

use crate::error::Error;
use crate::hub::reference::RepoRef;
use crate::hub::settings::Settings;
use hf_hub::HFError;
use std::time::Duration;

/// The reason a request failed.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The user stopped it.
    Stopped,
    /// Nothing arrived for this long.
    Late(Duration),
    /// An error of hf-hub.
    Hub(HFError),
    /// The answer is not one that a hub gives.
    NoHub,
    /// No connection may be made.
    Offline,
    /// The caller is within an asynchronous runtime, which waiting would block.
    InRuntime,
}

/// A hub's refusal.
struct Refusal<'a> {
    status: u16,
    url: &'a str,
    /// The hub's error code, from a header.
    code: Option<&'a str>,
    said: &'a str,
}

/// The request made to a hub.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub settings: &'a Settings,
    pub repo: &'a RepoRef,
    pub file: Option<&'a str>,
    pub writing: bool,
}

impl Trouble {
    /// Whether the same request may succeed a moment later: the connection broke or stalled.
    pub fn is_of_the_line(&self) -> bool {
        match self {
            Trouble::Late(_) => true,
            Trouble::Hub(HFError::Request { source, .. }) => !source.is_connect() && !is_not_json(source),
            _ => false,
        }
    }

    /// Whether the hub answered that an existing repository has no such revision.
    pub fn is_no_revision(&self) -> bool {
        self.refusal().is_some_and(|refusal| refusal.code == Some("RevisionNotFound"))
    }

    /// Whether the hub answered that there is no such repository, or none visible with this token.
    pub fn is_no_repository(&self) -> bool {
        self.refusal().is_some_and(|r| r.code == Some("RepoNotFound") || r.code.is_none() && r.status == 404)
    }

    /// The hub's answer, if it is a refusal.
    fn refusal(&self) -> Option<Refusal<'_>> {
        let Trouble::Hub(error) = self else { return None };
        let context = match error {
            HFError::Http { context }
            | HFError::AuthRequired { context }
            | HFError::Forbidden { context }
            | HFError::Conflict { context }
            | HFError::RateLimited { context, .. } => context,
            HFError::RepoNotFound { context, .. }
            | HFError::RevisionNotFound { context, .. }
            | HFError::EntryNotFound { context, .. } => context.as_ref()?,
            _ => return None,
        };
        Some(Refusal {
            status: context.status.as_u16(),
            url: &context.url,
            code: context.error_code.as_deref(),
            said: context.server_message.as_deref().unwrap_or_default(),
        })
    }
}

impl Asked<'_> {
    /// The error to report.
    pub fn error(&self, trouble: Trouble) -> Error {
        if let Some(refusal) = trouble.refusal() {
            return self.refused(&refusal, &trouble);
        }
        let endpoint = &self.settings.endpoint;
        let cached = if self.writing { "" } else { "; files in the cache can be used with --offline" };
        match trouble {
            Trouble::Stopped if self.writing => {
                let page = self.repo.page(endpoint);
                Error::Interrupted { kept: format!("check at {page} whether the commit was made") }
            }
            Trouble::Stopped => {
                Error::Interrupted { kept: "what was fetched is kept; the same command goes on from there".into() }
            }
            Trouble::Late(limit) => Error::failed(
                format!("{}: nothing came from {endpoint} for {} s", self.what(), limit.as_secs()),
                format!("check the network, or increase HF_HUB_ETAG_TIMEOUT and HF_HUB_DOWNLOAD_TIMEOUT{cached}"),
            ),
            Trouble::Hub(HFError::Request { source, .. }) if is_not_json(&source) => self.no_hub(),
            Trouble::Hub(HFError::Request { source, .. }) => {
                let broke = if source.is_connect() { "cannot reach" } else { "the connection broke while talking to" };
                let reason = self.clean(&innermost(&source));
                let what = format!("{}: {broke} {endpoint}: {reason}", self.what());
                Error::failed(
                    what,
                    format!("check the network and HF_ENDPOINT, and run the same command again{cached}"),
                )
            }
            Trouble::Hub(HFError::Io(source)) => {
                let doing = if self.writing { "read the files to send for" } else { "write" };
                Error::io(self.settings.cache.join(self.what()), doing)(source)
            }
            Trouble::Hub(HFError::Json(_) | HFError::MalformedResponse { .. } | HFError::Url(_)) | Trouble::NoHub => {
                self.no_hub()
            }
            Trouble::Hub(error) => Error::failed(
                format!("{}: {}", self.what(), self.clean(&innermost(&error))),
                "run the same command again; if that does not help, please report it",
            ),
            Trouble::Offline => offline(),
            Trouble::InRuntime => Error::failed(
                "the hub was called from within an asynchronous runtime",
                "call it from a separate thread, such as one of tokio's spawn_blocking",
            ),
        }
    }

    /// The repository, and the file if the request is about one.
    fn what(&self) -> String {
        self.file.map_or_else(|| self.repo.root().to_string(), |file| format!("{file} of {}", self.repo.root()))
    }

    fn no_hub(&self) -> Error {
        let what = format!("{}: {} does not answer like a hub", self.what(), self.settings.endpoint);
        Error::failed(what, "check HF_ENDPOINT, and whether there is a proxy in between")
    }

    /// The error to report if the hub refused.
    fn refused(&self, refusal: &Refusal<'_>, trouble: &Trouble) -> Error {
        let (what, endpoint) = (self.what(), &self.settings.endpoint);
        let (page, token) = (self.repo.page(endpoint), self.settings.token.is_some());
        let said = refusal.said;
        match (refusal.status, refusal.code) {
            (429, _) => {
                let wait = match trouble {
                    Trouble::Hub(HFError::RateLimited { retry_after: Some(wait), .. }) => {
                        format!("{} s", wait.as_secs())
                    }
                    _ => "a few minutes".into(),
                };
                let more = if token { "" } else { "; with a token in HF_TOKEN the limit is higher" };
                Error::failed(
                    format!("{what}: {endpoint} has been asked too often (rate limit)"),
                    format!("run the same command again in {wait}{more}"),
                )
            }
            (_, Some("GatedRepo")) => {
                let remedy = if token {
                    format!("the token's account has not been let in: request access at {page}")
                } else {
                    format!("request access at {page}, then set HF_TOKEN to a token of the account that was let in")
                };
                Error::failed(format!("{what} is gated: its owner decides who may read it"), remedy)
            }
            (_, Some("RevisionNotFound")) => Error::failed(
                format!("{} has no revision {}", self.repo.repository(), self.repo.revision()),
                format!("{page}/tree/main shows its branches and tags"),
            ),
            (_, Some("EntryNotFound")) => {
                Error::failed(format!("{what}: there is no such file"), format!("{page}/tree/main shows its files"))
            }
            (401, _) if token && said.starts_with("Invalid credentials") => Error::failed(
                format!("{what}: {endpoint} refuses the token"),
                format!(
                    "create a new one at {endpoint}/settings/tokens and set HF_TOKEN, or unset it for public files"
                ),
            ),
            (401 | 403, _) if self.writing => Error::failed(
                format!("{what}: the token may not write there"),
                format!("give one with write access to {} (see {endpoint}/settings/tokens)", self.repo.owner()),
            ),
            (401 | 404, _) => {
                let remedy = if token {
                    "check the spelling, and whether the token's account may read it"
                } else {
                    "check the spelling; if it is private, set HF_TOKEN to a token that may read it"
                };
                Error::failed(format!("{what}: no such repository, or it is private"), remedy)
            }
            (403, _) if !refusal.url.starts_with(endpoint.as_str()) => Error::failed(
                format!("{what}: the hub's storage refuses to send it (HTTP 403)"),
                "the download address may have expired: run the same command again",
            ),
            (status @ 500.., _) => Error::failed(
                format!("{what}: {endpoint} is in trouble (HTTP {status})"),
                "run the same command again later; files in the cache can be used with --offline",
            ),
            (status, _) => {
                let said = if said.is_empty() { String::new() } else { format!(": {}", self.clean(said)) };
                Error::failed(format!("{what}: {endpoint} refuses (HTTP {status}){said}"), format!("look at {page}"))
            }
        }
    }

    /// A foreign text on one short line, with secrets removed.
    fn clean(&self, text: &str) -> String {
        let mut text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
        if let Some(token) = &self.settings.token {
            text = text.replace(token.reveal(), "...");
        }
        // Addresses may be signed, and are then equivalent to a token.
        let words = text.split(' ').map(|word| if word.contains("://") { "..." } else { word });
        words.collect::<Vec<_>>().join(" ")
    }
}

/// The error for a request that needs a connection in offline mode.
pub(super) fn offline() -> Error {
    Error::usage("this needs the hub, but no connection may be made", "omit --offline and unset HF_HUB_OFFLINE")
}

/// Whether a complete answer arrived that is not one that a hub gives.
fn is_not_json(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source()).any(|error| error.is::<serde_json::Error>())
}

/// The innermost cause: the message of the operating system, or of TLS.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
