//! Corpora of recordings of several channels.

mod config;
mod corpus;
mod overview;
mod reader;
mod survey;

pub use config::{Division, Gaps, Scale, SensorsConfig};
pub use corpus::Expected;
pub use overview::Overview;
pub use reader::{SensorInfo, SensorReader, Sensors, scaling};
pub use survey::Moments;
