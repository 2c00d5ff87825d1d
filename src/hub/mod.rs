//! The Hugging Face hub: models and data sets by name, from it and to it.
//!
//! [`model`], [`data`] and [`file`] bring what a reference names to this machine; what lies here already stays where it is. In a build
//! without the feature `hub`, references are refused by name.
//!
//! `Settings` says where the hub and its cache are, [`RepoRef`] names what is wanted, `Hub` fetches and pushes. The
//! cache is the one of Python's `huggingface_hub`, so what either fetched is not fetched again by the other.
//!
//! Proven in tests against a server that speaks the hub's API as hf-hub and huggingface_hub use it, and that
//! huggingface_hub took for a hub; the hub itself was out of reach. Uploads and downloads by xet, which that server does
//! not offer, are unproven.

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
pub use here::{data, file, is_model, model};
#[cfg(feature = "hub")]
pub use here::{fetch_model, hub};
#[cfg(feature = "hub")]
pub use push::{Content, Pushed};
pub use reference::{HUB, RepoKind, RepoRef};
#[cfg(feature = "hub")]
pub use settings::{Settings, Token};

use std::path::PathBuf;

/// Something that a user named, on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Here {
    /// Where it is.
    pub path: PathBuf,
    /// What it is called for good: on the hub, with its commit.
    pub name: String,
}

/// Whether a text names something on the hub.
pub fn is_reference(text: &str) -> bool {
    RepoRef::is_reference(text)
}
