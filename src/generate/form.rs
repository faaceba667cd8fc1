//! How a prompt becomes ids: as the beginning of a text, or as a conversation that is to be answered.

use serde::{Deserialize, Serialize};
use shards::{ChatEncoder, Message};

use crate::error::{Error, Result};
use crate::model::Opened;

/// What is continued.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Prompt {
    Text(String),
    /// All that was said before.
    Turns(Vec<Turn>),
}

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Turn {
    pub(crate) role: String,
    pub(crate) content: String,
}

/// A model's way to be asked.
pub(crate) struct Form<'a> {
    pub(crate) opened: &'a Opened,
    /// With a template, a text is what a user says.
    pub(crate) chat: Option<ChatEncoder<'a>>,
    pub(crate) system: Option<&'a str>,
}

impl Form<'_> {
    /// Ids of a prompt.
    pub(crate) fn ids(&self, prompt: &Prompt) -> Result<Vec<u32>> {
        let Some(chat) = &self.chat else {
            return match prompt {
                Prompt::Text(text) if text.is_empty() => Err(Error::new("an empty prompt").hint("a continuation needs a beginning")),
                Prompt::Text(text) => self.opened.encode(text),
                Prompt::Turns(_) => Err(Error::new("`messages` want a chat template").hint("add --chat")),
            };
        };
        let mut messages: Vec<Message> = Vec::new();
        let turns: &[Turn] = match prompt {
            Prompt::Text(text) => &[Turn { role: "user".to_owned(), content: text.clone() }],
            Prompt::Turns(turns) => turns,
        };
        if turns.last().is_none_or(|last| last.role == "assistant") {
            return Err(Error::new("the conversation does not end with something to answer"));
        }
        if turns.first().is_none_or(|first| first.role != "system") {
            messages.extend(self.system.map(|system| Message::new("system", system)));
        }
        messages.extend(turns.iter().map(|turn| Message::new(&turn.role, &turn.content)));
        Ok(chat.prompt(&messages)?)
    }

    /// Ids that end an answer.
    pub(crate) fn ends(&self) -> Result<Vec<u32>> {
        self.opened.ends(self.chat.as_ref())
    }
}
