//! How much of each bucket is trained on: ratios in the recipe, then a plan with exact counts.

mod config;
mod plan;
mod share;
mod shortage;

pub use config::{DEFAULT_MAX_EPOCHS, MixtureConfig, OnShortage};
pub use plan::{BucketPlan, MIXTURE_VERSION, MixturePlan};
pub use shortage::{BucketShortage, Shortage};
