//! The connection to a hub: hf-hub's client on a runtime of its own, where every wait can be stopped and has a limit.
//!
//! hf-hub 1.0 sets no timeouts, does not resume interrupted downloads, and does not check downloads. Therefore its streams are read here,
//! and their content is checked ([`super::check`]) before it enters the cache.

use crate::error::{Error, Result};
use crate::hub::check::is_hash;
use crate::hub::failure::{Asked, Trouble, offline};
use crate::hub::reference::{RepoKind, RepoRef};
use crate::hub::settings::Settings;
use crate::observer::{Session, Watch};
use hf_hub::repository::{HFRepository, RepoTypeDataset, RepoTypeModel};
use hf_hub::{HFClient, HFResult};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Handle, Runtime};

/// Interval at which a wait checks whether it should stop.
const TICK: Duration = Duration::from_millis(50);

/// A repository handle by kind: hf-hub's own type for both kinds builds wrong addresses for data sets.
pub(super) enum Repo {
    Model(HFRepository<RepoTypeModel>),
    Dataset(HFRepository<RepoTypeDataset>),
}

/// Makes the same call on either kind.
macro_rules! on {
    ($repo:expr, $name:ident => $call:expr) => {
        match $repo {
            $crate::hub::client::Repo::Model($name) => $call,
            $crate::hub::client::Repo::Dataset($name) => $call,
        }
    };
}
pub(super) use on;

/// A hub's information about a repository at a revision.
pub(super) struct Info {
    pub commit: String,
    pub private: bool,
}

/// A hub and its cache.
#[derive(Debug)]
pub struct Hub {
    settings: Settings,
    /// None if no connection may be made.
    online: Option<Online>,
    stop: Arc<AtomicBool>,
    /// Requests to stop are looked at while there is a hub.
    _watch: Option<Watch>,
}

#[derive(Debug)]
struct Online {
    client: HFClient,
    /// Becomes none on drop.
    runtime: Option<Runtime>,
}

impl Hub {
    /// A hub with the given settings. No connection is made yet; in offline mode none will ever be made.
    ///
    /// # Errors
    /// The endpoint is not a valid address, or a client cannot be created.
    pub fn new(settings: Settings) -> Result<Hub> {
        let online = if settings.offline { None } else { Some(Online::new(&settings)?) };
        Ok(Hub { settings, online, stop: Arc::default(), _watch: None })
    }

    /// Makes all operations stop early with [`Error::Interrupted`] when the session's `stop` is set.
    pub fn stop_on(mut self, session: &Session) -> Hub {
        self.stop = session.stop.clone();
        self._watch = Some(session.watch());
        self
    }

    /// The settings that it was created with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The context for the error message if a request for `repo` fails.
    pub(super) fn asked<'a>(&'a self, repo: &'a RepoRef) -> Asked<'a> {
        Asked { settings: &self.settings, repo, file: None, writing: false }
    }

    pub(super) fn client(&self) -> Result<&HFClient> {
        self.online.as_ref().map(|online| &online.client).ok_or_else(offline)
    }

    pub(super) fn repo(&self, repo: &RepoRef) -> Result<Repo> {
        let client = self.client()?;
        Ok(match repo.kind() {
            RepoKind::Model => Repo::Model(client.model(repo.owner(), repo.name())),
            RepoKind::Dataset => Repo::Dataset(client.dataset(repo.owner(), repo.name())),
        })
    }

    /// Waits for the result of a future, until the user stops it or `limit` has passed.
    pub(super) fn wait<T>(
        &self,
        limit: Option<Duration>,
        future: impl Future<Output = HFResult<T>>,
    ) -> std::result::Result<T, Trouble> {
        let runtime = self.online.as_ref().and_then(|online| online.runtime.as_ref()).ok_or(Trouble::Offline)?;
        if Handle::try_current().is_ok() {
            return Err(Trouble::InRuntime);
        }
        runtime.block_on(async {
            let began = Instant::now();
            let mut future = pin!(future);
            loop {
                if self.stopped() {
                    return Err(Trouble::Stopped);
                }
                if let Ok(done) = tokio::time::timeout(TICK, &mut future).await {
                    return done.map_err(Trouble::Hub);
                }
                if let Some(limit) = limit.filter(|limit| began.elapsed() >= *limit) {
                    return Err(Trouble::Late(limit));
                }
            }
        })
    }

    /// The same for an answer about a repository, with the time limit from the settings.
    pub(super) fn answer<T>(&self, future: impl Future<Output = HFResult<T>>) -> std::result::Result<T, Trouble> {
        self.wait(Some(self.settings.answer_timeout), future)
    }

    /// Asks the hub for information about a revision.
    pub(super) fn info(&self, repo: &RepoRef) -> Result<std::result::Result<Info, Trouble>> {
        let revision = repo.revision().to_string();
        let found = match self.repo(repo)? {
            Repo::Model(r) => self.answer(r.info().revision(revision).send()).map(|i| (i.sha, i.private)),
            Repo::Dataset(r) => self.answer(r.info().revision(revision).send()).map(|i| (i.sha, i.private)),
        };
        Ok(found.and_then(|(commit, private)| match commit.filter(|commit| is_hash(commit)) {
            Some(commit) => Ok(Info { commit, private: private.unwrap_or(false) }),
            None => Err(Trouble::NoHub),
        }))
    }
}

impl Online {
    fn new(settings: &Settings) -> Result<Online> {
        let failed = |what: String| Error::failed(what, "report this as a bug in cpc");
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|e| failed(e.to_string()))?;
        // Without a token hf-hub looks for one by its own rules. A token that is not valid in a header is never sent.
        let token = settings.token.as_ref().map_or("\0", |token| token.reveal());
        let client = HFClient::builder()
            .endpoint(&settings.endpoint)
            .token(token)
            .cache_dir(&settings.cache)
            .cache_enabled(false)
            .user_agent(concat!("cpc-toolkit/", env!("CARGO_PKG_VERSION")))
            // Half a second in total: with a longer wait, the user should know the reason.
            .retry_max_attempts(2)
            .build();
        let client = client.map_err(|_| {
            let what = format!("HF_ENDPOINT={}: not the address of a hub", settings.endpoint);
            Error::usage(what, "give one like https://huggingface.co, or unset it")
        })?;
        Ok(Online { client, runtime: Some(runtime) })
    }
}

impl Drop for Online {
    fn drop(&mut self) {
        // A name lookup may still be running; there is no need to wait for it.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
