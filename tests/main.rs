//! End-to-end tests: the real binary on small files, in a temporary folder.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

mod adapters;
mod audit;
mod contamination;
mod corpus;
mod crash;
mod dedup;
mod deploy;
mod determinism;
mod errors;
mod eval;
mod feedback;
mod formats;
#[path = "../fuzz/src/models.rs"]
#[allow(unreachable_pub, reason = "of another crate")]
mod fuzz_models;
mod fuzzing;
mod generate;
mod hostile;
mod interchange;
mod malmoi;
mod models;
mod outputs;
mod preference;
mod reference;
mod rehydrate;
mod resume;
mod rl;
mod run;
mod sft;
mod stages;
#[path = "../fuzz/src/targets/mod.rs"]
#[allow(clippy::expect_used, unreachable_pub, reason = "of another crate")]
mod targets;
mod tokenizer;
mod training;
