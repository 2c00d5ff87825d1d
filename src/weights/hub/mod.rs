//! The Hugging Face hub: models and data sets by name, from it and to it.
//!
//! [`Settings`] says where the hub and its cache are, [`RepoRef`] names what is wanted, [`Hub`] fetches and pushes. The
//! cache is the one of Python's `huggingface_hub`, so what either fetched is not fetched again by the other.
//!
//! Proven in tests against a server that speaks the hub's API as hf-hub and huggingface_hub use it, and that
//! huggingface_hub took for a hub; the hub itself was out of reach. Uploads and downloads by xet, which that server does
//! not offer, are unproven.

mod cache;
mod check;
mod client;
mod download;
mod failure;
mod fetch;
mod push;
mod reference;
mod settings;

pub use cache::{Cached, CachedRevision, cached};
pub use check::RepoFile;
pub use client::Hub;
pub use fetch::{Fetched, Progress, Resolved, is_model_file, not_a_model};
pub use push::{Content, Pushed};
pub use reference::{HUB, Kind, RepoRef};
pub use settings::{Settings, Token};
