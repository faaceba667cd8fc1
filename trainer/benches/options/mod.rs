//! What the benchmarks are asked for on the command line: `--name value` and `--flag`.

use std::str::FromStr;

use trainer::ModelConfig;

/// The arguments after the program's name, without the one that `cargo bench` adds.
pub(crate) struct Options(Vec<String>);

impl Options {
    pub(crate) fn read() -> Self {
        Self(std::env::args().skip(1).filter(|argument| argument != "--bench").collect())
    }

    /// What follows a name, or else the default.
    pub(crate) fn text<'a>(&'a self, name: &str, default: &'a str) -> &'a str {
        let place = self.0.iter().position(|argument| argument.strip_prefix("--") == Some(name));
        place.and_then(|place| self.0.get(place + 1)).map_or(default, String::as_str)
    }

    /// The same as a number.
    pub(crate) fn number<T: FromStr<Err: std::fmt::Display>>(&self, name: &str, default: T) -> Result<T, String> {
        match self.text(name, "") {
            "" => Ok(default),
            text => text.parse().map_err(|error| format!("--{name}: {error}")),
        }
    }

    /// Whether a name is given.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|argument| argument.strip_prefix("--") == Some(name))
    }

    /// The shape of a model.
    pub(crate) fn model(&self) -> Result<ModelConfig, String> {
        Ok(ModelConfig {
            hidden: self.number("hidden", 256)?,
            layers: self.number("layers", 4)?,
            heads: self.number("heads", 4)?,
            kv_heads: self.number("kv-heads", 2)?,
            intermediate: self.number("intermediate", 704)?,
            tied_embeddings: !self.has("untied"),
            ..ModelConfig::default()
        })
    }
}
