//! What `feedback` and `synthesize` are asked for.

use std::path::PathBuf;

use clap::Args;

/// What users said, and where the data made of it goes.
#[derive(Args, Clone, Debug)]
pub(crate) struct Feedback {
    /// Files of JSON lines with `prompt`, `response`, and `rating` or `correction`, plain or compressed.
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Folder for sft.jsonl, preference.jsonl and summary.json; what is there is replaced.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: PathBuf,
    /// Least rating of 1 to 5 that makes an answer a good one.
    #[arg(long, value_name = "N", default_value_t = 4.0)]
    pub(crate) good: f64,
    /// Largest rating of 1 to 5 that makes an answer a bad one.
    #[arg(long, value_name = "N", default_value_t = 2.0)]
    pub(crate) bad: f64,
}

/// Which synthetic data.
#[derive(Args, Clone, Debug)]
pub(crate) struct Synthesize {
    /// The TOML file that describes it; recipes/synthesize.toml is one to start from.
    pub(crate) config: PathBuf,
}
