//! `[[imports]]`: token files that another program made, which become shards as they are.

use std::path::Path;

use serde::{Deserialize, Serialize};
use shards::{Foreign, Layout, Tokenizer};

/// One entry of the recipe's `[[imports]]`. Filters and deduplication do not see its documents: their
/// tokens are taken as they are, and must be those of the recipe's tokenizer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Import {
    /// Names its documents' source and its shards.
    pub(crate) name: String,
    /// The bucket it fills.
    pub(crate) bucket: String,
    /// The files of tokens, in order; what belongs to them stands beside them.
    pub(crate) files: Vec<String>,
    /// How they are laid out. Default: what the name of each file says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) layout: Option<Layout>,
    /// Licence of its texts, for the data card. Default: not stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) licence: Option<String>,
    /// Bytes of a token, 2 or 4, where the files do not say. Default: 2 up to 65,536 ids, else 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token_bytes: Option<u32>,
}

impl Import {
    /// Checks what can be known without opening a file.
    pub(crate) fn validate(&self) -> Result<(), String> {
        let plain = |name: &str| {
            let known = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
            !name.is_empty() && name.len() <= 64 && !name.starts_with('.') && name.chars().all(known)
        };
        for (option, value) in [("name", &self.name), ("bucket", &self.bucket)] {
            if !plain(value) {
                return Err(format!("`{option}` must be 1 to 64 bytes of letters, digits, `-`, `_` or `.`, not starting with `.`"));
            }
        }
        if self.files.is_empty() || self.files.iter().any(String::is_empty) {
            return Err("`files` needs at least one path, and none may be empty".to_owned());
        }
        if self.token_bytes.is_some_and(|bytes| bytes != 2 && bytes != 4) {
            return Err("`token-bytes` must be 2 or 4".to_owned());
        }
        match self.files.iter().find(|file| self.layout_of(Path::new(file)).is_none()) {
            Some(file) => Err(format!("the name of {file} says no layout; known are .bin, .idx, .ds, .npy and .shard, or set `layout`")),
            None => Ok(()),
        }
    }

    /// How a file of it is laid out.
    pub(crate) fn layout_of(&self, file: &Path) -> Option<Layout> {
        self.layout.or_else(|| Layout::of(file))
    }

    /// Whether each of its files can say which tokens count in the loss.
    pub(crate) fn can_have_loss(&self) -> bool {
        self.files.iter().all(|file| self.layout_of(Path::new(file)).is_some_and(Layout::keeps_loss))
    }

    /// Name of the part that a file becomes.
    pub(crate) fn part(&self, file: usize) -> String {
        format!("{}-{file:05}", self.name)
    }

    /// How to read a file of it.
    pub(crate) fn foreign(&self, file: &Path, tokenizer: &Tokenizer) -> Option<Foreign> {
        let layout = self.layout_of(file)?;
        Some(Foreign {
            layout,
            vocab_size: tokenizer.vocab_size(),
            eos: tokenizer.eos(),
            tokenizer: tokenizer.fingerprint(),
            token_bytes: self.token_bytes,
        })
    }
}
