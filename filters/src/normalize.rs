//! `normalize`: one way of writing the same text, without touching code.

mod code;
mod comments;
mod invisible;
mod rewrite;
mod tags;

use corpora::Document;
use serde::{Deserialize, Serialize};
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use crate::spec::{Options, SpecError};
use crate::{Filter, Metrics, Reason, Verdict};

/// Unicode normalization form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// Canonical composition: conjoining jamo become syllables, `ㅋ` stays `ㅋ`.
    #[default]
    Nfc,
    /// Leave it as it is.
    None,
}

/// Defaults for the steps after the Unicode form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NormalizePreset {
    /// Tidy lines, keep paragraphs, indentation and tags.
    #[default]
    Tidy,
    /// One line of text without HTML tags, fenced code set apart. Documents that are code stay.
    Seed,
}

/// What happens to white space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Whitespace {
    /// Nothing.
    Keep,
    /// Every line end becomes a line feed, every other Unicode space a plain one; no space at line
    /// ends, at most two empty lines in a row, none at either end. Indentation and the spaces
    /// between words stay.
    Lines,
    /// Outside code every run of white space becomes one space; inside code nothing changes.
    Collapse,
}

/// What happens to HTML tags outside code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tags {
    /// Nothing.
    Keep,
    /// Tags of HTML elements up to 1 KiB, comments up to 16 KiB and declarations are removed.
    Strip,
}

/// Options of `normalize`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct NormalizeConfig {
    /// Unicode form. Default: `nfc`.
    pub form: Form,
    /// Where the defaults of the options below come from. Default: `tidy`.
    pub preset: NormalizePreset,
    /// Remove control and zero-width characters. Default: true.
    pub invisible: bool,
    /// White space. Default: `lines`, with preset `seed` `collapse`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub whitespace: Option<Whitespace>,
    /// Write `·` for `ㆍ` (U+318D) and `~` for `～` (U+FF5E) outside code. Default: true.
    pub signs: bool,
    /// HTML tags. Default: `keep`, with preset `seed` `strip`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Tags>,
    /// Apply to these buckets alone. Default: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub only_buckets: Vec<String>,
    /// Do not apply to these buckets. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub except_buckets: Vec<String>,
}

impl Default for NormalizeConfig {
    fn default() -> Self {
        Self {
            form: Form::Nfc,
            preset: NormalizePreset::Tidy,
            invisible: true,
            whitespace: None,
            signs: true,
            tags: None,
            only_buckets: Vec::new(),
            except_buckets: Vec::new(),
        }
    }
}

impl Options for NormalizeConfig {
    const NAME: &'static str = "normalize";

    fn only_buckets(&self) -> &[String] {
        &self.only_buckets
    }

    fn except_buckets(&self) -> &[String] {
        &self.except_buckets
    }

    fn check(&self) -> Result<(), SpecError> {
        Ok(())
    }

    fn build(&self) -> Box<dyn Filter> {
        let (whitespace, tags) = match self.preset {
            NormalizePreset::Tidy => (Whitespace::Lines, Tags::Keep),
            NormalizePreset::Seed => (Whitespace::Collapse, Tags::Strip),
        };
        let rules = rewrite::Rules {
            whitespace: self.whitespace.unwrap_or(whitespace),
            signs: self.signs,
            strip_tags: self.tags.unwrap_or(tags) == Tags::Strip,
        };
        Box::new(Normalize { form: self.form, invisible: self.invisible, rules })
    }
}

struct Normalize {
    form: Form,
    invisible: bool,
    rules: rewrite::Rules,
}

/// Most passes over one text. Two settle everything but texts made to need more.
const MAX_PASSES: usize = 8;

impl Normalize {
    /// All steps once; `None` when nothing changes.
    fn pass(&self, text: &str, is_code: bool) -> Option<String> {
        let mut changed = None;
        if self.invisible {
            changed = invisible::remove(text);
        }
        if self.form == Form::Nfc {
            changed = compose(changed.as_deref().unwrap_or(text)).or(changed);
        }
        self.rules.apply(changed.as_deref().unwrap_or(text), is_code).or(changed)
    }

    /// The normalized text, `None` when it is the text itself.
    ///
    /// A removed tag brings its neighbours together, and they may be a tag or a mark of code: such
    /// texts are looked at until nothing changes.
    fn normalize(&self, text: &str, is_code: bool) -> Option<String> {
        let mut latest = self.pass(text, is_code)?;
        if !is_code && self.rules.may_uncover(text) {
            for _ in 1..MAX_PASSES {
                match self.pass(&latest, is_code) {
                    Some(next) => latest = next,
                    None => break,
                }
            }
        }
        Some(latest)
    }
}

impl Filter for Normalize {
    fn name(&self) -> &'static str {
        NormalizeConfig::NAME
    }

    fn metric_names(&self) -> Vec<&'static str> {
        Vec::new()
    }

    fn apply(&self, document: &mut Document, metrics: &mut Metrics) -> Verdict {
        if let Some(text) = self.normalize(&document.text, document.is_code()) {
            document.text = text;
            metrics.text_changed();
        }
        if document.text.is_empty() {
            return Verdict::Drop(Reason::below("normalize/chars", 0.0, 1.0));
        }
        Verdict::Keep
    }
}

/// NFC, `None` when the text is in that form.
fn compose(text: &str) -> Option<String> {
    let composed = |c: char| c < '\u{300}' || matches!(c, '\u{AC00}'..='\u{D7A3}' | '\u{4E00}'..='\u{9FFF}');
    if text.chars().all(composed) || is_nfc_quick(text.chars()) == IsNormalized::Yes {
        return None;
    }
    let nfc: String = text.nfc().collect();
    (nfc != text).then_some(nfc)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn built(config: &NormalizeConfig) -> Box<dyn Filter> {
        config.build()
    }

    fn all_configs() -> Vec<NormalizeConfig> {
        let mut configs = Vec::new();
        for preset in [NormalizePreset::Tidy, NormalizePreset::Seed] {
            for whitespace in [None, Some(Whitespace::Keep), Some(Whitespace::Lines)] {
                for tags in [None, Some(Tags::Strip)] {
                    let base = NormalizeConfig::default();
                    configs.push(NormalizeConfig { preset, whitespace, tags, ..base });
                }
            }
        }
        configs
    }

    fn assert_idempotent(text: &str) -> Result<(), TestCaseError> {
        for config in all_configs() {
            let filter = built(&config);
            let mut once = crate::pages::document(text);
            filter.apply(&mut once, &mut Metrics::new());
            let mut twice = once.clone();
            filter.apply(&mut twice, &mut Metrics::new());
            prop_assert_eq!(&once.text, &twice.text, "{:?}", config);
        }
        Ok(())
    }

    #[test]
    fn jamo_compose_and_laughter_survives() {
        assert_eq!(compose("\u{1112}\u{1161}\u{11ab}글ㅋㅋ").as_deref(), Some("한글ㅋㅋ"));
        assert_eq!(compose("한글ㅋㅋ漢é"), None);
        // Old Hangul has no composed form: it is kept, not deleted.
        assert_eq!(compose("\u{1112}\u{119e}\u{11ab}"), None);
    }

    #[test]
    fn a_document_of_code_is_code_altogether() {
        let text = "<ul>\r\n\t<li>ㆍ  a</li>\n</ul>\n";
        let seed = NormalizeConfig { preset: NormalizePreset::Seed, ..NormalizeConfig::default() };
        for (config, lang, becomes) in [
            (&seed, Some("html"), "<ul>\r\n\t<li>ㆍ  a</li>\n</ul>"),
            (&NormalizeConfig::default(), Some("html"), "<ul>\n\t<li>ㆍ  a</li>\n</ul>"),
            (&seed, Some("ko"), "· a"),
            (&seed, None, "· a"),
        ] {
            let mut document = crate::pages::document(text);
            document.lang = lang.map(str::to_owned);
            built(config).apply(&mut document, &mut Metrics::new());
            assert_eq!(document.text, becomes, "{lang:?}");
        }
    }

    proptest! {
        #[test]
        fn idempotent_on_any_text(text in "\\PC{0,60}|(?s).{0,40}") {
            assert_idempotent(&text)?;
        }

        #[test]
        fn idempotent_on_marks_and_spaces(
            pieces in prop::collection::vec(
                prop::sample::select(vec![
                    "`", "``", "```", "~~~", "```rust", "<b>", "</b>", "<br/>", "<p class='x'>", "<", ">",
                    "<!--", "-->", " ", "  ", "\t", "\n", "\n\n", "\r\n", "\r", "\u{a0}", "\u{3000}",
                    "\u{2028}", "\u{85}", "\u{1c}", "가", "한 ", "a", "e", "\u{301}", "\u{338}", "\u{1100}",
                    "\u{1161}", "ㆍ", "～", "\u{200b}", "\u{200d}", "👩", "\u{fe0f}", "क", "\u{94d}",
                    "\u{feff}", "\u{1fef}", "\u{0}", "b r", "'", "\"",
                ]),
                0..24,
            )
        ) {
            assert_idempotent(&pieces.concat())?;
        }
    }
}
