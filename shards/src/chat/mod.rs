//! Conversations as a model reads them: a chat template, its tokens, and which of them are learned.

mod encode;
mod file;
mod guard;
mod jinja;
mod spans;

#[cfg(test)]
mod tests;

use std::fmt;

use minijinja::{Environment, context, value::Serde};
use serde::{Deserialize, Serialize};

pub use encode::{ChatEncoder, Conversation};
pub(crate) use guard::Special;

use crate::digest::Digest;
use crate::error::{Error, Result};

/// Raised when the same template and conversation give other tokens or spans than before.
const VERSION: u32 = 1;
/// The role whose messages are learned.
pub(crate) const ASSISTANT: &str = "assistant";

/// Templates that are known by name.
const PRESETS: [(&str, &str); 5] = [
    ("alpaca-ko", include_str!("presets/alpaca-ko.jinja")),
    ("chatml", include_str!("presets/chatml.jinja")),
    ("gemma", include_str!("presets/gemma.jinja")),
    ("llama3", include_str!("presets/llama3.jinja")),
    ("qwen2.5", include_str!("presets/qwen2.5.jinja")),
];

/// One message of a conversation, as templates see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    /// `system`, `user`, `assistant` or `tool`.
    pub role: String,
    /// All that is said.
    pub content: String,
    /// Of a question with an input: the question alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instruction: Option<String>,
    /// What the question is about. It is the end of `content` too, for templates that know of none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
}

impl Message {
    /// A message without an input.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Self {
        Self { role: role.into(), content: content.into(), instruction: None, input: None }
    }

    /// The same question about this input.
    pub fn about(self, input: impl Into<String>) -> Self {
        let input = input.into();
        Self { content: format!("{}\n{input}", self.content), instruction: Some(self.content), input: Some(input), ..self }
    }
}

/// What a template is made of, as a run keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TemplateText {
    /// Where it comes from, for people.
    pub name: String,
    /// The Jinja template.
    pub template: String,
    /// What `bos_token` stands for; nothing where none is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bos_token: Option<String>,
    /// What `eos_token` stands for; none: the tokenizer's end token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eos_token: Option<String>,
    /// The day that `strftime_now` tells, as `2026-01-31`; none: the template is told of no such function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
}

/// A chat template in Jinja, as Hugging Face's tokenizers and GGUF files have one.
pub struct ChatTemplate {
    text: TemplateText,
    environment: Environment<'static>,
    /// Whether it says itself what is learned, by `{% generation %}` blocks.
    marked: bool,
}

impl fmt::Debug for ChatTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChatTemplate").field("text", &self.text).finish_non_exhaustive()
    }
}

impl ChatTemplate {
    /// Compiles a template.
    pub fn new(text: TemplateText) -> Result<Self> {
        let (source, marked) = spans::with_marks(&text.template);
        let environment = jinja::environment(source, text.date.as_deref()).map_err(|detail| Error::chat(&text.name, detail))?;
        Ok(Self { text, environment, marked })
    }

    /// A template known by name; none for another name.
    pub fn preset(name: &str) -> Option<TemplateText> {
        let (name, template) = PRESETS.iter().find(|(known, _)| *known == name)?;
        let template = template.trim_end().to_owned();
        Some(TemplateText { name: (*name).to_owned(), template, bos_token: None, eos_token: None, date: None })
    }

    /// Names of the templates that [`ChatTemplate::preset`] knows.
    pub fn presets() -> impl Iterator<Item = &'static str> {
        PRESETS.iter().map(|(name, _)| *name)
    }

    /// What it is made of.
    pub fn text(&self) -> &TemplateText {
        &self.text
    }

    /// Hash of all that tokens and spans depend on, apart from tokenizer and conversation. Where the
    /// template comes from does not matter.
    pub fn digest(&self) -> Digest {
        let TemplateText { name: _, template, bos_token, eos_token, date } = &self.text;
        let mut hasher = blake3::Hasher::new_derive_key("malmoi chat template");
        hasher.update(&VERSION.to_le_bytes());
        for part in [Some(template), bos_token.as_ref(), eos_token.as_ref(), date.as_ref()] {
            let length = part.map_or(u64::MAX, |part| part.len() as u64);
            hasher.update(&length.to_le_bytes()).update(part.map_or(&[], |part| part.as_bytes()));
        }
        Digest(*hasher.finalize().as_bytes())
    }

    /// The text of a conversation. `prompt` asks for the beginning of an answer after it
    /// (`add_generation_prompt`); `eos` stands for `eos_token` where the template came without one.
    pub fn render(&self, messages: &[Message], prompt: bool, eos: &str) -> Result<String> {
        let mut text = self.render_marked(messages, prompt, eos)?;
        text.retain(|c| !spans::MARKS.contains(&c));
        Ok(text)
    }

    /// The same with marks where `{% generation %}` blocks begin and end.
    pub(crate) fn render_marked(&self, messages: &[Message], prompt: bool, eos: &str) -> Result<String> {
        let bos = self.text.bos_token.as_deref();
        let eos = self.text.eos_token.as_deref().unwrap_or(eos);
        let messages = Serde(messages);
        let context =
            context! { messages => messages, add_generation_prompt => prompt, bos_token => bos.unwrap_or_default(), eos_token => eos };
        let template = self.environment.get_template(jinja::NAME);
        template.and_then(|template| template.render(context)).map_err(|error| Error::chat(&self.text.name, jinja::describe(&error)))
    }

    pub(crate) fn is_marked(&self) -> bool {
        self.marked
    }
}
