//! What evaluations decide.

use serde::{Deserialize, Serialize};

use super::{at_least_one, within};
use crate::error::Result;

/// Ends a training that has stopped to get better on held-out text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct EarlyStop {
    /// Evaluations in a row without progress after which training ends.
    pub patience: u32,
    /// Bits per byte that count as progress: a value must be lower than the last one that was by more
    /// than this. Default 0.
    #[serde(default)]
    pub min_delta: f64,
}

impl EarlyStop {
    pub(super) fn validate(&self) -> Result<()> {
        at_least_one("early-stop.patience", self.patience.into())?;
        within("early-stop.min-delta", self.min_delta, self.min_delta >= 0.0, "0 or more")
    }
}
