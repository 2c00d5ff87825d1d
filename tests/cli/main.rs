//! The `cpc` command from the user's point of view: what it creates, what it prints, how it fails. One module per command.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod abx;
mod classify;
mod convert;
mod extract;
mod hub;
mod hub_python;
mod hub_server;
mod images;
mod inputs;
mod mi;
mod parquet;
mod place;
mod pretrain;
mod probe;
mod recordings;
mod remote;
mod series;
mod shards;
mod speakers;
mod text;
mod together;
mod transcripts;
mod units;
