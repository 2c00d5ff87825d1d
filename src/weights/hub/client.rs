//! The connection to a hub: hf-hub's client on a runtime of its own, where every wait can be stopped and has an end.
//!
//! hf-hub 1.0 sets no timeouts, does not go on with a download that broke off, and checks none. So its streams are
//! read here, and what is read is checked ([`super::check`]) before the cache has it.

use super::check::is_hash;
use super::failure::{Asked, Trouble, offline};
use super::reference::{Kind, RepoRef};
use super::settings::Settings;
use crate::error::{Error, Result};
use hf_hub::repository::{HFRepository, RepoTypeDataset, RepoTypeModel};
use hf_hub::{HFClient, HFResult};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Handle, Runtime};

/// How often a wait looks whether it is to stop.
const TICK: Duration = Duration::from_millis(50);

/// A repository handle by what it holds: hf-hub's own type for both builds wrong addresses for data sets.
pub(super) enum Repo {
    Model(HFRepository<RepoTypeModel>),
    Dataset(HFRepository<RepoTypeDataset>),
}

/// The same call on either.
macro_rules! on {
    ($repo:expr, $name:ident => $call:expr) => {
        match $repo {
            $crate::weights::hub::client::Repo::Model($name) => $call,
            $crate::weights::hub::client::Repo::Dataset($name) => $call,
        }
    };
}
pub(super) use on;

/// What a hub says about a repository at a revision.
pub(super) struct Info {
    pub commit: String,
    pub private: bool,
}

/// A hub and its cache.
#[derive(Debug)]
pub struct Hub {
    settings: Settings,
    /// None where no connection may be made.
    online: Option<Online>,
    stop: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Online {
    client: HFClient,
    /// Taken when dropped.
    runtime: Option<Runtime>,
}

impl Hub {
    /// A hub as the settings say. No connection is made yet; offline, none will be.
    ///
    /// # Errors
    /// The endpoint is no address, or a client cannot be made.
    pub fn new(settings: Settings) -> Result<Hub> {
        let online = if settings.offline { None } else { Some(Online::new(&settings)?) };
        Ok(Hub { settings, online, stop: Arc::default() })
    }

    /// From now on everything ends early, as interrupted, when the flag is raised.
    pub fn stop_on(mut self, flag: Arc<AtomicBool>) -> Hub {
        self.stop = flag;
        self
    }

    /// The settings that it was made with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// What goes into the message if a request for `repo` fails.
    pub(super) fn asked<'a>(&'a self, repo: &'a RepoRef) -> Asked<'a> {
        Asked { settings: &self.settings, repo, file: None, writing: false }
    }

    pub(super) fn client(&self) -> Result<&HFClient> {
        self.online.as_ref().map(|online| &online.client).ok_or_else(offline)
    }

    pub(super) fn repo(&self, repo: &RepoRef) -> Result<Repo> {
        let client = self.client()?;
        Ok(match repo.kind() {
            Kind::Model => Repo::Model(client.model(repo.owner(), repo.name())),
            Kind::Dataset => Repo::Dataset(client.dataset(repo.owner(), repo.name())),
        })
    }

    /// Waits for what a future gives, until the user stops it or `limit` has passed.
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

    /// The same for an answer about a repository, which may take as long as the settings say.
    pub(super) fn answer<T>(&self, future: impl Future<Output = HFResult<T>>) -> std::result::Result<T, Trouble> {
        self.wait(Some(self.settings.answer_timeout), future)
    }

    /// Asks what a revision is.
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
        let failed = |what: String| Error::failed(what, "report this as a fault of cpc");
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|e| failed(e.to_string()))?;
        // Without a token hf-hub looks for one by rules of its own. One that fits into no header is never sent.
        let token = settings.token.as_ref().map_or("\0", |token| token.reveal());
        let client = HFClient::builder()
            .endpoint(&settings.endpoint)
            .token(token)
            .cache_dir(&settings.cache)
            .cache_enabled(false)
            .user_agent(concat!("cpc-toolkit/", env!("CARGO_PKG_VERSION")))
            // Half a second in all: whoever waits longer wants to know why.
            .retry_max_attempts(2)
            .build();
        let client = client.map_err(|_| {
            let what = format!("HF_ENDPOINT={}: not the address of a hub", settings.endpoint);
            Error::usage(what, "give one like https://huggingface.co, or leave it out")
        })?;
        Ok(Online { client, runtime: Some(runtime) })
    }
}

impl Drop for Online {
    fn drop(&mut self) {
        // A look-up of a name may still be on its way; nobody waits for it.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
