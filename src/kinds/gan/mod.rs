//! A generative adversarial network with MINE against mode collapse (Belghazi et al. 2018, section 5.1).

mod conclude;
mod config;
mod kind;
mod model;
mod stacks;
mod task;
mod toy;

pub use config::{GanConfig, GanDataConfig, GanObjectiveConfig, GeneratorConfig};
pub use kind::{GAN, MineInGan};
pub use model::MineGan;
pub use stacks::{PREFIX as STACKED, Spread, Stacks};
pub use task::{GanTask, Target};
pub use toy::{Coverage, LEAST, PREFIX as TOY, Toy};
