//! What features are worth.

pub mod abx;
