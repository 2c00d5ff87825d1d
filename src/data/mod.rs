//! What the data of all modalities share: positions in an endless stream of batches, random orders, text files and
//! tables of any encoding and punctuation, and parquet files.

#[cfg(feature = "parquet")]
pub(crate) mod columns;
pub(crate) mod contents;
pub(crate) mod decimal;
pub(crate) mod dialect;
mod find;
pub(crate) mod header;
#[cfg(not(feature = "parquet"))]
mod no_parquet;
mod permutation;
pub(crate) mod plain;
mod position;

pub use find::{Chosen, NoTables, tables_of};
pub(crate) use find::{at, is_table};
#[cfg(not(feature = "parquet"))]
pub(crate) use no_parquet::not_built;
pub use permutation::Permutation;
pub use position::{Course, Position};
