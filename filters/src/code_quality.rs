//! `code-quality`: source code that people wrote, by the shape of its lines and characters.

mod encoded;
mod shape;
mod visible;

use corpora::Document;
use serde::{Deserialize, Serialize};

use self::shape::{Shape, is_generated};
use self::visible::visible_chars;
use crate::judge::Judge;
use crate::metrics::ratio;
use crate::rules::{Effect, Rule};
use crate::spec::{Options, SpecError, in_range};
use crate::{Filter, Metrics, Reason, Sign, Verdict};

/// A set of limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CodePreset {
    /// RedPajama's limits for GitHub.
    #[default]
    Redpajama,
    /// StarCoder's and The Stack v2's limits.
    Starcoder,
}

/// Languages whose lines may be long in StarCoder's or The Stack v2's preparation: a line is a paragraph, a table or a
/// string there.
const LONG_LINES: [&str; 19] = [
    "assembly",
    "bluespec",
    "cmake",
    "html",
    "json",
    "markdown",
    "mathematica",
    "matlab",
    "r",
    "restructuredtext",
    "rmarkdown",
    "roff",
    "roff manpage",
    "smt",
    "sql",
    "stata",
    "tex",
    "text",
    "xml",
];

/// What a file with too long lines is dropped for, first of all.
const LINE_REASONS: [&str; 2] = ["code/max-line-length", "code/mean-line-length"];

/// Limits of all rules; a limit of zero switches its rule off.
#[derive(Clone, Debug, PartialEq)]
struct Limits {
    /// Longest line and mean, in most languages and in [`LONG_LINES`].
    lines: [f64; 2],
    long_lines: [f64; 2],
    alnum: f64,
    alpha: f64,
    alpha_per_piece: f64,
    encoded: f64,
    encoded_run: f64,
    visible: f64,
    visible_chars: f64,
    data_chars: [f64; 2],
    data_alpha: f64,
    generated: bool,
    xml: bool,
}

impl Limits {
    /// Whether something besides the limits that all languages have can drop a document.
    fn drops_otherwise(&self) -> bool {
        let of_languages = [self.visible, self.visible_chars, self.data_chars[0], self.data_chars[1], self.data_alpha];
        self.generated || self.xml || self.lines != self.long_lines || of_languages != [0.0; 5]
    }
}

impl CodePreset {
    const fn limits(self) -> Limits {
        let off = Limits {
            lines: [1000.0, 100.0],
            long_lines: [1000.0, 100.0],
            alnum: 0.0,
            alpha: 0.0,
            alpha_per_piece: 0.0,
            encoded: 0.0,
            encoded_run: 0.0,
            visible: 0.0,
            visible_chars: 0.0,
            data_chars: [0.0, 0.0],
            data_alpha: 0.0,
            generated: false,
            xml: false,
        };
        match self {
            Self::Redpajama => Limits { alnum: 0.25, alpha_per_piece: 1.5, ..off },
            Self::Starcoder => Limits {
                long_lines: [100_000.0, 0.0],
                alpha: 0.25,
                encoded: 0.5,
                encoded_run: 1024.0,
                // More than a fifth and more than 100 characters.
                visible: 0.2_f64.next_up(),
                visible_chars: 101.0,
                data_chars: [50.0, 5000.0],
                data_alpha: 0.5,
                generated: true,
                xml: true,
                ..off
            },
        }
    }
}

/// Options of `code-quality`. Every limit takes its default from the preset, and switches its rule
/// off when it is 0.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct CodeQualityConfig {
    /// Where the limits come from. Default: `redpajama`.
    pub preset: CodePreset,
    /// Most characters of a line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_line_length: Option<f64>,
    /// Most characters of a line on average.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_mean_line_length: Option<f64>,
    /// Smallest share of letters and digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_alnum_chars: Option<f64>,
    /// Smallest share of letters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_alpha_chars: Option<f64>,
    /// Fewest letters for each piece.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_alpha_per_piece: Option<f64>,
    /// Largest share of characters in encoded data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_encoded_chars: Option<f64>,
    /// Most characters of one run of encoded data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_encoded_run: Option<f64>,
    /// HTML: smallest share of visible text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_visible_text: Option<f64>,
    /// HTML: fewest characters of visible text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_visible_chars: Option<f64>,
    /// JSON and YAML: fewest characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_data_chars: Option<f64>,
    /// JSON and YAML: most characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_data_chars: Option<f64>,
    /// JSON and YAML: smallest share of letters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_data_alpha_chars: Option<f64>,
    /// Drop files that say in their first lines that a program wrote them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generated: Option<bool>,
    /// Drop XML under the name of another language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub xml: Option<bool>,
    /// Apply to these buckets alone. Default: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub only_buckets: Vec<String>,
    /// Do not apply to these buckets. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub except_buckets: Vec<String>,
}

impl CodeQualityConfig {
    /// Whether a metric alone does not tell if lines are too long.
    fn has_lines_by_language(&self) -> bool {
        let limits = self.limits();
        limits.lines != limits.long_lines
    }

    fn limits(&self) -> Limits {
        let preset = self.preset.limits();
        // A limit of one's own is for all languages.
        let own_lines = |[longest, mean]: [f64; 2]| [self.max_line_length.unwrap_or(longest), self.max_mean_line_length.unwrap_or(mean)];
        Limits {
            lines: own_lines(preset.lines),
            long_lines: own_lines(preset.long_lines),
            alnum: self.min_alnum_chars.unwrap_or(preset.alnum),
            alpha: self.min_alpha_chars.unwrap_or(preset.alpha),
            alpha_per_piece: self.min_alpha_per_piece.unwrap_or(preset.alpha_per_piece),
            encoded: self.max_encoded_chars.unwrap_or(preset.encoded),
            encoded_run: self.max_encoded_run.unwrap_or(preset.encoded_run),
            visible: self.min_visible_text.unwrap_or(preset.visible),
            visible_chars: self.min_visible_chars.unwrap_or(preset.visible_chars),
            data_chars: [self.min_data_chars.unwrap_or(preset.data_chars[0]), self.max_data_chars.unwrap_or(preset.data_chars[1])],
            data_alpha: self.min_data_alpha_chars.unwrap_or(preset.data_alpha),
            generated: self.generated.unwrap_or(preset.generated),
            xml: self.xml.unwrap_or(preset.xml),
        }
    }
}

impl Options for CodeQualityConfig {
    const NAME: &'static str = "code-quality";

    fn only_buckets(&self) -> &[String] {
        &self.only_buckets
    }

    fn except_buckets(&self) -> &[String] {
        &self.except_buckets
    }

    fn check(&self) -> Result<(), SpecError> {
        for (key, value) in [
            ("min-alnum-chars", self.min_alnum_chars),
            ("min-alpha-chars", self.min_alpha_chars),
            ("max-encoded-chars", self.max_encoded_chars),
            ("min-visible-text", self.min_visible_text),
            ("min-data-alpha-chars", self.min_data_alpha_chars),
        ] {
            in_range::<Self>(key, value, 0.0, 1.0)?;
        }
        for (key, value) in [
            ("max-line-length", self.max_line_length),
            ("max-mean-line-length", self.max_mean_line_length),
            ("min-alpha-per-piece", self.min_alpha_per_piece),
            ("max-encoded-run", self.max_encoded_run),
            ("min-visible-chars", self.min_visible_chars),
            ("min-data-chars", self.min_data_chars),
            ("max-data-chars", self.max_data_chars),
        ] {
            in_range::<Self>(key, value, 0.0, 1e9)?;
        }
        let [low, high] = self.limits().data_chars.map(|limit| (limit != 0.0).then_some(limit));
        crate::spec::in_order::<Self>(("min-data-chars", low), ("max-data-chars", high))
    }

    fn rules(&self) -> Vec<Rule> {
        // What depends on the language, or is no limit, comes after these and is not told by a metric.
        let Limits { lines: [max_line, mean_line], alnum, alpha, alpha_per_piece, encoded, encoded_run, .. } = self.limits();
        let on = |limit: f64| Some(limit).filter(|limit| *limit != 0.0);
        let lines = [
            Rule::exact("max-line-length", "max-line-length", LINE_REASONS[0], Sign::Above, on(max_line)),
            Rule::share("max-mean-line-length", "mean-line-length", LINE_REASONS[1], Sign::Above, on(mean_line)),
        ];
        let others = [
            Rule::share("min-alnum-chars", "alnum-chars", "code/alnum-chars", Sign::Below, on(alnum)),
            Rule::share("min-alpha-chars", "alpha-chars", "code/alpha-chars", Sign::Below, on(alpha)),
            Rule::share("min-alpha-per-piece", "alpha-per-piece", "code/alpha-per-piece", Sign::Below, on(alpha_per_piece)),
            Rule::share("max-encoded-chars", "encoded-chars", "code/encoded-chars", Sign::Above, on(encoded)),
            Rule::exact("max-encoded-run", "encoded-run", "code/encoded-run", Sign::Above, on(encoded_run)),
        ];
        if self.has_lines_by_language() { others.into() } else { lines.into_iter().chain(others).collect() }
    }

    fn effect(&self) -> Effect {
        Effect { drops: self.limits().drops_otherwise(), rewrites: false }
    }

    fn reasons_first(&self) -> Option<&'static [&'static str]> {
        Some(if self.has_lines_by_language() { &LINE_REASONS } else { &[] })
    }

    fn build(&self) -> Box<dyn Filter> {
        Box::new(CodeQuality { limits: self.limits() })
    }
}

struct CodeQuality {
    limits: Limits,
}

impl Filter for CodeQuality {
    fn name(&self) -> &'static str {
        CodeQualityConfig::NAME
    }

    fn metric_names(&self) -> Vec<&'static str> {
        vec![
            "max-line-length",
            "mean-line-length",
            "alnum-chars",
            "alpha-chars",
            "alpha-per-piece",
            "encoded-chars",
            "encoded-run",
            "visible-text",
            "generated",
        ]
    }

    fn apply(&self, document: &mut Document, metrics: &mut Metrics) -> Verdict {
        let text = document.text.as_str();
        let lines = metrics.lines(text);
        let shape = Shape::of(text, &lines);
        let language = document.lang.as_deref().unwrap_or("");
        let is = |names: &[&str]| names.iter().any(|name| language.eq_ignore_ascii_case(name));
        let visible = if is(&["html"]) { visible_chars(text) } else { shape.chars };
        let generated = is_generated(&lines, text);
        let limits = &self.limits;

        let [longest, mean] = if is(&LONG_LINES) { limits.long_lines } else { limits.lines };

        let mut judge = Judge::new(metrics);
        let length = judge.measure("max-line-length", shape.longest_line as f64);
        judge.at_most(LINE_REASONS[0], length, longest);
        let length = judge.measure("mean-line-length", ratio(shape.line_chars, lines.len()));
        judge.at_most(LINE_REASONS[1], length, mean);
        let share = judge.measure("alnum-chars", ratio(shape.alnum, shape.chars));
        judge.at_least("code/alnum-chars", share, limits.alnum);
        let alpha = judge.measure("alpha-chars", ratio(shape.alpha, shape.chars));
        judge.at_least("code/alpha-chars", alpha, limits.alpha);
        let per_piece = judge.measure("alpha-per-piece", ratio(shape.alpha, shape.pieces));
        judge.at_least("code/alpha-per-piece", per_piece, limits.alpha_per_piece);
        let share = judge.measure("encoded-chars", ratio(shape.encoded, shape.chars));
        judge.at_most("code/encoded-chars", share, limits.encoded);
        let run = judge.measure("encoded-run", shape.longest_encoded as f64);
        judge.at_most("code/encoded-run", run, limits.encoded_run);
        let share = judge.measure("visible-text", ratio(visible, shape.chars));
        if is(&["html"]) {
            judge.at_least("code/visible-text", share, limits.visible);
            judge.at_least("code/visible-chars", visible as f64, limits.visible_chars);
        }
        if is(&["json", "yaml"]) {
            judge.at_least("code/data-chars", shape.chars as f64, limits.data_chars[0]);
            judge.at_most("code/data-chars", shape.chars as f64, limits.data_chars[1]);
            judge.at_least("code/data-alpha-chars", alpha, limits.data_alpha);
        }
        judge.measure("generated", f64::from(u8::from(generated.is_some())));
        if let (true, Some(sign)) = (limits.generated, generated) {
            judge.fail(|| Reason::above("code/generated", 1.0, 0.0).with_detail(sign));
        }
        let head = text.char_indices().nth(100).map_or(text, |(end, _)| &text[..end]);
        if limits.xml && head.contains("<?xml version=") && !is(&["xml", "xslt", "svg"]) {
            judge.fail(|| Reason::above("code/xml", 1.0, 0.0));
        }
        judge.verdict
    }
}

#[cfg(test)]
mod tests;
