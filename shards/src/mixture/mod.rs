//! How much of each bucket is trained on: ratios in the recipe, then a plan with exact counts.

mod balance;
mod config;
mod plan;
mod rehydrate;
mod share;
mod shortage;
mod stages;

pub use config::{Balance, DEFAULT_MAX_EPOCHS, MixtureConfig, MixtureStage, OnShortage};
pub use plan::{BucketPlan, MIXTURE_VERSION, MixturePlan, Supply};
pub use rehydrate::{MAX_REPEATS, Rehydrate};
pub use shortage::{BucketShortage, Shortage};
pub use stages::StagePlan;
