//! Corpora of recordings of several channels.

mod config;
mod corpus;
mod reader;
mod survey;

pub use config::{Gaps, Scale, SensorsConfig};
pub use corpus::Expected;
pub use reader::{SensorInfo, SensorReader, Sensors};
pub use survey::Moments;
