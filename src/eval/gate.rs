//! Gates: limits that measured numbers have to keep, for machines that decide whether a model may go on.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Context, Error, Result};

/// Longest file of gates.
const MAX_FILE: u64 = 1 << 20;

/// One gate of the file, under its name.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Gate {
    /// The number it looks at, such as `kmmlu/accuracy/macro`.
    metric: String,
    /// Smallest value that passes.
    min: Option<f64>,
    /// Largest value that passes.
    max: Option<f64>,
}

/// Gates by name.
#[derive(Clone, Debug)]
pub(super) struct Gates(BTreeMap<String, Gate>);

/// What a gate says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Outcome {
    pub(super) gate: String,
    pub(super) metric: String,
    /// None where it was not measured: such a gate does not pass.
    pub(super) value: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) min: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) max: Option<f64>,
    pub(super) passed: bool,
}

impl Gates {
    /// Reads a file of gates.
    pub(super) fn load(path: &Path) -> Result<Self> {
        let cannot = || format!("cannot read {}", path.display());
        let hint = "a gate is a table: [quality] metric = \"kite/instruction-loose\", min = 0.8";
        if path.metadata().context(cannot)?.len() > MAX_FILE {
            return Err(Error::new(format!("{} is longer than {MAX_FILE} bytes", path.display())).hint(hint));
        }
        let text = std::fs::read_to_string(path).context(cannot)?;
        let gates: BTreeMap<String, Gate> = toml::from_str(&text)
            .map_err(|error| Error::new(format!("{}: {}", path.display(), error.to_string().trim_end())).hint(hint))?;
        let refuse = |name: &str, what: &str| Err(Error::new(format!("{}: gate `{name}` {what}", path.display())).hint(hint));
        if gates.is_empty() {
            return Err(Error::new(format!("{} has no gates", path.display())).hint(hint));
        }
        for (name, gate) in &gates {
            let limits = [gate.min, gate.max];
            if limits == [None, None] {
                return refuse(name, "has neither `min` nor `max`");
            }
            if limits.into_iter().flatten().any(f64::is_nan) {
                return refuse(name, "has a limit that is no number");
            }
        }
        Ok(Self(gates))
    }

    /// Holds what was measured against every gate.
    pub(super) fn check(&self, measured: &BTreeMap<String, f64>) -> Vec<Outcome> {
        let outcome = |(name, gate): (&String, &Gate)| {
            let value = measured.get(&gate.metric).copied();
            let keeps = |value: f64| gate.min.is_none_or(|min| value >= min) && gate.max.is_none_or(|max| value <= max);
            Outcome {
                gate: name.clone(),
                metric: gate.metric.clone(),
                value,
                min: gate.min,
                max: gate.max,
                passed: value.is_some_and(keeps),
            }
        };
        self.0.iter().map(outcome).collect()
    }
}

#[cfg(test)]
mod tests;
