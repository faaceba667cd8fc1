//! `normalize`: one way of writing the same text, without touching code.

mod boilerplate;
mod code;
mod comments;
mod invisible;
mod phrases;
mod rewrite;
mod tags;

use corpora::Document;
use serde::{Deserialize, Serialize};

use crate::chars::{is_nfc, is_space, nfc};
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
    /// Pages of the web: tidy, with mojibake repaired, full-width ASCII narrowed, boilerplate removed.
    Web,
    /// Sources of code whose documents do not say so: tidy, and no sign changes.
    Code,
}

/// What happens to characters that exist in half and in full width.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Width {
    /// Nothing.
    Keep,
    /// Full-width ASCII becomes ASCII outside code, but for `＜`, `＞` and `｀`, which would become
    /// marks, and `～`, which is one of the signs. Half-width Hangul letters become `ㄱ` to `ㅣ`;
    /// `ㅋㅋ` stays `ㅋㅋ`.
    HalfAscii,
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
    /// Write `·` for `ㆍ` (U+318D) and `~` for `～` (U+FF5E) outside code. Default: true, with preset
    /// `code` false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signs: Option<bool>,
    /// Half and full width. Default: `keep`, with preset `web` `half-ascii`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<Width>,
    /// Repair mojibake in documents that are not code. Default: false, with preset `web` true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mojibake: Option<bool>,
    /// Remove boilerplate lines from documents that are not code. Default: false, with preset `web` true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boilerplate: Option<bool>,
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
            signs: None,
            width: None,
            mojibake: None,
            boilerplate: None,
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
            NormalizePreset::Tidy | NormalizePreset::Web | NormalizePreset::Code => (Whitespace::Lines, Tags::Keep),
            NormalizePreset::Seed => (Whitespace::Collapse, Tags::Strip),
        };
        let web = self.preset == NormalizePreset::Web;
        let rules = rewrite::Rules {
            whitespace: self.whitespace.unwrap_or(whitespace),
            signs: self.signs.unwrap_or(self.preset != NormalizePreset::Code),
            narrow: self.width.unwrap_or(if web { Width::HalfAscii } else { Width::Keep }) == Width::HalfAscii,
            strip_tags: self.tags.unwrap_or(tags) == Tags::Strip,
        };
        let (mojibake, boilerplate) = (self.mojibake.unwrap_or(web), self.boilerplate.unwrap_or(web));
        Box::new(Normalize { form: self.form, invisible: self.invisible, mojibake, boilerplate, rules })
    }
}

struct Normalize {
    form: Form,
    invisible: bool,
    mojibake: bool,
    boilerplate: bool,
    rules: rewrite::Rules,
}

/// What was done to a text that a reader may want to know.
#[derive(Default)]
struct Tally {
    /// Characters of mojibake that were repaired.
    repaired: usize,
    /// Lines of boilerplate that were removed.
    lines: usize,
}

/// Most passes over one text. Two settle everything but texts made to need more.
const MAX_PASSES: usize = 8;

impl Normalize {
    /// All steps once; `None` when nothing changes.
    fn pass(&self, text: &str, is_code: bool, tally: &mut Tally) -> Option<String> {
        let mut changed = None;
        // First of all: what looks like an invisible character may be a byte of a broken syllable.
        if self.mojibake
            && !is_code
            && let Some((repaired, count)) = corpora::repair_mojibake(text)
        {
            tally.repaired += count;
            changed = Some(repaired);
        }
        if self.invisible {
            changed = invisible::remove(changed.as_deref().unwrap_or(text)).or(changed);
        }
        if self.form == Form::Nfc {
            changed = compose(changed.as_deref().unwrap_or(text)).or(changed);
        }
        let boilerplate = self.boilerplate && !is_code;
        let collapses = self.rules.whitespace == Whitespace::Collapse;
        // Lines are read when they are tidy, but before they are joined.
        if boilerplate && collapses {
            changed = without_boilerplate(changed.as_deref().unwrap_or(text), tally).or(changed);
        }
        changed = self.rules.apply(changed.as_deref().unwrap_or(text), is_code).or(changed);
        if boilerplate
            && !collapses
            && let Some(rest) = without_boilerplate(changed.as_deref().unwrap_or(text), tally)
        {
            changed = Some(self.rules.apply(&rest, is_code).unwrap_or(rest));
        }
        changed
    }

    /// The normalized text, `None` when it is the text itself.
    ///
    /// A removed tag brings its neighbours together, and they may be a tag, a mark of code or
    /// boilerplate; a narrowed letter may meet its accent: such texts are looked at until nothing
    /// changes.
    fn normalize(&self, text: &str, is_code: bool, tally: &mut Tally) -> Option<String> {
        let mut latest = self.pass(text, is_code, tally)?;
        if !is_code && (tally.repaired + tally.lines > 0 || self.may_uncover(text)) {
            for _ in 1..MAX_PASSES {
                match self.pass(&latest, is_code, tally) {
                    Some(next) => latest = next,
                    None => break,
                }
            }
        }
        Some(latest)
    }

    /// Might a second pass find more to do? Bytes of broken syllables come together when what was
    /// between them goes; lines that are collapsed may be boilerplate once their spaces are plain.
    fn may_uncover(&self, text: &str) -> bool {
        let odd = |c: char| matches!(c, '\u{318D}' | '\u{FF5E}') || (is_space(c) && !matches!(c, ' ' | '\n' | '\t'));
        self.rules.may_uncover(text)
            || (self.mojibake && text.chars().any(|c| matches!(c, '\u{80}'..='\u{FF}')))
            || (self.boilerplate && self.rules.whitespace == Whitespace::Collapse && text.chars().any(odd))
    }
}

impl Filter for Normalize {
    fn name(&self) -> &'static str {
        NormalizeConfig::NAME
    }

    fn metric_names(&self) -> Vec<&'static str> {
        let names = [(self.mojibake, "mojibake-repaired"), (self.boilerplate, "boilerplate-lines")];
        names.into_iter().filter(|(on, _)| *on).map(|(_, name)| name).collect()
    }

    fn apply(&self, document: &mut Document, metrics: &mut Metrics) -> Verdict {
        let mut tally = Tally::default();
        if let Some(text) = self.normalize(&document.text, document.is_code(), &mut tally) {
            document.text = text;
            metrics.text_changed();
        }
        for name in self.metric_names() {
            metrics.insert(name, if name == "mojibake-repaired" { tally.repaired } else { tally.lines } as f64);
        }
        if document.text.is_empty() {
            return Verdict::Drop(Reason::below("normalize/chars", 0.0, 1.0));
        }
        Verdict::Keep
    }
}

/// The text without lines of boilerplate, which are counted.
fn without_boilerplate(text: &str, tally: &mut Tally) -> Option<String> {
    let (rest, lines) = boilerplate::remove(text)?;
    tally.lines += lines;
    Some(rest)
}

/// NFC, `None` when the text is in that form.
fn compose(text: &str) -> Option<String> {
    if is_nfc(text) {
        return None;
    }
    let nfc = nfc(text);
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
        for preset in [NormalizePreset::Tidy, NormalizePreset::Seed, NormalizePreset::Web, NormalizePreset::Code] {
            for whitespace in [None, Some(Whitespace::Keep), Some(Whitespace::Lines)] {
                for tags in [None, Some(Tags::Strip)] {
                    let base = NormalizeConfig { preset, whitespace, tags, ..NormalizeConfig::default() };
                    let on =
                        NormalizeConfig { width: Some(Width::HalfAscii), boilerplate: Some(true), mojibake: Some(true), ..base.clone() };
                    configs.extend([base, on]);
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
                    "\u{feff}", "\u{1fef}", "\u{0}", "b r", "'", "\"", "Ａ", "＝", "＜", "｀",
                    "ﾡ", "Ç", "Ñ", "±", "¹", "Ã©", "홍길동", "기자", "구독", "좋아요", "ⓒ", "무단전재", "금지",
                ]),
                0..24,
            )
        ) {
            assert_idempotent(&pieces.concat())?;
        }
    }
}
