//! What data of every modality share: positions in an endless stream of batches, random orders, and parquet files.

#[cfg(feature = "parquet")]
pub(crate) mod columns;
mod find;
mod permutation;
mod position;

pub use find::{Chosen, NoTables, tables_of};
pub(crate) use find::{at, is_table};
pub use permutation::Permutation;
pub use position::Position;
