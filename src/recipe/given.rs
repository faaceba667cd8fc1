//! The keys of `[train]` that a recipe has itself, of tables that `train.init` and `train.lora.init` fill in.

use toml::Table;
use trainer::Given;

/// Those keys with their values; a default that is left out is not among them, nor what a preset gives.
#[derive(Clone, Debug, Default)]
pub(crate) struct GivenKeys {
    /// Of `[train.model]`.
    pub(crate) model: Given,
    /// Of `[train.lora]`.
    pub(crate) lora: Given,
}

impl GivenKeys {
    /// Those of a recipe's table.
    pub(super) fn of(table: &Table) -> Self {
        let keys = |name: &str| {
            let given = table.get("train").and_then(|train| train.get(name)).map(serde_json::to_value);
            match given {
                Some(Ok(serde_json::Value::Object(given))) => given,
                // What is no table is refused where the recipe is read.
                _ => Given::new(),
            }
        };
        Self { model: keys("model"), lora: keys("lora") }
    }
}
