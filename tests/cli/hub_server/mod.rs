//! A server on loopback that implements the Hugging Face hub's API, for tests of commands that pull from the hub and push to it.
//!
//! It answers the requests of hf-hub 1.0 and Python's huggingface_hub: model and dataset info, trees in pages, downloads (a small file
//! behind a relative redirect, a large one behind a redirect to the storage, which is another origin), refs, and pushes (preupload, LFS
//! upload, commit). Its answers follow what these clients read and send; the hub itself was not accessible. It does not offer xet (a
//! request for a xet token is answered with 404, and an LFS batch always with the transfer `basic`), pull requests, multipart uploads or
//! gzip.
//!
//! It uses hyper instead of a smaller server because an interrupted download is simulated by closing the connection within a body, and
//! because hyper is already a dependency of the client.

mod answer;
mod call;
mod downloads;
mod repositories;
mod routes;
mod store;
mod uploads;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};

use answer::{Answer, Sent};
use hyper::body::{Body, Incoming};
use hyper::header::AUTHORIZATION;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use store::TOKEN;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

pub use store::Kind;

/// A simulated fault, active until [`HubServer::clear`]. A `path` is the path of a file in its repository, in any repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Each download of the file, and the connection with it, breaks off after this number of bytes of the file; a download that requests
    /// the rest by a range gets nothing.
    Truncate { path: String, after_bytes: usize },
    /// The same, for the next download of the file only.
    CutOnce { path: String, after_bytes: usize },
    /// The file arrives with the right length, but with one byte changed.
    Corrupt { path: String },
    /// The file's metadata is answered, but its body is a 403, as behind a signed address that has expired.
    Expired { path: String },
    /// The file arrives at this rate.
    Slow { path: String, bytes_per_second: usize },
    /// Every request is answered with 429, to be tried again after a second.
    TooManyRequests,
    /// Every request is answered with 503.
    Unavailable,
    /// This number of requests is answered with 503; later ones succeed.
    UnavailableTimes(usize),
}

/// One request as received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    /// The path with its query, still percent-encoded. Requests to the storage begin with `/storage/`.
    pub path: String,
    /// Whether it carried the accepted token.
    pub authorized: bool,
}

/// The server, on two ports of its own: one for the hub and one for the storage. It stops when dropped.
pub struct HubServer {
    shared: Arc<Shared>,
    /// Kept so that it can be shut down.
    runtime: Option<Runtime>,
}

/// The state shared by the connections and the test.
struct Shared {
    hub: String,
    storage: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    store: store::Store,
    faults: Vec<Fault>,
    requests: Vec<Request>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl HubServer {
    /// An empty hub, on free ports.
    pub fn start() -> HubServer {
        HubServer::start_on(0)
    }

    /// An empty hub on this port; 0 is a free one.
    pub fn start_on(port: u16) -> HubServer {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let bind =
            |port: u16| runtime.block_on(TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))).unwrap();
        let (hub, storage) = (bind(port), bind(0));
        let address = |listener: &TcpListener| format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared { hub: address(&hub), storage: address(&storage), state: Mutex::default() });
        runtime.spawn(accept(hub, Arc::clone(&shared)));
        runtime.spawn(accept(storage, Arc::clone(&shared)));
        HubServer { shared, runtime: Some(runtime) }
    }

    /// The value for HF_ENDPOINT.
    pub fn endpoint(&self) -> String {
        self.shared.hub.clone()
    }

    /// The only token that is accepted. It may write everywhere except in the namespaces of others ([`HubServer::forbid`]).
    pub fn token() -> &'static str {
        TOKEN
    }

    /// Makes a new commit on main with these files added or replaced; the repository is created if it does not exist. Returns the commit's
    /// hash.
    ///
    /// The functions below take a repository as written in an address: `owner/name`, or `datasets/owner/name`.
    pub fn put(&self, kind: Kind, repo: &str, files: &[(&str, &[u8])]) -> String {
        self.shared.state().store.put(kind, repo, files)
    }

    /// Makes a repository private: it is visible only with the token.
    pub fn set_private(&self, repo: &str, private: bool) {
        self.shared.state().store.repo_mut(repo).private = private;
    }

    /// Makes a repository gated: everyone can see it, but nobody has access to its files yet.
    pub fn set_gated(&self, repo: &str, gated: bool) {
        self.shared.state().store.repo_mut(repo).gated = gated;
    }

    /// Gives the token's user access to a gated repository.
    pub fn grant(&self, repo: &str) {
        self.shared.state().store.repo_mut(repo).granted = true;
    }

    /// Answers all requests for this repository with 429; others are not affected.
    pub fn throttle(&self, repo: &str) {
        self.shared.state().store.repo_mut(repo).throttled = true;
    }

    /// Denies the token the right to write in this namespace.
    pub fn forbid(&self, namespace: &str) {
        self.shared.state().store.forbidden.insert(namespace.to_owned());
    }

    /// Adds a tag to a commit.
    pub fn tag(&self, repo: &str, name: &str, commit: &str) {
        self.shared.state().store.repo_mut(repo).tags.insert(name.to_owned(), commit.to_owned());
    }

    /// Starts a branch at a commit.
    pub fn branch(&self, repo: &str, name: &str, commit: &str) {
        self.shared.state().store.repo_mut(repo).branches.insert(name.to_owned(), commit.to_owned());
    }

    /// Adds a fault.
    pub fn fail(&self, fault: Fault) {
        self.shared.state().faults.push(fault);
    }

    /// Removes all faults.
    pub fn clear(&self) {
        self.shared.state().faults.clear();
    }

    /// All requests so far, in order of arrival.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.state().requests.clone()
    }

    /// The files at a revision: a branch, a tag or a commit hash. Empty if there is no such repository or revision.
    pub fn files(&self, repo: &str, revision: &str) -> BTreeMap<String, Vec<u8>> {
        let state = self.shared.state();
        let commit = state.store.repo(repo).and_then(|repo| repo.resolve(revision));
        let files = commit.map(|commit| commit.files.clone()).unwrap_or_default();
        files.into_iter().map(|(path, blob)| (path, blob.bytes.to_vec())).collect()
    }
}

impl Drop for HubServer {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(|request| serve(request, &shared));
            // A connection that ends with an error is either the simulated fault or caused by the client.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// Reads a complete request, records it, and answers it.
async fn serve(request: hyper::Request<Incoming>, shared: &Shared) -> Result<hyper::Response<Sent>, Infallible> {
    let (head, mut body) = request.into_parts();
    let mut bytes = Vec::new();
    while let Some(frame) = std::future::poll_fn(|cx| std::pin::Pin::new(&mut body).poll_frame(cx)).await {
        match frame.map(|frame| frame.into_data()) {
            Ok(Ok(data)) => bytes.extend_from_slice(&data),
            Ok(Err(_trailers)) => {}
            Err(_) => return Ok(Answer::error(400, None, "The request broke off.").into_response()),
        }
    }
    let text = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let call = call::Call {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        token: text(AUTHORIZATION.as_str()).map(|value| value.trim_start_matches("Bearer ").to_owned()),
        range: text("range"),
        if_none_match: text("if-none-match"),
        body: bytes,
    };
    let mut state = shared.state();
    state.requests.push(Request {
        method: call.method.clone(),
        path: head.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        authorized: call.token.as_deref() == Some(TOKEN),
    });
    Ok(routes::answer(&call, shared, &mut state).into_response())
}
