//! Routing: which address gets which answer.

use super::answer::{Answer, Answered};
use super::call::{Call, decode, too_many_requests};
use super::downloads::{resolve, resolve_cache, storage};
use super::repositories::{create, delete, repo_api, validate_card, whoami};
use super::store::Kind;
use super::uploads::{lfs, store_upload};
use super::{Fault, Shared, State};

pub fn answer(call: &Call, shared: &Shared, state: &mut State) -> Answer {
    let answer = general_fault(state).map_or_else(|| route(call, shared, state), Err);
    let answer = answer.unwrap_or_else(|refusal| refusal);
    if call.method == "HEAD" { answer.head_only() } else { answer }
}

/// The answer of a fault that affects every request.
fn general_fault(state: &mut State) -> Option<Answer> {
    let unavailable = || Answer::error(503, None, "The hub is unavailable, please try again later.");
    for fault in &mut state.faults {
        match fault {
            Fault::TooManyRequests => return Some(too_many_requests()),
            Fault::Unavailable => return Some(unavailable()),
            Fault::UnavailableTimes(left) if *left > 0 => {
                *left -= 1;
                return Some(unavailable());
            }
            _ => {}
        }
    }
    None
}

fn route(call: &Call, shared: &Shared, state: &mut State) -> Answered {
    let segments: Vec<String> = call.path.trim_matches('/').split('/').map(decode).collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let reads = matches!(call.method.as_str(), "GET" | "HEAD");
    let kind = |plural: &str| if plural == "datasets" { Kind::Dataset } else { Kind::Model };
    match (call.method.as_str(), segments.as_slice()) {
        ("PUT", ["storage", "upload", oid]) => store_upload(call, state, oid),
        (_, ["storage", oid]) if reads => storage(call, state, oid),
        (_, ["api", "whoami-v2"]) if reads => whoami(call),
        ("POST", ["api", "validate-yaml"]) => Ok(validate_card(call)),
        ("POST", ["api", "repos", "create"]) => create(call, shared, state),
        ("DELETE", ["api", "repos", "delete"]) => delete(call, state),
        (_, ["api", "resolve-cache", plural, owner, name, commit, path @ ..]) if reads => {
            resolve_cache(call, state, kind(plural), &format!("{owner}/{name}"), commit, &path.join("/"))
        }
        (_, ["api", plural @ ("models" | "datasets"), owner, name, rest @ ..]) => {
            repo_api(call, shared, state, kind(plural), &format!("{owner}/{name}"), rest)
        }
        (_, ["datasets", owner, name, "resolve", revision, path @ ..]) if reads => {
            resolve(call, shared, state, Kind::Dataset, &format!("{owner}/{name}"), revision, &path.join("/"))
        }
        (_, [owner, name, "resolve", revision, path @ ..]) if reads => {
            resolve(call, shared, state, Kind::Model, &format!("{owner}/{name}"), revision, &path.join("/"))
        }
        ("POST", ["datasets", owner, name, "info", "lfs", "objects", step]) => {
            lfs(call, shared, state, Kind::Dataset, owner, name, step)
        }
        ("POST", [owner, name, "info", "lfs", "objects", step]) => {
            lfs(call, shared, state, Kind::Model, owner, name, step)
        }
        _ => Err(Answer::error(404, None, "Sorry, we can't find the page you are looking for.")),
    }
}
