//! The options of `language`.

use serde::{Deserialize, Serialize};

use super::{Language, detectable, lines};
use crate::Filter;
use crate::Sign;
use crate::rules::{Effect, Rule};
use crate::spec::{Options, SpecError, in_range, listed};

/// Options of `language`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct LanguageConfig {
    /// Languages that stay, as ISO 639-1 codes. Required.
    pub keep: Vec<String>,
    /// Smallest confidence, 0 to 1. Default: 0.65.
    pub min_confidence: f64,
    /// Whether lines are judged one by one. Default: the text as a whole.
    #[serde(skip_serializing_if = "is_off")]
    pub lines: LineMode,
    /// With `lines`: smallest share of the languages of `keep`, 0 to 1. Default: 0.5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_kept: Option<f64>,
    /// Apply to these buckets alone. Default: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub only_buckets: Vec<String>,
    /// Do not apply to these buckets. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub except_buckets: Vec<String>,
}

/// What `language` does with lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LineMode {
    /// Judge the text as a whole.
    #[default]
    Off,
    /// Judge every line, and the text by its lines.
    Measure,
    /// Take the lines of other languages out as well.
    Drop,
}

pub(super) fn is_off(mode: &LineMode) -> bool {
    *mode == LineMode::Off
}

impl LanguageConfig {
    pub(super) fn min_kept(&self) -> f64 {
        self.min_kept.unwrap_or(0.5)
    }
}

impl Default for LanguageConfig {
    fn default() -> Self {
        Self {
            keep: Vec::new(),
            min_confidence: 0.65,
            lines: LineMode::Off,
            min_kept: None,
            only_buckets: Vec::new(),
            except_buckets: Vec::new(),
        }
    }
}

impl Options for LanguageConfig {
    const NAME: &'static str = "language";

    fn only_buckets(&self) -> &[String] {
        &self.only_buckets
    }

    fn except_buckets(&self) -> &[String] {
        &self.except_buckets
    }

    fn check(&self) -> Result<(), SpecError> {
        if self.keep.is_empty() {
            return Err(SpecError::NothingToDo { filter: Self::NAME, key: "keep", keys: "the languages of `keep`" });
        }
        let known = detectable();
        if let Some(unknown) = self.keep.iter().find(|code| !known.contains(&code.as_str())) {
            return Err(SpecError::Unknown { filter: Self::NAME, key: "keep", value: unknown.clone(), known: listed(&known) });
        }
        if is_off(&self.lines) && self.min_kept.is_some() {
            return Err(SpecError::NothingToDo {
                filter: Self::NAME,
                key: "min-kept",
                keys: "`lines`, without which `min-kept` has nothing to count",
            });
        }
        in_range::<Self>("min-kept", self.min_kept, 0.0, 1.0)?;
        in_range::<Self>("min-confidence", Some(self.min_confidence), 0.0, 1.0)
    }

    fn build(&self) -> Box<dyn Filter> {
        Box::new(Language { keep: self.keep.clone(), min_confidence: self.min_confidence, lines: self.lines, min_kept: self.min_kept() })
    }

    fn rules(&self) -> Vec<Rule> {
        // Rounded to four decimals before it is compared, and so stored as it is compared.
        if !is_off(&self.lines) {
            // Where no line can be judged, the confidence of the whole decides, for which no share is stored.
            return vec![Rule {
                zero_passes: true,
                ..Rule::exact("min-kept", lines::KEPT, lines::RULE, Sign::Below, Some(self.min_kept()))
            }];
        }
        let rule = "language/language-confidence";
        vec![Rule::exact("min-confidence", "language-confidence", rule, Sign::Below, Some(self.min_confidence))]
    }

    fn effect(&self) -> Effect {
        Effect { drops: true, rewrites: self.lines == LineMode::Drop }
    }
}
