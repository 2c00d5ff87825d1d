//! Repositories and their refs: creating, describing, listing.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::answer::{Answer, Answered};
use super::call::{Call, at, check_token, check_write, decode, readable, revision_not_found};
use super::store::{Blob, Commit, Kind, Repo, USER, git_blob};
use super::uploads::{commit, preupload};
use super::{Shared, State};

/// Number of entries in a page of a tree. The hub's pages hold 1000; with so few per page, every client has to request several pages.
const PAGE: usize = 3;

pub fn whoami(call: &Call) -> Answered {
    check_token(call)?;
    if !call.authorized() {
        return Err(Answer::error(401, None, "Invalid username or password."));
    }
    let access = json!({"displayName": "tests", "role": "write", "createdAt": "2026-01-01T00:00:00.000Z"});
    Ok(Answer::json(
        200,
        &json!({
            "type": "user", "id": "1", "name": USER, "fullname": "A Tester", "email": "tester@example.org",
            "emailVerified": true,
            "canPay": false, "isPro": false, "orgs": [], "auth": {"type": "access_token", "accessToken": access},
        }),
    ))
}

fn repo_of(body: &Value) -> (Kind, String) {
    let kind = if body["type"] == "dataset" { Kind::Dataset } else { Kind::Model };
    let owner = body["organization"].as_str().unwrap_or(USER);
    (kind, format!("{owner}/{}", body["name"].as_str().unwrap_or_default()))
}

pub fn create(call: &Call, shared: &Shared, state: &mut State) -> Answered {
    let body = call.json();
    let (kind, id) = repo_of(&body);
    check_write(call, state, &id)?;
    let url = format!("{}/{}{id}", shared.hub, kind.prefix());
    let shown = json!({"url": url, "name": id, "id": id});
    if state.store.repo(&format!("{}{id}", kind.prefix())).is_some() {
        let message = "You already created this repo";
        return Err(Answer::json(409, &json!({"error": message, "url": url})).with("X-Error-Message", message));
    }
    // hf-hub sends `private`, the Python client `visibility`.
    state.store.create(kind, &id, body["private"] == true || body["visibility"] == "private");
    Ok(Answer::json(200, &shown))
}

pub fn delete(call: &Call, state: &mut State) -> Answered {
    let (kind, id) = repo_of(&call.json());
    check_write(call, state, &id)?;
    readable(call, state, kind, &id)?;
    state.store.remove(&format!("{}{id}", kind.prefix()));
    Ok(Answer::json(200, &json!({})))
}

pub fn repo_api(call: &Call, shared: &Shared, state: &mut State, kind: Kind, id: &str, rest: &[&str]) -> Answered {
    match (call.method.as_str(), rest) {
        ("POST", ["preupload", revision]) => {
            check_write(call, state, id)?;
            preupload(call, readable(call, state, kind, id)?, revision)
        }
        ("POST", ["commit", revision]) => {
            // Whether the repository exists is checked before write permission.
            readable(call, state, kind, id)?;
            check_write(call, state, id)?;
            commit(call, shared, state, kind, id, revision)
        }
        ("POST" | "DELETE", ["branch" | "tag", ..]) => {
            readable(call, state, kind, id)?;
            check_write(call, state, id)?;
            change_refs(call, readable(call, state, kind, id)?, rest)
        }
        ("POST", ["paths-info", revision]) => {
            let repo = readable(call, state, kind, id)?;
            Ok(paths_info(call, at(repo, revision)?))
        }
        ("GET" | "HEAD", _) => {
            let repo = readable(call, state, kind, id)?;
            match rest {
                [] => Ok(info(call, repo, at(repo, "main")?)),
                ["revision", revision] => Ok(info(call, repo, at(repo, revision)?)),
                ["tree", revision, path @ ..] => tree(call, shared, at(repo, revision)?, &path.join("/")),
                ["refs"] => Ok(refs(repo)),
                ["commits", revision] => Ok(commits(repo, at(repo, revision)?)),
                // This includes xet tokens: anything not listed here is not offered.
                _ => Err(Answer::error(404, None, "Not offered by this hub")),
            }
        }
        _ => Err(Answer::error(404, None, "Not offered by this hub")),
    }
}

fn info(call: &Call, repo: &Repo, commit: &Commit) -> Answer {
    let siblings: Vec<Value> = commit
        .files
        .iter()
        .map(|(path, blob)| {
            let mut sibling = json!({"rfilename": path});
            if call.asks("blobs") {
                sibling["size"] = json!(blob.bytes.len());
                sibling["blobId"] = json!(blob.git);
                if blob.lfs {
                    sibling["lfs"] =
                        json!({"sha256": blob.sha256, "size": blob.bytes.len(), "pointerSize": blob.pointer_size()});
                }
            }
            sibling
        })
        .collect();
    let author = repo.id.split('/').next().unwrap_or_default();
    let gated = if repo.gated { json!("manual") } else { json!(false) };
    let mut info = json!({
        "_id": "000000000000000000000001", "id": repo.id, "author": author, "sha": commit.id,
        "lastModified": commit.date,
        "createdAt": "2026-01-01T00:00:00.000Z", "private": repo.private, "gated": gated, "disabled": false,
        "tags": [], "downloads": 0, "likes": 0, "siblings": siblings,
    });
    if repo.kind == Kind::Model {
        info["modelId"] = json!(repo.id);
    }
    Answer::json(200, &info)
}

fn entry(path: &str, blob: &Blob, commit: &Commit, expand: bool) -> Value {
    let mut entry = json!({"type": "file", "path": path, "oid": blob.git, "size": blob.bytes.len()});
    if blob.lfs {
        entry["lfs"] = json!({"oid": blob.sha256, "size": blob.bytes.len(), "pointerSize": blob.pointer_size()});
    }
    if expand {
        entry["lastCommit"] = last_commit(commit);
        entry["securityFileStatus"] = json!({"status": "safe", "avScan": null, "pickleImportScan": null});
    }
    entry
}

fn folder(path: &str, commit: &Commit, expand: bool) -> Value {
    let mut entry = json!({"type": "directory", "path": path, "oid": git_blob(path.as_bytes()), "size": 0});
    if expand {
        entry["lastCommit"] = last_commit(commit);
    }
    entry
}

fn last_commit(commit: &Commit) -> Value {
    json!({"id": commit.id, "title": commit.title, "date": commit.date})
}

/// The folders above a path, the outermost first.
fn folders(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(end, _)| &path[..end])
}

fn tree(call: &Call, shared: &Shared, commit: &Commit, under: &str) -> Answered {
    let (recursive, expand) = (call.asks("recursive"), call.asks("expand"));
    let prefix = if under.is_empty() { String::new() } else { format!("{under}/") };
    let mut entries = BTreeMap::new();
    for (path, blob) in commit.files.iter().filter(|(path, _)| path.starts_with(&prefix)) {
        for inner in folders(path).filter(|inner| inner.len() > prefix.len()) {
            entries.entry(inner).or_insert_with(|| folder(inner, commit, expand));
        }
        entries.insert(path, entry(path, blob, commit, expand));
    }
    if entries.is_empty() && !under.is_empty() {
        return Err(Answer::error(404, Some("EntryNotFound"), &format!("{under} does not exist on \"{}\"", commit.id)));
    }
    let listed: Vec<Value> = entries
        .into_iter()
        .filter(|(path, _)| recursive || !path[prefix.len()..].contains('/'))
        .map(|(_, entry)| entry)
        .collect();
    let start = call.query("cursor").and_then(|cursor| cursor.parse().ok()).unwrap_or(0).min(listed.len());
    let end = listed.len().min(start + PAGE);
    let answer = Answer::json(200, &json!(listed[start..end]));
    if end == listed.len() {
        return Ok(answer);
    }
    let flags = format!("recursive={recursive}&expand={expand}");
    Ok(answer.with("Link", format!("<{}{}?{flags}&cursor={end}>; rel=\"next\"", shared.hub, call.path)))
}

/// The requested paths that exist: files and folders. huggingface_hub sends them as a form, hf-hub as JSON.
fn paths_info(call: &Call, commit: &Commit) -> Answer {
    let (body, expand) = (call.json(), call.json()["expand"] == true);
    let mut wanted: Vec<String> =
        body["paths"].as_array().into_iter().flatten().filter_map(|path| path.as_str().map(str::to_owned)).collect();
    if body.is_null() {
        let form = String::from_utf8_lossy(&call.body).replace('+', " ");
        wanted.extend(form.split('&').filter_map(|pair| pair.strip_prefix("paths=")).map(decode));
    }
    let found = wanted.iter().filter_map(|path| match commit.files.get(path) {
        Some(blob) => Some(entry(path, blob, commit, expand)),
        None => {
            let within = format!("{path}/");
            commit.files.keys().any(|file| file.starts_with(&within)).then(|| folder(path, commit, expand))
        }
    });
    Answer::json(200, &found.collect())
}

fn refs(repo: &Repo) -> Answer {
    let list = |refs: &BTreeMap<String, String>, kind: &str| -> Value {
        refs.iter()
            .map(|(name, id)| json!({"name": name, "ref": format!("refs/{kind}/{name}"), "targetCommit": id}))
            .collect()
    };
    Answer::json(
        200,
        &json!({"branches": list(&repo.branches, "heads"), "tags": list(&repo.tags, "tags"), "converts": []}),
    )
}

fn commits(repo: &Repo, from: &Commit) -> Answer {
    let history = std::iter::successors(Some(from), |commit| repo.commits.get(commit.parent.as_ref()?));
    let shown = history.map(|commit| {
        let parents: Vec<&String> = commit.parent.iter().collect();
        let authors = json!([{"user": USER}]);
        json!({
            "id": commit.id, "title": commit.title, "message": commit.message, "date": commit.date,
            "authors": authors, "parents": parents,
        })
    });
    Answer::json(200, &shown.collect())
}

fn change_refs(call: &Call, repo: &mut Repo, rest: &[&str]) -> Answered {
    let body = call.json();
    // For a branch, the address contains its name and the body its starting point; for a tag it is the other way around.
    let (name, from) = match (call.method.as_str(), rest) {
        ("POST", ["branch", name]) => (*name, body["startingPoint"].as_str().unwrap_or("main")),
        ("POST", ["tag", revision]) => (body["tag"].as_str().unwrap_or_default(), *revision),
        (_, [_, name]) => (*name, ""),
        _ => return Err(Answer::error(404, None, "Not offered by this hub")),
    };
    let target = repo.resolve(from).map(|commit| commit.id.clone());
    let refs = if rest[0] == "branch" { &mut repo.branches } else { &mut repo.tags };
    if call.method == "DELETE" {
        return refs.remove(name).map(|_| Answer::json(200, &json!({}))).ok_or_else(|| revision_not_found(name));
    }
    if refs.contains_key(name) {
        return Err(Answer::error(409, None, &format!("Reference already exists: {name}")));
    }
    refs.insert(name.to_owned(), target.ok_or_else(|| revision_not_found(from))?);
    Ok(Answer::json(200, &json!({})))
}

/// The hub validates the card's YAML completely; here only its presence is checked.
pub fn validate_card(call: &Call) -> Answer {
    let body = call.json();
    let content = body["content"].as_str().unwrap_or_default();
    let header = content.strip_prefix("---\n").map(|rest| rest.contains("\n---"));
    match header {
        Some(true) => Answer::json(200, &json!({"errors": [], "warnings": []})),
        Some(false) => {
            let message = "The YAML header of the card has no end";
            Answer::json(400, &json!({"error": message, "errors": [{"message": message}], "warnings": []}))
        }
        None => Answer::json(
            200,
            &json!({"errors": [], "warnings": [{"message": "empty or missing yaml metadata in repo card"}]}),
        ),
    }
}
