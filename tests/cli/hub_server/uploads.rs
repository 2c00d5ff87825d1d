//! Pushes: large files go to the storage, then a commit is made.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::answer::{Answer, Answered};
use super::call::{Call, at, check_write, readable, revision_not_found};
use super::downloads::expired;
use super::store::{Kind, Repo, goes_to_storage, sha256};
use super::{Shared, State};

/// Answers which of the files go to the storage, and the hashes of those that already exist.
pub fn preupload(call: &Call, repo: &Repo, revision: &str) -> Answered {
    let commit = at(repo, revision)?;
    let body = call.json();
    let shown = body["files"].as_array().into_iter().flatten().map(|file| {
        let path = file["path"].as_str().unwrap_or_default();
        let lfs = goes_to_storage(path, file["size"].as_u64().unwrap_or(0) as usize);
        let oid = commit.files.get(path).map(|blob| blob.etag());
        json!({"path": path, "uploadMode": if lfs { "lfs" } else { "regular" }, "shouldIgnore": false, "oid": oid})
    });
    Ok(Answer::json(200, &json!({"files": shown.collect::<Value>(), "commitOid": commit.id})))
}

/// The two steps of an upload to the storage: where to send the files that are not there yet, and whether they arrived.
pub fn lfs(
    call: &Call,
    shared: &Shared,
    state: &mut State,
    kind: Kind,
    owner: &str,
    name: &str,
    step: &str,
) -> Answered {
    let id = format!("{owner}/{}", name.strip_suffix(".git").unwrap_or(name));
    readable(call, state, kind, &id)?;
    check_write(call, state, &id)?;
    let body = call.json();
    if step == "verify" {
        let kept = state.store.large(body["oid"].as_str().unwrap_or_default());
        return match kept {
            Some(bytes) if body["size"] == bytes.len() => Ok(Answer::json(200, &json!({}))),
            _ => Err(Answer::error(404, None, "The object was not uploaded")),
        };
    }
    let objects = body["objects"].as_array().into_iter().flatten().map(|object| {
        let (oid, mut shown) = (object["oid"].as_str().unwrap_or_default(), object.clone());
        if state.store.large(oid).is_none() {
            let verify = format!("{}/{}{id}.git/info/lfs/objects/verify", shared.hub, kind.prefix());
            let upload = format!("{}/storage/upload/{oid}?signature=signed", shared.storage);
            shown["authenticated"] = json!(true);
            shown["actions"] = json!({"upload": {"href": upload}, "verify": {"href": verify}});
        }
        shown
    });
    let batch = json!({"transfer": "basic", "hash_algo": "sha256", "objects": objects.collect::<Value>()});
    Ok(Answer::json(200, &batch))
}

pub fn store_upload(call: &Call, state: &mut State, oid: &str) -> Answered {
    if call.query("signature").as_deref() != Some("signed") {
        return Err(expired());
    }
    if sha256(&call.body) != oid {
        return Err(Answer::new(400, Arc::from(&b"<Error><Code>XAmzContentSHA256Mismatch</Code></Error>"[..])));
    }
    state.store.uploads.insert(oid.to_owned(), call.body.clone().into());
    Ok(Answer::new(200, Arc::from([])).with("ETag", "\"stored\""))
}

/// Makes a commit from its lines of JSON: a header, then for each change a file with its content, a large file by its hash, or a deletion.
///
/// The hub would refuse a large file whose content is part of the commit; here it goes to the storage like an uploaded one, since hf-hub
/// sends it this way to a server without xet.
pub fn commit(call: &Call, shared: &Shared, state: &mut State, kind: Kind, id: &str, revision: &str) -> Answered {
    let bad = |message: &str| Answer::error(400, None, message);
    if call.asks("create_pr") {
        return Err(bad("Pull requests are not offered by this hub"));
    }
    let (mut title, mut message, mut parent) = (String::new(), String::new(), None);
    let mut changes: Vec<(String, Option<Arc<[u8]>>)> = Vec::new();
    for line in call.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let line: Value = serde_json::from_slice(line).map_err(|_| bad("A line of the commit is not JSON"))?;
        let value = &line["value"];
        let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
        let path = text("path");
        match line["key"].as_str().unwrap_or_default() {
            "header" => {
                (title, message) = (text("summary"), text("description"));
                parent = value["parentCommit"].as_str().map(str::to_owned);
            }
            "file" => {
                let content = text("content");
                let content = match value["encoding"].as_str() {
                    Some("base64") => STANDARD.decode(content).map_err(|_| bad("The content is not base64"))?,
                    _ => content.into_bytes(),
                };
                changes.push((path, Some(content.into())));
            }
            "lfsFile" => {
                let content = state.store.large(&text("oid"));
                let content = content.ok_or_else(|| bad("The commit names a large file that was not uploaded"))?;
                changes.push((path, Some(content)));
            }
            "deletedFile" => changes.push((path, None)),
            "deletedFolder" => {
                let repo = readable(call, state, kind, id)?;
                let prefix = format!("{}/", path.trim_end_matches('/'));
                let within = at(repo, revision)?.files.keys().filter(|file| file.starts_with(&prefix));
                changes.extend(within.map(|file| (file.clone(), None)));
            }
            other => return Err(bad(&format!("A commit has no line {other:?}"))),
        }
    }
    if title.is_empty() {
        return Err(bad("The commit has no summary"));
    }
    let repo = readable(call, state, kind, id)?;
    let Some(tip) = repo.branches.get(revision) else { return Err(revision_not_found(revision)) };
    if parent.is_some_and(|parent| parent != *tip) {
        return Err(Answer::error(412, None, "A commit has happened since. Please refresh and try again."));
    }
    let commit = repo.commit(revision, &title, &message, changes);
    let url = format!("{}/{}{id}/commit/{commit}", shared.hub, kind.prefix());
    Ok(Answer::json(200, &json!({"success": true, "commitOid": commit, "commitUrl": url, "hookOutput": ""})))
}
