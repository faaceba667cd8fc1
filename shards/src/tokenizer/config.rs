//! The recipe's `[tokenizer]`: train one, load one, or use bytes.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::bytes::Bytes;

/// The recipe's `[tokenizer]`. Exactly one of `train`, `load` and `bytes` is given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Table", rename_all = "kebab-case")]
pub struct TokenizerConfig {
    /// Train one on the run's own text. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train: Option<TrainConfig>,
    /// Load a tokenizer.json or a SentencePiece model. Default: none.
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
    /// Read from this file.
    Load(&'a Path),
    /// Plain bytes.
    Bytes,
}

impl TokenizerConfig {
    /// A configuration that trains.
    pub fn train(train: TrainConfig) -> Self {
        Self { train: Some(train), load: None, bytes: false, eos: None }
    }

    /// A configuration that loads `path`.
    pub fn load(path: impl Into<PathBuf>) -> Self {
        Self { train: None, load: Some(path.into()), bytes: false, eos: None }
    }

    /// The byte tokenizer.
    pub fn bytes() -> Self {
        Self { train: None, load: None, bytes: true, eos: None }
    }

    /// Checks what can be known before any text or file is read; the message names the option.
    pub fn check(&self) -> Result<(), crate::Error> {
        let eos = self.eos.as_deref();
        match self.source() {
            TokenizerSource::Train(train) => super::train::check(train, eos),
            TokenizerSource::Load(_) => Ok(()),
            TokenizerSource::Bytes => Bytes::with_eos(eos).map(drop),
        }
    }

    /// The one source that is given; `train` before `load` before `bytes` where the fields were
    /// set by hand to more than one.
    pub fn source(&self) -> TokenizerSource<'_> {
        match (&self.train, &self.load) {
            (Some(train), _) => TokenizerSource::Train(train),
            (None, Some(path)) => TokenizerSource::Load(path),
            (None, None) => TokenizerSource::Bytes,
        }
    }
}

/// The table as written, before it is known to name one source.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Table {
    train: Option<TrainConfig>,
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
        if table.load.is_some() {
            given.push("`load`");
        }
        if table.bytes {
            given.push("`bytes = true`");
        }
        if given.len() != 1 {
            let found = if given.is_empty() { "none".to_owned() } else { given.join(" and ") };
            return Err(format!("give exactly one of `train`, `load` and `bytes = true`; found {found}"));
        }
        Ok(Self { train: table.train, load: table.load, bytes: table.bytes, eos: table.eos })
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
    /// A merge must occur this often in the training text. Default 2.
    pub min_frequency: u64,
    /// Tokens that text never becomes, with the ids 0, 1, …; the first one ends documents unless
    /// `eos` names another. Default `["<|endoftext|>"]`.
    pub special_tokens: Vec<String>,
    /// Train on the first so many UTF-8 bytes of the text. Training takes ten to thirty times as
    /// much memory, the more the more different words there are. Default 67,108,864, so up to 2 GB of
    /// memory; at most 2 GiB less one, because the trainer counts pairs in 31 bits.
    pub sample_bytes: u64,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            model: TrainModel::Bpe,
            vocab_size: 32_000,
            character_coverage: 0.9995,
            min_frequency: 2,
            special_tokens: vec!["<|endoftext|>".to_owned()],
            sample_bytes: 64 << 20,
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
