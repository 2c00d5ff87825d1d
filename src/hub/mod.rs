//! The Hugging Face hub: fetches models and data sets by name, and uploads models.
//!
//! [`model`], [`data`] and [`file()`] bring what a reference names to this machine. Files that are on this machine stay where they are. In a
//! build without the feature `hub`, references are refused with an error that names them.
//!
//! `Settings` holds the address of the hub and the location of its cache, [`RepoRef`] names what is requested, `Hub` fetches and pushes.
//! The cache is that of Python's `huggingface_hub`, so a file that either program fetched is not fetched again by the other.
//!
//! Tested against a server that implements the hub's API as hf-hub and huggingface_hub use it, and that huggingface_hub accepted as a hub.
//! The hub itself was not reachable. Uploads and downloads by xet, which that server does not offer, are untested.

#[cfg(feature = "hub")]
mod cache;
#[cfg(feature = "hub")]
mod check;
#[cfg(feature = "hub")]
mod client;
#[cfg(feature = "hub")]
mod download;
#[cfg(feature = "hub")]
mod failure;
#[cfg(feature = "hub")]
mod fetch;
#[cfg(feature = "hub")]
mod here;
#[cfg(not(feature = "hub"))]
#[path = "no_hub.rs"]
mod here;
#[cfg(feature = "hub")]
mod push;
mod reference;
#[cfg(feature = "hub")]
mod settings;

#[cfg(feature = "hub")]
pub use cache::{Cached, CachedRevision, cached};
#[cfg(feature = "hub")]
pub use check::RepoFile;
#[cfg(feature = "hub")]
pub use client::Hub;
#[cfg(feature = "hub")]
pub use fetch::{Fetched, Progress, Resolved, not_a_model};
pub use here::{data, file, is_model, model, pins};
#[cfg(feature = "hub")]
pub use here::{fetch_model, hub};
#[cfg(feature = "hub")]
pub use push::{Content, Pushed};
pub use reference::{HUB, RepoKind, RepoRef};
#[cfg(feature = "hub")]
pub use settings::{Settings, Token};

use std::path::PathBuf;

/// Something that a user named, available on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Here {
    /// Where it is.
    pub path: PathBuf,
    /// Its permanent name: for something on the hub, including the commit.
    pub name: String,
}

/// Whether a text names something on the hub.
pub fn is_reference(text: &str) -> bool {
    RepoRef::is_reference(text)
}
