//! How a question stands before the model: as text, or as a conversation by a chat template.
//!
//! Both are lm-eval's. As text, examples and question follow one another. As a conversation
//! (`--apply_chat_template`), an example is a question of the user and an answer of the assistant, or all are in one
//! message (`--fewshot_as_multiturn false`); then no space stands before a choice.

use shards::{ChatEncoder, Message};

use crate::error::Result;
use crate::model::Opened;

/// What stands between two examples.
const BETWEEN: &str = "\n\n";

/// A question with its answer, which may begin with a space.
#[derive(Clone, Debug)]
pub(super) struct Example {
    pub(super) question: String,
    pub(super) answer: String,
}

/// One form for all questions.
pub(super) struct Form<'a> {
    pub(super) opened: &'a Opened,
    pub(super) chat: Option<Chat<'a>>,
}

/// A conversation.
pub(super) struct Chat<'a> {
    pub(super) encoder: ChatEncoder<'a>,
    pub(super) system: Option<&'a str>,
    /// Examples and question in one message.
    pub(super) one_turn: bool,
}

impl Form<'_> {
    /// What the model reads.
    pub(super) fn prompt(&self, examples: &[Example], question: &str) -> Result<String> {
        let text = || {
            let shown = examples.iter().map(|example| format!("{}{}{BETWEEN}", example.question, example.answer));
            shown.chain([question.to_owned()]).collect::<String>()
        };
        let Some(chat) = &self.chat else { return Ok(text()) };
        let mut messages: Vec<Message> = chat.system.map(|system| Message::new("system", system)).into_iter().collect();
        if chat.one_turn {
            messages.push(Message::new("user", text()));
        } else {
            for example in examples {
                messages.push(Message::new("user", &example.question));
                messages.push(Message::new("assistant", example.answer.trim_start()));
            }
            messages.push(Message::new("user", question));
        }
        Ok(chat.encoder.prompt_text(&messages)?)
    }

    /// Ids of a prompt.
    pub(super) fn ids(&self, prompt: &str) -> Result<Vec<u32>> {
        match &self.chat {
            Some(chat) => {
                // What stands before a text, unless the template writes it.
                let ids = chat.encoder.ids(prompt)?;
                let start = if ids.starts_with(&self.opened.start) { &[][..] } else { &self.opened.start };
                Ok([start, &ids].concat())
            }
            None => self.opened.encode(prompt),
        }
    }

    /// A prompt less the white space at its end, and the same with that and a choice: as lm-eval cuts them.
    pub(super) fn with_choice<'b>(&self, prompt: &'b str, choice: &str) -> (&'b str, String) {
        let choice = match &self.chat {
            Some(chat) => chat.encoder.guard(choice.trim_start()),
            None => choice.to_owned(),
        };
        let kept = prompt.trim_end();
        (if kept.is_empty() { prompt } else { kept }, format!("{prompt}{choice}"))
    }

    /// Ids that end an answer.
    pub(super) fn ends(&self) -> Result<Vec<u32>> {
        self.opened.ends(self.chat.as_ref().map(|chat| &chat.encoder))
    }

    /// Its part in the name of the outputs.
    pub(super) fn suffix(&self) -> &'static str {
        match &self.chat {
            None => "",
            Some(chat) if chat.one_turn => ".chat-one-turn",
            Some(_) => ".chat",
        }
    }
}
