//! Which language a response is in, as far as it can be told without a model for every language.

use std::sync::LazyLock;

use corpora::Document;
use filters::{Chain, FilterSpec, LanguageConfig};

/// A language that a response can be held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    /// English, for the instructions about capitals.
    English,
    /// One that the language filter tells by its script or its letters.
    Known(&'static str),
    /// One of a script: languages that share it, such as Hindi and Marathi, are not told apart.
    Script(char, char),
}

/// What the language filter tells.
const KNOWN: [&str; 8] = ["ko", "ja", "zh", "en", "de", "es", "fr", "vi"];
/// Codes and the range of their script's letters.
const SCRIPTS: [(&[&str], char, char); 14] = [
    (&["hi", "mr", "ne"], '\u{900}', '\u{97f}'),
    (&["bn"], '\u{980}', '\u{9ff}'),
    (&["pa"], '\u{a00}', '\u{a7f}'),
    (&["gu"], '\u{a80}', '\u{aff}'),
    (&["ta"], '\u{b80}', '\u{bff}'),
    (&["te"], '\u{c00}', '\u{c7f}'),
    (&["kn"], '\u{c80}', '\u{cff}'),
    (&["ml"], '\u{d00}', '\u{d7f}'),
    (&["th"], '\u{e00}', '\u{e7f}'),
    (&["ar", "fa", "ur"], '\u{600}', '\u{6ff}'),
    (&["ru", "bg", "uk", "mk"], '\u{400}', '\u{4ff}'),
    (&["he"], '\u{590}', '\u{5ff}'),
    (&["el"], '\u{370}', '\u{3ff}'),
    (&["ka"], '\u{10a0}', '\u{10ff}'),
];

/// Keeps everything; what is wanted is the language that it writes into the document.
static CHAIN: LazyLock<Option<Chain>> = LazyLock::new(|| {
    let config = LanguageConfig { keep: KNOWN.map(str::to_owned).to_vec(), min_confidence: 0.0, ..LanguageConfig::default() };
    Chain::new(&[FilterSpec::Language(config)]).ok()
});

impl Language {
    /// The language of an ISO 639-1 code.
    pub(super) fn new(code: &str) -> Result<Self, String> {
        let code = code.to_lowercase();
        let code = code.split('-').next().unwrap_or_default();
        if let Some(known) = KNOWN.iter().find(|known| **known == code) {
            return Ok(Self::Known(known));
        }
        let script = SCRIPTS.iter().find(|(codes, ..)| codes.contains(&code));
        script.map(|&(_, first, last)| Self::Script(first, last)).ok_or_else(|| format!("the language `{code}` cannot be told"))
    }

    /// Whether a text is in it. One without letters is in any, as in the reference.
    pub(super) fn is_of(self, text: &str) -> bool {
        let letters = || text.chars().filter(|c| c.is_alphabetic());
        if letters().next().is_none() {
            return true;
        }
        match self {
            Self::English => told(text).as_deref() == Some("en"),
            Self::Known(code) => told(text).as_deref() == Some(code),
            Self::Script(first, last) => 2 * letters().filter(|c| (first..=last).contains(c)).count() > letters().count(),
        }
    }
}

fn told(text: &str) -> Option<String> {
    // Capitals say nothing of the language.
    let mut document = Document::new("", text.to_lowercase(), "eval", "eval");
    CHAIN.as_ref()?.apply(&mut document);
    document.lang
}
