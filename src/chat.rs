//! The recipe's `[chat]`, and what connects the text half's conversations with the id half's template.

use std::path::Path;

use corpora::{Role, Turn};
use serde::{Deserialize, Serialize};
use shards::{ChatEncoder, ChatTemplate, Conversation, Judged, Message, TemplateText};

use crate::error::{Error, Result};
use crate::recipe::Recipe;
use crate::{layout, model};

/// How conversations are written out for the model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ChatConfig {
    /// A template's name (`alpaca-ko`, `chatml`, `gemma`, `llama3`, `qwen2.5`), or a path: a Jinja file,
    /// a tokenizer_config.json, a model's folder or `.gguf` file. Default: that of the tokenizer that is
    /// loaded, else that of the model that training starts from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) template: Option<String>,
    /// The day that templates are told which ask for today's, as `2026-01-31`: tokens must not depend on
    /// when they were made. Default: they are told none, and most have one of their own for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) date: Option<String>,
}

impl ChatConfig {
    /// The template as a path, if it is no name.
    pub(crate) fn path_mut(&mut self) -> Option<&mut String> {
        self.template.as_mut().filter(|template| ChatTemplate::preset(template).is_none())
    }
}

/// The template of a recipe; none where no source has conversations.
pub(crate) fn template(recipe: &Recipe) -> Result<Option<ChatTemplate>> {
    if recipe.sources.iter().all(|source| !source.is_chat()) {
        return Ok(None);
    }
    let text = find(recipe)?;
    let template = ChatTemplate::new(TemplateText { date: recipe.chat.date.clone(), ..text });
    Ok(Some(template.map_err(|error| Error::new(error).hint("`chat.template` names another one"))?))
}

fn find(recipe: &Recipe) -> Result<TemplateText> {
    if let Some(name) = &recipe.chat.template {
        if let Some(preset) = ChatTemplate::preset(name) {
            return Ok(preset);
        }
        let names = ChatTemplate::presets().collect::<Vec<_>>().join(", ");
        return TemplateText::load(Path::new(name)).map_err(|error| {
            Error::new(format!("chat.template: {error}")).hint(format!("it is one of {names}, or a file or folder with a chat template"))
        });
    }
    let is_gguf = |path: &Path| path.extension().is_some_and(|extension| extension == "gguf");
    let loaded = recipe.tokenizer.load.as_deref().and_then(|path| if is_gguf(path) { Some(path) } else { path.parent() });
    let model = recipe.train.as_ref().and_then(|train| train.init.as_deref());
    for place in loaded.into_iter().chain(model) {
        if !place.is_dir() && !is_gguf(place) {
            continue;
        }
        let found = TemplateText::of_model(place).map_err(|error| Error::new(error).hint("`chat.template` names another template"))?;
        if let Some(text) = found {
            return Ok(text);
        }
    }
    Err(Error::new("the recipe has conversations, but neither its tokenizer nor its model comes with a chat template")
        .hint(format!("set `chat.template` to one of {}, or to a file", ChatTemplate::presets().collect::<Vec<_>>().join(", "))))
}

/// The template that a model is talked to with: the one that is named; of a run the one that it was trained with, of
/// files the one that came with them. `option` is what names another one, for messages.
pub(crate) fn of_model(model: &Path, named: Option<&str>, option: &str) -> Result<ChatTemplate> {
    let known = || ChatTemplate::presets().collect::<Vec<_>>().join(", ");
    let text = match named {
        Some(name) => Some(match ChatTemplate::preset(name) {
            Some(preset) => preset,
            None => TemplateText::load(Path::new(name))
                .map_err(|error| Error::new(error).hint(format!("a template is one of {}, or a file or folder with one", known())))?,
        }),
        None if model.join(layout::CHAT).exists() => Some(layout::read_json(model, layout::CHAT)?),
        None if model.join(layout::RECIPE).exists() => Some(find(&Recipe::load(&model.join(layout::RECIPE), &[])?)?),
        None => TemplateText::of_model(model).map_err(Error::new)?,
    };
    let Some(text) = text else {
        return Err(Error::new(format!("{} comes without a chat template", model.display()))
            .hint(format!("name one with {option}: {}, or a file or folder with one", known())));
    };
    Ok(ChatTemplate::new(text)?)
}

/// The template that adapters bring along with their tokenizer: the two belong together, and `export` writes both.
pub(crate) fn of_adapters(folder: &Path) -> Result<Option<ChatTemplate>> {
    if model::tokenizer_in(folder).is_none() {
        return Ok(None);
    }
    let text = TemplateText::of_model(folder).map_err(Error::new)?;
    Ok(text.map(ChatTemplate::new).transpose()?)
}

/// Keeps the template in the run folder; one of an earlier recipe goes.
pub(crate) fn keep(folder: &Path, template: Option<&ChatTemplate>) -> Result<()> {
    match template {
        Some(template) => layout::write_json(folder, layout::CHAT, template.text()),
        None => match std::fs::remove_file(folder.join(layout::CHAT)) {
            Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::new(format!("cannot remove the outdated {}: {cause}", layout::CHAT)))
            }
            _ => Ok(()),
        },
    }
}

/// The template that a run folder keeps; none where it has no conversations.
pub(crate) fn open(folder: &Path) -> Result<Option<ChatTemplate>> {
    if !folder.join(layout::CHAT).exists() {
        return Ok(None);
    }
    Ok(Some(ChatTemplate::new(layout::read_json(folder, layout::CHAT)?)?))
}

/// A conversation as tokens; of judged answers each is learned, after its prompt.
///
/// # Errors
/// What the template or the tokenizer refuses.
pub(crate) fn encode(
    encoder: &ChatEncoder<'_>,
    turns: &[Turn],
    judged: Option<corpora::Judged>,
) -> Result<(Conversation, Option<Judged>), shards::Error> {
    let all = messages(turns);
    // An answer is one message, and stays one.
    let (prompt, answers) = all.split_at(all.len().saturating_sub(judged.map_or(0, corpora::Judged::answers)));
    match (judged, answers) {
        (Some(corpora::Judged::Pair(margin)), [chosen, rejected]) => {
            let (conversation, judged) = encoder.encode_pair(prompt, chosen, rejected, margin)?;
            Ok((conversation, Some(judged)))
        }
        (Some(corpora::Judged::Desirable), [answer]) => Ok((encoder.encode_answer(prompt, answer)?, Some(Judged::Desirable))),
        (Some(corpora::Judged::Undesirable), [answer]) => Ok((encoder.encode_answer(prompt, answer)?, Some(Judged::Undesirable))),
        _ => Ok((encoder.encode(&all)?, None)),
    }
}

/// A conversation as templates see it. An input belongs to the question before it.
pub(crate) fn messages(turns: &[Turn]) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::with_capacity(turns.len());
    for turn in turns {
        let role = match turn.role {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
            Role::Tool => "tool",
            Role::Input => match messages.pop() {
                Some(question) => {
                    messages.push(question.about(&turn.text));
                    continue;
                }
                None => "user",
            },
        };
        messages.push(Message::new(role, &turn.text));
    }
    messages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adapters_bring_their_template_with_their_tokenizer() {
        let folder = tempfile::tempdir().unwrap();
        let there = || of_adapters(folder.path()).unwrap().map(|template| template.text().template.clone());
        std::fs::write(folder.path().join("chat_template.jinja"), "{{ messages[0].content }}").unwrap();
        assert_eq!(there(), None);
        std::fs::write(folder.path().join("tokenizer.json"), "{}").unwrap();
        assert_eq!(there().as_deref(), Some("{{ messages[0].content }}"));
        std::fs::remove_file(folder.path().join("chat_template.jinja")).unwrap();
        assert_eq!(there(), None);
    }

    #[test]
    fn an_input_ends_its_question() {
        let turn = |role, text: &str| Turn { role, text: text.to_owned() };
        let turns = [turn(Role::System, "s"), turn(Role::User, "q"), turn(Role::Input, "i"), turn(Role::Assistant, "a")];
        let messages = messages(&turns);
        let said: Vec<(&str, &str)> = messages.iter().map(|message| (message.role.as_str(), message.content.as_str())).collect();
        assert_eq!(said, [("system", "s"), ("user", "q\ni"), ("assistant", "a")]);
        assert_eq!((messages[1].instruction.as_deref(), messages[1].input.as_deref()), (Some("q"), Some("i")));
    }
}
