//! Locations and contents of files.

use std::sync::Arc;

use super::answer::{Answer, Answered};
use super::call::{Call, at, check_gate, encode, encode_path, readable};
use super::store::Kind;
use super::{Fault, Shared, State};

/// The location of a file: a small one is behind a relative redirect, a large one is in the storage, which is another origin.
pub fn resolve(
    call: &Call,
    shared: &Shared,
    state: &mut State,
    kind: Kind,
    id: &str,
    revision: &str,
    path: &str,
) -> Answered {
    let repo = readable(call, state, kind, id)?;
    check_gate(call, repo)?;
    let commit = at(repo, revision)?;
    let Some(blob) = commit.files.get(path) else {
        return Err(
            Answer::error(404, Some("EntryNotFound"), "Entry not found").with("X-Repo-Commit", commit.id.as_str())
        );
    };
    let (status, location) = if blob.lfs {
        (302, format!("{}/storage/{}?path={}&signature=signed", shared.storage, blob.sha256, encode(path)))
    } else {
        (307, format!("/api/resolve-cache/{}/{id}/{}/{}", kind.plural(), commit.id, encode_path(path)))
    };
    let text = format!("Temporary Redirect. Redirecting to {location}");
    Ok(Answer::new(status, text.into_bytes().into())
        .with("Content-Type", "text/plain; charset=utf-8")
        .with("Location", location)
        .with("X-Repo-Commit", commit.id.as_str())
        .with("X-Linked-Size", blob.bytes.len().to_string())
        .with("X-Linked-Etag", format!("\"{}\"", blob.etag()))
        .with("Accept-Ranges", "bytes"))
}

pub fn resolve_cache(call: &Call, state: &mut State, kind: Kind, id: &str, commit: &str, path: &str) -> Answered {
    let repo = readable(call, state, kind, id)?;
    check_gate(call, repo)?;
    let commit = at(repo, commit)?;
    let blob = commit.files.get(path).ok_or_else(|| Answer::error(404, Some("EntryNotFound"), "Entry not found"))?;
    let (id, etag, bytes) = (commit.id.clone(), format!("\"{}\"", blob.etag()), Arc::clone(&blob.bytes));
    let answer = if call.if_none_match.as_ref() == Some(&etag) {
        Answer::new(304, Arc::from([]))
    } else {
        download(call, state, path, bytes)
    };
    Ok(answer.with("ETag", etag).with("X-Repo-Commit", id))
}

/// A signed address of the storage: anyone who has it may read; no token is needed or expected there.
pub fn storage(call: &Call, state: &mut State, oid: &str) -> Answered {
    let (Some("signed"), Some(path)) = (call.query("signature").as_deref(), call.query("path")) else {
        return Err(expired());
    };
    let bytes = state.store.large(oid).ok_or_else(expired)?;
    // The storage has its own ETag; the relevant one is the hub's X-Linked-Etag.
    Ok(download(call, state, &path, bytes).with("ETag", format!("\"storage-{}\"", &oid[..8.min(oid.len())])))
}

pub fn expired() -> Answer {
    let text = "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>";
    Answer::new(403, text.as_bytes().into()).with("Content-Type", "application/xml")
}

/// A file's bytes, with the faults set for them. Faults of the body do not affect a HEAD request.
fn download(call: &Call, state: &mut State, path: &str, bytes: Arc<[u8]>) -> Answer {
    let mut answer =
        Answer::new(200, bytes).with("Content-Type", "application/octet-stream").ranged(call.range.as_deref());
    if call.method == "HEAD" {
        return answer;
    }
    let mut used = None;
    for (index, fault) in state.faults.iter().enumerate() {
        match fault {
            Fault::Expired { path: of } if of == path => return expired(),
            Fault::Truncate { path: of, after_bytes } if of == path => answer = answer.cut(*after_bytes),
            Fault::CutOnce { path: of, after_bytes } if of == path => {
                answer = answer.cut(*after_bytes);
                used = Some(index);
            }
            Fault::Corrupt { path: of } if of == path => answer = answer.corrupt(),
            Fault::Slow { path: of, bytes_per_second } if of == path => answer = answer.slow(*bytes_per_second),
            _ => {}
        }
    }
    used.map(|index| state.faults.remove(index));
    answer
}
