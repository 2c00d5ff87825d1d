//! A server on loopback that speaks the Hugging Face hub's API, for the tests of what pulls from the hub and pushes to
//! it.
//!
//! It answers what hf-hub 1.0 and Python's huggingface_hub ask for: model and dataset info, trees in pages, downloads
//! (a small file behind a relative redirect, a large one behind a redirect to the storage, which is another origin),
//! refs, and pushes (preupload, LFS upload, commit). Its answers follow what these clients read and send; the hub
//! itself was out of reach. What it does not offer is xet: a token for it is a 404, and an LFS batch is always answered
//! with the transfer `basic`; nor pull requests, nor multipart uploads, nor gzip.
//!
//! hyper and not a smaller server, since a download that breaks off is made by closing the connection within a body,
//! and because the client brings it along already.

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

/// What goes wrong, until [`HubServer::clear`]. A `path` is that of a file in its repository, in whichever repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Each download of the file breaks off after so many of its bytes, the connection with it; one that asks for the
    /// rest by a range gets nothing.
    Truncate { path: String, after_bytes: usize },
    /// The same, for the next download of the file only.
    CutOnce { path: String, after_bytes: usize },
    /// The file arrives with its right length, one byte of it changed.
    Corrupt { path: String },
    /// The file's metadata is answered, its body is a 403, as behind a signed address that is too old.
    Expired { path: String },
    /// The file arrives at this rate.
    Slow { path: String, bytes_per_second: usize },
    /// Every request is answered 429, to be tried again after a second.
    TooManyRequests,
    /// Every request is answered 503.
    Unavailable,
    /// So many requests are answered 503, then all is well.
    UnavailableTimes(usize),
}

/// One request as it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    /// With its query, still percent-encoded. Those to the storage begin with `/storage/`.
    pub path: String,
    /// It carried the accepted token.
    pub authorised: bool,
}

/// The server, on two ports of its own: the hub's and the storage's. It stops when dropped.
pub struct HubServer {
    shared: Arc<Shared>,
    /// Held to be shut down.
    runtime: Option<Runtime>,
}

/// What the connections and the test both see.
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

    /// The one token that is accepted. It may write everywhere but in the namespaces of others ([`HubServer::forbid`]).
    pub fn token() -> &'static str {
        TOKEN
    }

    /// A new commit on main with these files added or replaced; the repository is made if it is not there. Gives the
    /// commit's hash.
    ///
    /// The functions below take a repository as it stands in an address: `owner/name`, or `datasets/owner/name`.
    pub fn put(&self, kind: Kind, repo: &str, files: &[(&str, &[u8])]) -> String {
        self.shared.state().store.put(kind, repo, files)
    }

    /// Only with the token is it there.
    pub fn set_private(&self, repo: &str, private: bool) {
        self.shared.state().store.repo_mut(repo).private = private;
    }

    /// All see it, nobody has been let in to its files yet.
    pub fn set_gated(&self, repo: &str, gated: bool) {
        self.shared.state().store.repo_mut(repo).gated = gated;
    }

    /// Lets the token's user in to a gated repository.
    pub fn grant(&self, repo: &str) {
        self.shared.state().store.repo_mut(repo).granted = true;
    }

    /// All requests for this repository are answered 429, the others are not.
    pub fn throttle(&self, repo: &str) {
        self.shared.state().store.repo_mut(repo).throttled = true;
    }

    /// The token has no right to write in this namespace.
    pub fn forbid(&self, namespace: &str) {
        self.shared.state().store.forbidden.insert(namespace.to_owned());
    }

    /// Names a commit.
    pub fn tag(&self, repo: &str, name: &str, commit: &str) {
        self.shared.state().store.repo_mut(repo).tags.insert(name.to_owned(), commit.to_owned());
    }

    /// Starts a branch at a commit.
    pub fn branch(&self, repo: &str, name: &str, commit: &str) {
        self.shared.state().store.repo_mut(repo).branches.insert(name.to_owned(), commit.to_owned());
    }

    /// From now on this goes wrong too.
    pub fn fail(&self, fault: Fault) {
        self.shared.state().faults.push(fault);
    }

    /// All is well again.
    pub fn clear(&self) {
        self.shared.state().faults.clear();
    }

    /// All requests so far, in the order of their arrival.
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
            // A connection that ends badly is the fault asked for, or the client's affair.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// Takes a request in whole, notes it, and answers.
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
        authorised: call.token.as_deref() == Some(TOKEN),
    });
    Ok(routes::answer(&call, shared, &mut state).into_response())
}
