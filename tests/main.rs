//! End-to-end tests: the real binary on small files, in a temporary folder.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

mod corpus;
mod determinism;
mod errors;
mod eval;
mod formats;
mod malmoi;
mod models;
mod outputs;
mod reference;
mod resume;
mod run;
mod tokenizer;
