//! Options of `gopher-quality` and where their values come from.

use serde::{Deserialize, Serialize};

use super::GopherQuality;
use super::stop_words::StopWords;
use crate::rules::{Effect, Rule};
use crate::spec::{Options, SpecError, in_order, in_range};
use crate::{Filter, Segmentation, Sign};

/// A set of thresholds and stop words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum QualityPreset {
    /// The Gopher paper as in datatrove; for English.
    #[default]
    #[serde(rename = "gopher@datatrove", alias = "gopher")]
    Gopher,
    /// The Gopher paper as in DCLM; for English.
    #[serde(rename = "gopher@dclm")]
    GopherDclm,
    /// FineWeb-2's Korean values. They belong to morphemes, and words are split so; two limits are then a little lower,
    /// since our pieces are fewer than a morphological analyser's.
    #[serde(rename = "fineweb2-korean")]
    Fineweb2Korean,
    /// Our values for Korean split at white space; the page of the filter gives the reasons.
    #[serde(rename = "korean-eojeol")]
    KoreanEojeol,
}

/// Limits of all rules; a limit of zero switches its rule off.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Limits {
    pub(super) words: [u64; 2],
    pub(super) mean_word_length: [f64; 2],
    pub(super) hashes: f64,
    pub(super) ellipses: f64,
    pub(super) bullet_lines: f64,
    pub(super) ellipsis_lines: f64,
    pub(super) alpha_words: f64,
    pub(super) stop_words: u64,
}

impl QualityPreset {
    fn limits(self, words: Segmentation) -> Limits {
        let gopher = Limits {
            words: [50, 100_000],
            mean_word_length: [3.0, 10.0],
            hashes: 0.1,
            ellipses: 0.1,
            bullet_lines: 0.9,
            ellipsis_lines: 0.3,
            alpha_words: 0.8,
            stop_words: 2,
        };
        match self {
            Self::Gopher | Self::GopherDclm => gopher,
            // Our pieces are 0.91 of Kiwi's morphemes, and the missing ones have letters: limits are lower by what it takes
            // to decide alike.
            Self::Fineweb2Korean if words == Segmentation::Korean => {
                Limits { words: [47, 100_000], mean_word_length: [1.0, 6.0], alpha_words: 0.785, ..gopher }
            }
            Self::Fineweb2Korean => Limits { mean_word_length: [1.0, 6.0], alpha_words: 0.791, ..gopher },
            Self::KoreanEojeol => Limits {
                words: [23, 45_000],
                mean_word_length: [1.8, 12.0],
                hashes: 0.2,
                ellipses: 0.2,
                alpha_words: 0.7,
                stop_words: 3,
                ..gopher
            },
        }
    }

    const fn words(self) -> Segmentation {
        match self {
            Self::Fineweb2Korean => Segmentation::Korean,
            _ => Segmentation::Whitespace,
        }
    }

    const fn stop_words(self) -> &'static [&'static str] {
        match self {
            Self::Gopher | Self::GopherDclm => &["the", "be", "to", "of", "and", "that", "have", "with"],
            Self::Fineweb2Korean => &[
                "의", "다", "이", "는", "에", "을", "한", "년", "하", "은", "를", "했", "고", "에서", "가", "있", "으로", "인", "월", "로",
                "되",
            ],
            Self::KoreanEojeol => &[
                "-은", "-는", "-이", "-가", "-을", "-를", "-의", "-에", "-서", "-로", "-와", "-과", "-도", "-만", "-고", "-며", "-면",
                "-지", "-다", "-요", "-까", "-게", "-한", "-던",
            ],
        }
    }
}

/// Options of `gopher-quality`. Every limit takes its default from the preset, and switches its
/// rule off when it is 0.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct GopherQualityConfig {
    /// Where the limits and stop words come from. Default: `gopher@datatrove`.
    pub preset: QualityPreset,
    /// What a word is. Default: of the preset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub words: Option<Segmentation>,
    /// Fewest words that are not punctuation alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_words: Option<u64>,
    /// Most words that are not punctuation alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_words: Option<u64>,
    /// Smallest mean length in characters of those words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_mean_word_length: Option<f64>,
    /// Largest mean length in characters of those words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_mean_word_length: Option<f64>,
    /// Most `#` for each word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_hash_ratio: Option<f64>,
    /// Most `...` and `…` for each word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_ellipsis_ratio: Option<f64>,
    /// Largest share of lines that begin with `•` or `-`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bullet_lines: Option<f64>,
    /// Largest share of lines that end with `...` or `…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_ellipsis_lines: Option<f64>,
    /// Smallest share of words with a letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_alpha_words: Option<f64>,
    /// Fewest different stop words that must occur.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_stop_words: Option<u64>,
    /// The stop words, case-sensitive; one that begins with `-` is an ending (`-은`, `-습니다`) and
    /// is looked for at the end of longer words, behind which punctuation may follow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_words: Option<Vec<String>>,
    /// Apply to these buckets alone. Default: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub only_buckets: Vec<String>,
    /// Do not apply to these buckets. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub except_buckets: Vec<String>,
}

impl GopherQualityConfig {
    fn limits(&self) -> Limits {
        let preset = self.preset.limits(self.words());
        let [min_words, max_words] = preset.words;
        let [min_mean, max_mean] = preset.mean_word_length;
        Limits {
            words: [self.min_words.unwrap_or(min_words), self.max_words.unwrap_or(max_words)],
            mean_word_length: [self.min_mean_word_length.unwrap_or(min_mean), self.max_mean_word_length.unwrap_or(max_mean)],
            hashes: self.max_hash_ratio.unwrap_or(preset.hashes),
            ellipses: self.max_ellipsis_ratio.unwrap_or(preset.ellipses),
            bullet_lines: self.max_bullet_lines.unwrap_or(preset.bullet_lines),
            ellipsis_lines: self.max_ellipsis_lines.unwrap_or(preset.ellipsis_lines),
            alpha_words: self.min_alpha_words.unwrap_or(preset.alpha_words),
            stop_words: self.min_stop_words.unwrap_or(preset.stop_words),
        }
    }

    fn words(&self) -> Segmentation {
        self.words.unwrap_or(self.preset.words())
    }

    fn stop_words(&self) -> Vec<&str> {
        match &self.stop_words {
            Some(own) => own.iter().map(String::as_str).collect(),
            None => self.preset.stop_words().to_vec(),
        }
    }
}

impl Options for GopherQualityConfig {
    const NAME: &'static str = "gopher-quality";

    fn only_buckets(&self) -> &[String] {
        &self.only_buckets
    }

    fn except_buckets(&self) -> &[String] {
        &self.except_buckets
    }

    fn check(&self) -> Result<(), SpecError> {
        in_range::<Self>("min-mean-word-length", self.min_mean_word_length, 0.0, 1e6)?;
        in_range::<Self>("max-mean-word-length", self.max_mean_word_length, 0.0, 1e6)?;
        in_range::<Self>("max-hash-ratio", self.max_hash_ratio, 0.0, 1e6)?;
        in_range::<Self>("max-ellipsis-ratio", self.max_ellipsis_ratio, 0.0, 1e6)?;
        in_range::<Self>("max-bullet-lines", self.max_bullet_lines, 0.0, 1.0)?;
        in_range::<Self>("max-ellipsis-lines", self.max_ellipsis_lines, 0.0, 1.0)?;
        in_range::<Self>("min-alpha-words", self.min_alpha_words, 0.0, 1.0)?;
        let limits = self.limits();
        let on = |limit: f64| (limit != 0.0).then_some(limit);
        let [min_words, max_words] = limits.words.map(|count| on(count as f64));
        in_order::<Self>(("min-words", min_words), ("max-words", max_words))?;
        let [min_mean, max_mean] = limits.mean_word_length.map(on);
        in_order::<Self>(("min-mean-word-length", min_mean), ("max-mean-word-length", max_mean))?;
        let listed = StopWords::new(&self.stop_words()).len();
        match self.preset {
            // Any number of occurrences of one word can be asked for.
            QualityPreset::GopherDclm if listed > 0 => Ok(()),
            _ => in_range::<Self>("min-stop-words", Some(limits.stop_words as f64), 0.0, listed as f64),
        }
    }

    fn build(&self) -> Box<dyn Filter> {
        Box::new(GopherQuality {
            limits: self.limits(),
            stop_words: StopWords::new(&self.stop_words()),
            words: self.words(),
            dclm: self.preset == QualityPreset::GopherDclm,
        })
    }

    fn rules(&self) -> Vec<Rule> {
        // DCLM's rules are in another order and over other counts: nothing is said about them.
        if self.preset == QualityPreset::GopherDclm {
            return Vec::new();
        }
        let Limits { words, mean_word_length, hashes, ellipses, bullet_lines, ellipsis_lines, alpha_words, stop_words } = self.limits();
        let on = |limit: f64| Some(limit).filter(|limit| *limit != 0.0);
        let (words, mean, length) = (words.map(|count| on(count as f64)), mean_word_length.map(on), "quality/mean-word-length");
        // A text without words has no mean; it is stored as 0.
        let mean_rule = |option, sign, limit| Rule { zero_passes: true, ..Rule::share(option, "mean-word-length", length, sign, limit) };
        vec![
            Rule::exact("min-words", "content-words", "quality/content-words", Sign::Below, words[0]),
            Rule::exact("max-words", "content-words", "quality/content-words", Sign::Above, words[1]),
            mean_rule("min-mean-word-length", Sign::Below, mean[0]),
            mean_rule("max-mean-word-length", Sign::Above, mean[1]),
            Rule::share("max-hash-ratio", "hash-ratio", "quality/hash-ratio", Sign::Above, on(hashes)),
            Rule::share("max-ellipsis-ratio", "ellipsis-ratio", "quality/ellipsis-ratio", Sign::Above, on(ellipses)),
            Rule::share("max-bullet-lines", "bullet-lines", "quality/bullet-lines", Sign::Above, on(bullet_lines)),
            Rule::share("max-ellipsis-lines", "ellipsis-lines", "quality/ellipsis-lines", Sign::Above, on(ellipsis_lines)),
            Rule::share("min-alpha-words", "alpha-words", "quality/alpha-words", Sign::Below, on(alpha_words)),
            Rule::exact("min-stop-words", "stop-words", "quality/stop-words", Sign::Below, on(stop_words as f64)),
        ]
    }

    fn effect(&self) -> Effect {
        Effect { drops: self.preset == QualityPreset::GopherDclm, rewrites: false }
    }
}
