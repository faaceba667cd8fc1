//! Chat templates in the files that models come with.

use std::path::Path;

use serde_json::Value;

use super::{TemplateText, gguf};
use crate::atomic;
use crate::error::{Error, Result};

/// Longest file read for its template; the configs of real tokenizers have some hundred kilobytes.
const LIMIT: u64 = 16 << 20;
const CONFIG: &str = "tokenizer_config.json";
const TEMPLATE: &str = "chat_template.jinja";

impl TemplateText {
    /// The template of a model's folder, a `.gguf` file, a tokenizer_config.json, or a Jinja file, which
    /// takes the names of its tokens from a tokenizer_config.json beside it.
    ///
    /// # Errors
    /// A file that cannot be read; one that has no template.
    pub fn load(path: &Path) -> Result<Self> {
        let none = || Error::invalid(path, "it has no chat template");
        if path.is_dir() {
            return Self::beside(path)?.ok_or_else(none);
        }
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("gguf") => gguf::template(path)?.ok_or_else(none),
            Some("json") => Config::read(path)?.text(path).ok_or_else(none),
            _ => {
                let config = path.parent().map(|folder| folder.join(CONFIG)).filter(|config| config.is_file());
                let config = config.map_or_else(|| Ok(Config(Value::Null)), |config| Config::read(&config))?;
                config.with(path, jinja(path)?)
            }
        }
    }

    /// The template of a model's folder; none where it has none.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn beside(folder: &Path) -> Result<Option<Self>> {
        let (template, config) = (folder.join(TEMPLATE), folder.join(CONFIG));
        if template.is_file() {
            return Self::load(&template).map(Some);
        }
        if config.is_file() { Ok(Config::read(&config)?.text(&config)) } else { Ok(None) }
    }
}

fn jinja(path: &Path) -> Result<String> {
    String::from_utf8(atomic::read(path, LIMIT)?).map_err(|error| Error::invalid(path, format!("it is not UTF-8: {error}")))
}

/// A tokenizer_config.json.
struct Config(Value);

impl Config {
    fn read(path: &Path) -> Result<Self> {
        let bytes = atomic::read(path, LIMIT)?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| Error::invalid(path, error.to_string()))
    }

    /// The template in it: one, or that named `default` of several.
    fn text(&self, path: &Path) -> Option<TemplateText> {
        let template = match &self.0["chat_template"] {
            Value::String(template) => template,
            Value::Array(several) => several.iter().find(|one| one["name"] == "default")?["template"].as_str()?,
            _ => return None,
        };
        self.with(path, template.to_owned()).ok()
    }

    /// A template with the names of its tokens.
    fn with(&self, path: &Path, template: String) -> Result<TemplateText> {
        let token = |key: &str| {
            let token = &self.0[key];
            token.as_str().or_else(|| token["content"].as_str()).map(str::to_owned)
        };
        let name = path.display().to_string();
        Ok(TemplateText { name, template, bos_token: token("bos_token"), eos_token: token("eos_token"), date: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_of_a_template_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &str| std::fs::write(folder.path().join(name), content).unwrap();
        assert_eq!(TemplateText::beside(folder.path()).unwrap(), None);
        assert!(TemplateText::load(folder.path()).unwrap_err().to_string().contains("no chat template"));
        write(CONFIG, r#"{"bos_token": {"content": "<s>"}, "eos_token": "</s>"}"#);
        assert_eq!(TemplateText::beside(folder.path()).unwrap(), None);
        write(
            CONFIG,
            r#"{"bos_token": {"content": "<s>"}, "eos_token": "</s>", "chat_template": [{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}]}"#,
        );
        let found = TemplateText::load(folder.path()).unwrap();
        assert_eq!((found.template.as_str(), found.bos_token.as_deref(), found.eos_token.as_deref()), ("d", Some("<s>"), Some("</s>")));
        assert_eq!(TemplateText::load(&folder.path().join(CONFIG)).unwrap(), found);
        // A file of its own goes before the config's, and has its tokens.
        write(TEMPLATE, "j");
        let found = TemplateText::beside(folder.path()).unwrap().unwrap();
        assert_eq!((found.template.as_str(), found.bos_token.as_deref()), ("j", Some("<s>")));
        write(CONFIG, "{");
        assert!(TemplateText::beside(folder.path()).is_err());
    }
}
