#![doc = include_str!("../README.md")]

pub mod audio;
pub mod cli;
pub mod config;
pub mod data;
pub mod device;
pub mod durable;
pub mod error;
pub mod memory;
pub mod model;
pub mod nn;
pub mod objective;
pub mod ops;
pub mod report;
pub mod seed;
pub mod train;
pub mod weights;
