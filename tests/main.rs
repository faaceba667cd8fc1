//! End-to-end tests: the real binary on small files, in a temporary folder.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

mod adapters;
mod contamination;
mod corpus;
mod dedup;
mod deploy;
mod determinism;
mod errors;
mod eval;
mod feedback;
mod formats;
mod generate;
mod interchange;
mod malmoi;
mod models;
mod outputs;
mod reference;
mod resume;
mod run;
mod sft;
mod tokenizer;
mod training;
