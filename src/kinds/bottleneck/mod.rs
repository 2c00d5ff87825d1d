//! The information bottleneck (Alemi et al. 2017; Belghazi et al. 2018, section 5.3).

mod config;
mod files;
mod kind;
mod model;
mod plane;

pub use config::{BottleneckConfig, BottleneckEncoderConfig, BottleneckObjectiveConfig, Information};
pub use files::BottleneckModelConfig;
pub use kind::BOTTLENECK;
pub use model::Bottleneck;
pub use plane::{PlanePath, PlanePoint, plane};
