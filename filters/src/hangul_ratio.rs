//! `hangul-ratio`: share of Hangul among the characters that are not white space.

use corpora::Document;
use serde::{Deserialize, Serialize};

use crate::bytes::char_at;
use crate::chars::{SYLLABLE, is_hangul, is_space, starts_with_syllable};
use crate::metrics::ratio;
use crate::rules::{Effect, Rule};
use crate::spec::{Options, SpecError, in_order, in_range};
use crate::{Filter, Metrics, Reason, Sign, Verdict};

/// Options of `hangul-ratio`; at least one bound must be set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct HangulRatioConfig {
    /// Smallest share, 0 to 1. Default: no bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// Largest share, 0 to 1. Default: no bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// Apply to these buckets alone. Default: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub only_buckets: Vec<String>,
    /// Do not apply to these buckets. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub except_buckets: Vec<String>,
}

impl Options for HangulRatioConfig {
    const NAME: &'static str = "hangul-ratio";

    fn only_buckets(&self) -> &[String] {
        &self.only_buckets
    }

    fn except_buckets(&self) -> &[String] {
        &self.except_buckets
    }

    fn check(&self) -> Result<(), SpecError> {
        if self.min.is_none() && self.max.is_none() {
            return Err(SpecError::NothingToDo { filter: Self::NAME, key: "min", keys: "`min`, `max`" });
        }
        in_range::<Self>("min", self.min, 0.0, 1.0)?;
        in_range::<Self>("max", self.max, 0.0, 1.0)?;
        in_order::<Self>(("min", self.min), ("max", self.max))
    }

    fn build(&self) -> Box<dyn Filter> {
        Box::new(HangulRatio { min: self.min, max: self.max })
    }

    fn rules(&self) -> Vec<Rule> {
        let rule = "hangul/hangul-ratio";
        vec![
            Rule::share("min", "hangul-ratio", rule, Sign::Below, self.min),
            Rule::share("max", "hangul-ratio", rule, Sign::Above, self.max),
        ]
    }

    fn effect(&self) -> Effect {
        Effect { drops: false, rewrites: false }
    }
}

struct HangulRatio {
    min: Option<f64>,
    max: Option<f64>,
}

impl Filter for HangulRatio {
    fn name(&self) -> &'static str {
        HangulRatioConfig::NAME
    }

    fn metric_names(&self) -> Vec<&'static str> {
        vec!["hangul-ratio"]
    }

    fn apply(&self, document: &mut Document, metrics: &mut Metrics) -> Verdict {
        let [hangul, visible] = count(&document.text);
        let share = ratio(hangul, visible);
        metrics.insert("hangul-ratio", share);
        let rule = "hangul/hangul-ratio";
        match (self.min, self.max) {
            (Some(min), _) if share < min => Verdict::Drop(Reason::below(rule, share, min)),
            (_, Some(max)) if share > max => Verdict::Drop(Reason::above(rule, share, max)),
            _ => Verdict::Keep,
        }
    }
}

/// Hangul and all that is no white space, in characters.
fn count(text: &str) -> [usize; 2] {
    let bytes = text.as_bytes();
    let (mut at, mut hangul, mut visible) = (0, 0, 0);
    while let Some(&byte) = bytes.get(at) {
        if starts_with_syllable(&bytes[at..]) {
            (hangul, visible, at) = (hangul + 1, visible + 1, at + SYLLABLE);
        } else if byte.is_ascii() {
            (visible, at) = (visible + usize::from(!is_space(char::from(byte))), at + 1);
        } else {
            let Some(c) = char_at(text, at) else { break };
            hangul += usize::from(is_hangul(c));
            visible += usize::from(!is_space(c));
            at += c.len_utf8();
        }
    }
    [hangul, visible]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::document;

    #[test]
    fn counts_syllables_and_compatibility_jamo() {
        let filter = HangulRatio { min: None, max: None };
        let ratio_of = |text: &str| {
            let mut metrics = Metrics::new();
            filter.apply(&mut document(text), &mut metrics);
            metrics.get("hangul-ratio").unwrap()
        };
        assert_eq!(ratio_of("가 나 ab"), 0.5);
        assert_eq!(ratio_of("ㅋㅋ 漢字"), 0.5);
        assert_eq!(ratio_of("中文和にほん"), 0.0);
        assert_eq!(ratio_of(" \n"), 0.0);
    }

    proptest::proptest! {
        #[test]
        fn counts_are_those_of_the_characters(text in "[가힣ㅋ漢é😀\u{3000}\u{1c} \na-]{0,60}|.{0,40}") {
            let expected = [text.chars().filter(|c| is_hangul(*c)).count(), text.chars().filter(|c| !is_space(*c)).count()];
            proptest::prop_assert_eq!(count(&text), expected);
        }
    }
}
