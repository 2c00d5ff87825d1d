//! The `cpc` command.
fn main() {}
