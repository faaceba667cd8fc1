//! The recipe's `[tokenizer]`: train one, load one, or use bytes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::bytes::Bytes;
use super::engine::{KNOWN, Rules};
use super::spm::SentencePieceConfig;

/// The recipe's `[tokenizer]`. Exactly one of `train`, `sentencepiece`, `load` and `bytes` is given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Table", rename_all = "kebab-case")]
pub struct TokenizerConfig {
    /// Train one on the run's own text. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train: Option<TrainConfig>,
    /// Train a SentencePiece model on the run's own text. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sentencepiece: Option<SentencePieceConfig>,
    /// Load a tokenizer.json, tekken.json, `.tiktoken`, `.gguf` or SentencePiece model. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load: Option<PathBuf>,
    /// Use the bytes of UTF-8 as ids. Default false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub bytes: bool,
    /// Name of the token that ends a document; one of `special-tokens` where a tokenizer is
    /// trained. Default: the first of them, or the usual names in a loaded file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eos: Option<String>,
}

/// Where the tokenizer comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TokenizerSource<'a> {
    /// Trained with these settings.
    Train(&'a TrainConfig),
    /// A SentencePiece model, trained with these settings.
    SentencePiece(&'a SentencePieceConfig),
    /// Read from this file.
    Load(&'a Path),
    /// Plain bytes.
    Bytes,
}

impl TokenizerConfig {
    /// A configuration that trains.
    pub fn train(train: TrainConfig) -> Self {
        Self { train: Some(train), sentencepiece: None, load: None, bytes: false, eos: None }
    }

    /// A configuration that loads `path`.
    pub fn load(path: impl Into<PathBuf>) -> Self {
        Self { train: None, sentencepiece: None, load: Some(path.into()), bytes: false, eos: None }
    }

    /// The byte tokenizer.
    pub fn bytes() -> Self {
        Self { train: None, sentencepiece: None, load: None, bytes: true, eos: None }
    }

    /// Checks what can be known before any text or file is read; the message names the option.
    pub fn check(&self) -> Result<(), crate::Error> {
        let eos = self.eos.as_deref();
        match self.source() {
            TokenizerSource::Train(train) => super::train::check(train, eos),
            TokenizerSource::SentencePiece(config) => config.check(),
            TokenizerSource::Load(_) => Ok(()),
            TokenizerSource::Bytes => Bytes::with_eos(eos).map(drop),
        }
    }

    /// The one source that is given; `train` before `sentencepiece` before `load` before `bytes` where the
    /// fields were set by hand to more than one.
    pub fn source(&self) -> TokenizerSource<'_> {
        match (&self.train, &self.sentencepiece, &self.load) {
            (Some(train), ..) => TokenizerSource::Train(train),
            (None, Some(config), _) => TokenizerSource::SentencePiece(config),
            (None, None, Some(path)) => TokenizerSource::Load(path),
            (None, None, None) => TokenizerSource::Bytes,
        }
    }
}

/// The table as written, before it is known to name one source.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Table {
    train: Option<TrainConfig>,
    sentencepiece: Option<SentencePieceConfig>,
    load: Option<PathBuf>,
    #[serde(default)]
    bytes: bool,
    eos: Option<String>,
}

impl TryFrom<Table> for TokenizerConfig {
    type Error = String;

    fn try_from(table: Table) -> Result<Self, String> {
        let mut given = Vec::new();
        if table.train.is_some() {
            given.push("`train`");
        }
        if table.sentencepiece.is_some() {
            given.push("`sentencepiece`");
        }
        if table.load.is_some() {
            given.push("`load`");
        }
        if table.bytes {
            given.push("`bytes = true`");
        }
        if given.len() != 1 {
            let found = if given.is_empty() { "none".to_owned() } else { given.join(" and ") };
            return Err(format!("give exactly one of `train`, `sentencepiece`, `load` and `bytes = true`; found {found}"));
        }
        Ok(Self { train: table.train, sentencepiece: table.sentencepiece, load: table.load, bytes: table.bytes, eos: table.eos })
    }
}

/// The kind of model to train.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrainModel {
    /// Byte-level byte-pair encoding.
    #[default]
    Bpe,
}

/// How text is split into words that merges stay inside of, named after a model that splits so. Every
/// engine that knows that model (llama.cpp, vLLM and others) also splits as a tokenizer trained here.
///
/// In all of them a word is a run of letters with the one space or mark before it, so an eojeol keeps
/// its leading space and its particles, and `ㅋㅋㅋ` is a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pattern {
    /// Only a space may begin a word, digits stay together, runs of white space are one word.
    Gpt2,
    /// Digits stand alone.
    #[default]
    Qwen2,
    /// Up to three digits together; also the pattern of cl100k.
    Llama3,
    /// As Qwen2, with combining marks in words.
    #[serde(rename = "qwen3.5")]
    Qwen3_5,
    /// Words are also split where lower case turns into upper case; up to three digits together.
    O200k,
    /// As o200k, with digits alone and no English contractions.
    Tekken,
}

impl Pattern {
    /// The regular expression, as a tokenizer.json has it.
    pub fn regex(self) -> &'static str {
        KNOWN[self as usize].0
    }

    pub(crate) fn rules(self) -> Rules {
        KNOWN[self as usize].1
    }
}

/// `[tokenizer] train`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct TrainConfig {
    /// Default `bpe`.
    pub model: TrainModel,
    /// Ids in all: special tokens, 256 bytes, merges. Default 32000.
    pub vocab_size: u32,
    /// Share of the characters of the training text, by number of occurrences and commonest
    /// first, that merges are learnt on. The rest, rare and odd characters, are left to their
    /// bytes, so that no id is spent on them; every text can still be encoded. 1 uses all
    /// characters. Default 0.9995.
    pub character_coverage: f64,
    /// Share of the merges by bucket, above 0 and 1 in sum. A bucket has its turn when it is furthest
    /// behind its share; its commonest pair is then merged in all buckets. Default: none, and all text
    /// is one: the larger bucket gets the more tokens.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub shares: BTreeMap<String, f64>,
    /// A merge must occur this often in the training text, of its bucket where there are `shares`.
    /// Default 2.
    pub min_frequency: u64,
    /// Tokens that text never becomes, with the ids 0, 1, …; the first one ends documents unless
    /// `eos` names another. Default `["<|endoftext|>"]`.
    pub special_tokens: Vec<String>,
    /// How text is split into words: `gpt2`, `qwen2`, `llama3`, `qwen3.5`, `o200k` or `tekken`.
    /// Default `qwen2`.
    pub pattern: Pattern,
    /// Longest token that merges make, in bytes of UTF-8. Default: any length.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_token_bytes: Option<u32>,
    /// Train on the first so many UTF-8 bytes of the text. Default 268,435,456.
    pub sample_bytes: u64,
    /// Memory for counting different words, in bytes; counts beyond it are kept on disk while text is
    /// read. The merges then take about 20 bytes for each byte of different words, whatever this says; the result
    /// does not depend on it. Default 1,073,741,824.
    pub memory_bytes: u64,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            model: TrainModel::Bpe,
            vocab_size: 32_000,
            character_coverage: 0.9995,
            shares: BTreeMap::new(),
            min_frequency: 2,
            special_tokens: vec!["<|endoftext|>".to_owned()],
            pattern: Pattern::default(),
            max_token_bytes: None,
            sample_bytes: 256 << 20,
            memory_bytes: 1 << 30,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_each_source() {
        let read = |text: &str| toml::from_str::<TokenizerConfig>(text);
        let config = read("train = { vocab-size = 500, character-coverage = 0.99 }").unwrap();
        let TokenizerSource::Train(train) = config.source() else {
            panic!("not train");
        };
        assert_eq!((train.vocab_size, train.character_coverage), (500, 0.99));
        assert_eq!(train.special_tokens, ["<|endoftext|>"]);
        assert_eq!(toml::from_str::<TokenizerConfig>(&toml::to_string(&config).unwrap()), Ok(config));
        let config = read("load = \"a.json\"\neos = \"</s>\"").unwrap();
        assert_eq!(config.source(), TokenizerSource::Load(Path::new("a.json")));
        assert_eq!(read("bytes = true").unwrap().source(), TokenizerSource::Bytes);
    }

    #[test]
    fn patterns_have_the_rules_of_their_name() {
        let digits = |pattern: Pattern| pattern.rules().digits;
        assert_eq!([Pattern::Qwen2, Pattern::Llama3, Pattern::Qwen3_5, Pattern::O200k, Pattern::Tekken].map(digits), [1, 3, 1, 3, 1]);
        assert!(Pattern::Gpt2.regex().starts_with("'s|'t|"));
        assert!(Pattern::Qwen3_5.regex().contains(r"\p{L}\p{M}") && !Pattern::Qwen2.regex().contains(r"\p{M}"));
        assert!(Pattern::O200k.regex().contains("'ll") && !Pattern::Tekken.regex().contains("'ll"));
        let config: TrainConfig = toml::from_str("pattern = \"qwen3.5\"").unwrap();
        assert_eq!(config.pattern, Pattern::Qwen3_5);
    }

    #[test]
    fn refuses_none_two_and_unknown() {
        let cases = [
            ("", "found none"),
            ("bytes = false", "found none"),
            ("bytes = true\nload = \"a\"", "`load` and `bytes = true`"),
            ("lod = \"a\"", "unknown field `lod`"),
            ("train = { vocab = 3 }", "unknown field `vocab`"),
            ("train = { model = \"unigram\" }", "expected `bpe`"),
        ];
        for (text, message) in cases {
            let error = toml::from_str::<TokenizerConfig>(text).unwrap_err().to_string();
            assert!(error.contains(message), "{text}: {error}");
        }
    }

    #[test]
    fn an_end_token_that_cannot_be_is_refused_before_any_text_is_read() {
        let check = |text: &str| toml::from_str::<TokenizerConfig>(text).unwrap().check().map_err(|error| error.to_string());
        let refused = check("eos = \"</s>\"\ntrain = { special-tokens = [\"<|a|>\", \"<|b|>\"] }").unwrap_err();
        assert!(refused.contains("`</s>`") && refused.ends_with("<|a|> <|b|>"), "{refused}");
        assert_eq!(check("eos = \"<|b|>\"\ntrain = { special-tokens = [\"<|a|>\", \"<|b|>\"] }"), Ok(()));
        let refused = check("eos = \"</s>\"\nbytes = true").unwrap_err();
        assert!(refused.contains("`</s>`") && refused.ends_with("<|endoftext|>"), "{refused}");
        assert_eq!(check("eos = \"<|endoftext|>\"\nbytes = true"), Ok(()));
        assert_eq!(check("eos = \"</s>\"\nload = \"not-read-here.json\""), Ok(()));
    }
}
