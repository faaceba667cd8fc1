//! Chat templates in the files that models come with.

use std::path::Path;

use serde_json::Value;

use super::TemplateText;
use crate::atomic;
use crate::error::{Error, Result};
use crate::tokenizer::Gguf;

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
            return Self::of_model(path)?.ok_or_else(none);
        }
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("gguf") => gguf(path)?.ok_or_else(none),
            Some("json") => Config::read(path)?.text(path).ok_or_else(none),
            _ => {
                let config = path.parent().map(|folder| folder.join(CONFIG)).filter(|config| config.is_file());
                let config = config.map_or_else(|| Ok(Config(Value::Null)), |config| Config::read(&config))?;
                config.with(path, jinja(path)?)
            }
        }
    }

    /// The template of a model's folder or `.gguf` file; none where it has none.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn of_model(model: &Path) -> Result<Option<Self>> {
        if model.is_file() {
            return gguf(model);
        }
        let (template, config) = (model.join(TEMPLATE), model.join(CONFIG));
        if template.is_file() {
            return Self::load(&template).map(Some);
        }
        if config.is_file() { Ok(Config::read(&config)?.text(&config)) } else { Ok(None) }
    }
}

/// The template in the header of a GGUF file.
fn gguf(path: &Path) -> Result<Option<TemplateText>> {
    let found = Gguf::open(path)?;
    let name = path.display().to_string();
    let [bos_token, eos_token] = ["bos_token_id", "eos_token_id"].map(|key| found.token(key));
    Ok(found.template().map(|template| TemplateText { name, template: template.to_owned(), bos_token, eos_token, date: None }))
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
        assert_eq!(TemplateText::of_model(folder.path()).unwrap(), None);
        assert!(TemplateText::load(folder.path()).unwrap_err().to_string().contains("no chat template"));
        write(CONFIG, r#"{"bos_token": {"content": "<s>"}, "eos_token": "</s>"}"#);
        assert_eq!(TemplateText::of_model(folder.path()).unwrap(), None);
        write(
            CONFIG,
            r#"{"bos_token": {"content": "<s>"}, "eos_token": "</s>", "chat_template": [{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}]}"#,
        );
        let found = TemplateText::load(folder.path()).unwrap();
        assert_eq!((found.template.as_str(), found.bos_token.as_deref(), found.eos_token.as_deref()), ("d", Some("<s>"), Some("</s>")));
        assert_eq!(TemplateText::load(&folder.path().join(CONFIG)).unwrap(), found);
        // A file of its own goes before the config's, and has its tokens.
        write(TEMPLATE, "j");
        let found = TemplateText::of_model(folder.path()).unwrap().unwrap();
        assert_eq!((found.template.as_str(), found.bos_token.as_deref()), ("j", Some("<s>")));
        write(CONFIG, "{");
        assert!(TemplateText::of_model(folder.path()).is_err());
    }

    const TOKENS: &str = "tokenizer.ggml.tokens";
    /// Kinds of values.
    const UINT32: u32 = 4;
    const STRING: u32 = 8;
    const ARRAY: u32 = 9;

    fn text(text: &str) -> Vec<u8> {
        [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
    }

    fn file(keys: &[(&str, u32, Vec<u8>)]) -> Vec<u8> {
        let mut bytes = [b"GGUF".as_slice(), &3u32.to_le_bytes(), &0u64.to_le_bytes(), &(keys.len() as u64).to_le_bytes()].concat();
        for (name, kind, value) in keys {
            bytes.extend([text(name), kind.to_le_bytes().to_vec(), value.clone()].concat());
        }
        bytes
    }

    fn list(kind: u32, items: &[Vec<u8>]) -> Vec<u8> {
        [&kind.to_le_bytes()[..], &(items.len() as u64).to_le_bytes(), &items.concat()].concat()
    }

    fn read(bytes: &[u8]) -> Result<Option<TemplateText>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.gguf");
        std::fs::write(&path, bytes).unwrap();
        TemplateText::of_model(&path)
    }

    #[test]
    fn the_template_of_a_gguf_file_is_found_among_other_keys() {
        let floats: Vec<Vec<u8>> = (0..3).map(|n| (n as f32).to_le_bytes().to_vec()).collect();
        let bytes = file(&[
            ("general.architecture", STRING, text("llama")),
            ("tokenizer.ggml.scores", ARRAY, list(6, &floats)),
            ("tokenizer.ggml.merges", ARRAY, list(STRING, &[text("a b"), text("b c")])),
            (TOKENS, ARRAY, list(STRING, &[text("<s>"), text("</s>")])),
            ("tokenizer.ggml.bos_token_id", UINT32, 0u32.to_le_bytes().to_vec()),
            ("tokenizer.ggml.eos_token_id", UINT32, 1u32.to_le_bytes().to_vec()),
            ("x", 7, vec![1]),
            ("tokenizer.chat_template", STRING, text("{{ messages }}")),
        ]);
        let found = read(&bytes).unwrap().unwrap();
        assert_eq!(
            (found.template.as_str(), found.bos_token.as_deref(), found.eos_token.as_deref()),
            ("{{ messages }}", Some("<s>"), Some("</s>"))
        );
        assert_eq!(read(&file(&[])).unwrap(), None);
        // Cut anywhere, it is an error and nothing worse.
        for end in 0..bytes.len() {
            assert!(read(&bytes[..end]).is_err(), "{end}");
        }
        let huge = [&STRING.to_le_bytes()[..], &u64::MAX.to_le_bytes()].concat();
        for wrong in [("x", ARRAY, huge.clone()), ("x", STRING, u64::MAX.to_le_bytes().to_vec()), (TOKENS, ARRAY, huge), ("x", 99, vec![])]
        {
            assert!(read(&file(&[wrong])).is_err());
        }
    }
}
