//! The recipe's `[dedup]`.

mod bytes;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use xxhash_rust::xxh3::xxh3_64;

pub use bytes::ByteSize;

/// Raised when signatures or decisions of the same settings would differ from before.
const CODE_VERSION: u32 = 6;

/// How duplicates are found and which of them stays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct DedupConfig {
    /// Remove documents whose normalised text (NFC, lower case, white space collapsed) is the same.
    /// Default true.
    pub exact: bool,
    /// Remove near duplicates by MinHash. Default: not looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minhash: Option<MinHashConfig>,
    /// Remove near duplicates by SimHash. Default: not looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub simhash: Option<SimHashConfig>,
    /// Remove documents of the same normalised address, whatever their texts. Default false.
    pub url: bool,
    /// Remove lines or paragraphs that stand in many documents. Default: not looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<LinesConfig>,
    /// Remove passages that stand in another document too. Default: not looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub substrings: Option<SubstringsConfig>,
    /// Run folders whose documents are there already: what is like one of them is a duplicate.
    /// Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub against: Vec<String>,
    /// Memory of the shuffle in bytes, as a number or text such as `"4GiB"`. Default 1 GiB.
    pub memory: ByteSize,
    /// Metric of a filter; among documents of equal priority the one with the higher value stays. A
    /// document without it (the filter leaves its bucket alone) comes last. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefer: Option<String>,
    /// Whether documents of different buckets can be duplicates of each other. Default true.
    pub across_buckets: bool,
}

/// MinHash with locality-sensitive hashing: documents whose sets of shingles overlap.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct MinHashConfig {
    /// Words (or characters) in a shingle, 1 to 256. Default 5.
    pub ngram: usize,
    /// What a shingle is made of. Default `char`.
    pub shingle: Shingle,
    /// Bands of the signature, 1 to 256; documents meet that agree in one whole band. Default 14.
    pub bands: usize,
    /// Values in a band, 1 to 64. Default 8.
    pub rows: usize,
    /// Documents that met are linked if the share of equal values, an estimate of the Jaccard
    /// similarity of their shingle sets, reaches this; 0 links all that met. Default 0.8.
    pub threshold: f64,
    /// Documents that met are linked if the Jaccard similarity itself reaches this, counted over their texts; `threshold`
    /// has no say then. Default: estimates decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verify: Option<f64>,
    /// Seed of the hashes. Default 1.
    pub seed: u64,
}

/// The unit of MinHash shingles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shingle {
    /// A character of the normalised text, the single spaces included.
    #[default]
    Char,
    /// What stands between white space of the normalised text; in Korean an eojeol (어절).
    Word,
}

/// SimHash: documents whose 64-bit fingerprints differ in few bits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct SimHashConfig {
    /// Characters in a shingle, 1 to 256. Default 6.
    pub ngram: usize,
    /// Most differing bits, 0 to 6. Default 3.
    pub max_distance: u32,
}

/// Lines that stand in many documents: menus, footers, boilerplate. Conversations lose none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct LinesConfig {
    /// What is counted and removed. Default `line`.
    pub unit: LineUnit,
    /// A line that stands in more documents of its bucket stays in the best of them alone; 0 leaves
    /// all lines. Default 50.
    pub max_documents: u64,
    /// Lines of fewer characters are left alone. Default 10.
    pub min_chars: usize,
    /// `max-documents` of single buckets, by name. Default: none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub buckets: BTreeMap<String, u64>,
}

/// What [`LinesConfig`] counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LineUnit {
    /// A line.
    #[default]
    Line,
    /// Lines up to the next blank one.
    Paragraph,
}

/// Passages that stand twice, word by word. Conversations lose none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct SubstringsConfig {
    /// Words in a row that must be the same, byte by byte; 0 leaves all texts alone. A word is what
    /// stands between white space (in Korean an eojeol), or a character of Chinese or Japanese, of which
    /// a token can hold several. Default 50.
    pub min_words: usize,
    /// What is never cut in two. Default `word`.
    pub snap: Snap,
    /// `min-words` of single buckets, by name. Buckets with different numbers are not compared with each
    /// other. Default: none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub buckets: BTreeMap<String, usize>,
}

/// What [`SubstringsConfig`] removes whole or not at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Snap {
    /// A word.
    #[default]
    Word,
    /// A line.
    Line,
}

impl Default for SubstringsConfig {
    fn default() -> Self {
        Self { min_words: 50, snap: Snap::Word, buckets: BTreeMap::new() }
    }
}

impl Default for LinesConfig {
    fn default() -> Self {
        Self { unit: LineUnit::Line, max_documents: 50, min_chars: 10, buckets: BTreeMap::new() }
    }
}

impl Default for DedupConfig {
    fn default() -> Self {
        Self {
            exact: true,
            minhash: None,
            simhash: None,
            url: false,
            lines: None,
            substrings: None,
            against: Vec::new(),
            memory: ByteSize(1 << 30),
            prefer: None,
            across_buckets: true,
        }
    }
}

impl Default for MinHashConfig {
    fn default() -> Self {
        Self { ngram: 5, shingle: Shingle::Char, bands: 14, rows: 8, threshold: 0.8, verify: None, seed: 1 }
    }
}

impl Default for SimHashConfig {
    fn default() -> Self {
        Self { ngram: 6, max_distance: 3 }
    }
}

/// Settings that parse but make no sense.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A number outside its range.
    #[error("`{key}` is {value}, allowed is {low} to {high}")]
    OutOfRange {
        /// Path of the key under `[dedup]`.
        key: &'static str,
        /// Its value.
        value: f64,
        /// Smallest allowed value.
        low: f64,
        /// Largest allowed value.
        high: f64,
    },
    /// A name that is empty.
    #[error("`prefer` is empty: name a metric, or leave it out")]
    EmptyPrefer,
    /// A path that is empty.
    #[error("`against` has an empty path: name run folders, or leave it out")]
    EmptyAgainst,
}

impl DedupConfig {
    /// Checks every number against its range. Nothing switched on is allowed: nothing is removed.
    ///
    /// # Errors
    /// The first key outside its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let range = |key, value: f64, low: f64, high: f64| {
            if (low..=high).contains(&value) { Ok(()) } else { Err(ConfigError::OutOfRange { key, value, low, high }) }
        };
        if let Some(minhash) = &self.minhash {
            range("minhash.ngram", minhash.ngram as f64, 1.0, 256.0)?;
            range("minhash.bands", minhash.bands as f64, 1.0, 256.0)?;
            range("minhash.rows", minhash.rows as f64, 1.0, 64.0)?;
            range("minhash.threshold", minhash.threshold, 0.0, 1.0)?;
            range("minhash.verify", minhash.verify.unwrap_or(1.0), 0.1, 1.0)?;
        }
        if let Some(simhash) = &self.simhash {
            range("simhash.ngram", simhash.ngram as f64, 1.0, 256.0)?;
            range("simhash.max-distance", f64::from(simhash.max_distance), 0.0, 6.0)?;
        }
        if let Some(lines) = &self.lines {
            range("lines.min-chars", lines.min_chars as f64, 1.0, 10_000.0)?;
            for documents in lines.buckets.values().chain([&lines.max_documents]) {
                range("lines.max-documents", *documents as f64, 0.0, 1e6)?;
            }
        }
        if let Some(substrings) = &self.substrings {
            // Fewer words stand twice by chance, and their anchors are as many as they.
            for words in substrings.buckets.values().chain([&substrings.min_words]).filter(|words| **words > 0) {
                range("substrings.min-words", *words as f64, 4.0, 10_000.0)?;
            }
        }
        if self.against.iter().any(String::is_empty) {
            return Err(ConfigError::EmptyAgainst);
        }
        range("memory", self.memory.0 as f64, (1_u64 << 20) as f64, (1_u64 << 50) as f64)?;
        if self.prefer.as_ref().is_some_and(String::is_empty) { Err(ConfigError::EmptyPrefer) } else { Ok(()) }
    }

    /// What is switched on, for people: `exact`, `minhash`, `simhash`, `url`, `lines`, `substrings`, or `off`.
    #[must_use]
    pub fn methods(&self) -> Vec<&'static str> {
        let all = [
            ("exact", self.exact),
            ("minhash", self.minhash.is_some()),
            ("simhash", self.simhash.is_some()),
            ("url", self.url),
            ("lines", self.lines.is_some()),
            ("substrings", self.substrings.is_some()),
        ];
        let on: Vec<_> = all.into_iter().filter_map(|(name, on)| on.then_some(name)).collect();
        if on.is_empty() { vec!["off"] } else { on }
    }

    /// The settings that signature files depend on; the others can change without reading a text
    /// again.
    #[must_use]
    pub fn signature_settings(&self) -> Value {
        json!({
            "version": CODE_VERSION,
            "minhash": self.minhash.as_ref().map(|minhash| json!({
                "ngram": minhash.ngram,
                "shingle": minhash.shingle,
                "bands": minhash.bands,
                "rows": minhash.rows,
                "seed": minhash.seed,
            })),
            "simhash": self.simhash.as_ref().map(|simhash| json!({ "ngram": simhash.ngram })),
            "prefer": self.prefer,
        })
    }

    /// Fingerprint of [`Self::signature_settings`].
    pub(crate) fn signature_fingerprint(&self) -> u64 {
        xxh3_64(self.signature_settings().to_string().as_bytes())
    }

    /// Fingerprint of all settings that decide about documents.
    pub(crate) fn fingerprint(&self) -> u64 {
        let mut all = json!({
            "signatures": self.signature_settings(),
            "exact": self.exact,
            "url": self.url,
            "threshold": self.minhash.as_ref().map(|minhash| minhash.threshold),
            "max-distance": self.simhash.as_ref().map(|simhash| simhash.max_distance),
            "across-buckets": self.across_buckets,
        });
        // Said only where it is set: what was decided without it is as it was.
        if let Some(verify) = self.verify() {
            all["verify"] = json!(verify);
        }
        xxh3_64(all.to_string().as_bytes())
    }

    /// The true similarity that links documents, where it is counted.
    pub(crate) fn verify(&self) -> Option<f64> {
        self.minhash.as_ref().and_then(|minhash| minhash.verify)
    }

    /// MinHash values in a signature.
    pub(crate) fn minhash_values(&self) -> usize {
        self.minhash.as_ref().map_or(0, |minhash| minhash.bands.saturating_mul(minhash.rows))
    }

    /// Memory of one of the tasks that run side by side.
    pub(crate) fn share(&self) -> u64 {
        (self.memory.0 / super::TASKS).max(1 << 16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_the_documented_ones() {
        let config: DedupConfig = toml::from_str("minhash = {}\nsimhash = {}").unwrap();
        assert_eq!(
            config,
            DedupConfig { minhash: Some(MinHashConfig::default()), simhash: Some(SimHashConfig::default()), ..DedupConfig::default() }
        );
        assert!(config.exact && config.across_buckets);
        assert_eq!(config.minhash_values(), 112);
        assert_eq!(config.memory, ByteSize(1 << 30));
        assert_eq!(config.methods(), ["exact", "minhash", "simhash"]);
        assert_eq!(toml::from_str::<DedupConfig>("exact = false").unwrap().methods(), ["off"]);
        config.validate().unwrap();
        let again: DedupConfig = toml::from_str(&toml::to_string(&config).unwrap()).unwrap();
        assert_eq!(again, config);
    }

    #[test]
    fn unknown_keys_and_wild_numbers_are_refused() {
        for text in [
            "exakt = true",
            "minhash = { band = 1 }",
            "simhash = { distance = 3 }",
            "minhash = { shingle = \"eojeol\" }",
            "memory = \"lots\"",
        ] {
            assert!(toml::from_str::<DedupConfig>(text).is_err(), "{text}");
        }
        for (text, key) in [
            ("minhash = { bands = 0 }", "minhash.bands"),
            ("minhash = { rows = 65 }", "minhash.rows"),
            ("minhash = { ngram = 0 }", "minhash.ngram"),
            ("minhash = { threshold = 1.5 }", "minhash.threshold"),
            ("minhash = { threshold = nan }", "minhash.threshold"),
            ("minhash = { verify = 80 }", "minhash.verify"),
            ("simhash = { max-distance = 7 }", "simhash.max-distance"),
            ("simhash = { ngram = 0 }", "simhash.ngram"),
            ("memory = 5", "memory"),
            ("prefer = \"\"", "prefer"),
        ] {
            let error = toml::from_str::<DedupConfig>(text).unwrap().validate().unwrap_err();
            assert!(error.to_string().contains(key), "{text}: {error}");
        }
    }

    #[test]
    fn fingerprints_follow_what_they_are_of() {
        let base: DedupConfig = toml::from_str("minhash = {}").unwrap();
        let with = |text: &str| toml::from_str::<DedupConfig>(text).unwrap();
        let threshold = with("minhash = { threshold = 0.9 }");
        assert_eq!(base.signature_fingerprint(), threshold.signature_fingerprint());
        assert_ne!(base.fingerprint(), threshold.fingerprint());
        let verify = with("minhash = { verify = 0.8 }");
        assert_eq!(base.signature_fingerprint(), verify.signature_fingerprint());
        assert_ne!(base.fingerprint(), verify.fingerprint());
        assert_ne!(base.signature_fingerprint(), with("minhash = { seed = 2 }").signature_fingerprint());
        assert_ne!(base.fingerprint(), with("minhash = {}\nacross-buckets = false").fingerprint());
        assert_eq!(base.fingerprint(), with("minhash = {}\nmemory = \"2MiB\"").fingerprint());
    }
}
