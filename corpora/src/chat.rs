//! Conversations: who says what, in the shapes that instruction data comes in.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::Cause;
use crate::fields::{found, lookup};

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// What holds for the whole conversation.
    System,
    /// Who asks.
    User,
    /// What the question before is about: Alpaca's `input`.
    Input,
    /// Who answers; what is learned.
    Assistant,
    /// What a tool returned.
    Tool,
}

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Who speaks.
    pub role: Role,
    /// What is said; empty for nobody.
    pub text: String,
}

/// The text of a conversation for people, filters and deduplication: what is said, without who says
/// it, with a blank line between.
pub fn joined(turns: &[Turn]) -> String {
    turns.iter().map(|turn| turn.text.as_str()).collect::<Vec<_>>().join("\n\n")
}

/// The recipe's `chat` of a source: which fields of a record make a conversation. Either `messages`,
/// or `instruction` and `output`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ChatFields {
    /// A list of messages, each with `role` and `content`, or with `from` and `value` as ShareGPT
    /// writes them. Roles are `system`, `user` (`human`), `assistant` (`gpt`) and `tool`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<String>,
    /// What is asked, in a record of one question and one answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instruction: Option<String>,
    /// What the question is about. Default none; a record without it, or with an empty one, has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// The answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// What holds for the whole conversation. Default none; a record without it, or with an empty
    /// one, has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
}

impl ChatFields {
    /// Names of the fields with a text, without the list of messages.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &String> {
        [&self.system, &self.instruction, &self.input, &self.output].into_iter().flatten()
    }

    /// Names of all fields.
    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        self.messages.iter().chain(self.texts())
    }

    /// Refuses fields that make no conversation; gives why.
    pub(crate) fn check(&self) -> Result<(), String> {
        match (&self.messages, &self.instruction, &self.output) {
            (Some(_), None, None) if self.input.is_none() => {}
            (None, Some(_), Some(_)) => {}
            _ => return Err("`chat` needs either `messages`, or `instruction` and `output` (and perhaps `input`)".to_owned()),
        }
        match self.names().find(|name| name.split('.').any(str::is_empty)) {
            Some(name) => Err(format!("`chat` must name fields or dotted paths, not `{name}`")),
            None => Ok(()),
        }
    }

    /// The conversation of a record. It has an answer, and nobody but the system says nothing.
    pub(crate) fn turns(&self, record: &Map<String, Value>) -> Result<Vec<Turn>, Cause> {
        let mut turns = Vec::new();
        optional(record, self.system.as_ref(), Role::System, &mut turns)?;
        if let Some(name) = &self.messages {
            messages(record, name, &mut turns)?;
        } else {
            required(record, self.instruction.as_ref(), Role::User, &mut turns)?;
            optional(record, self.input.as_ref(), Role::Input, &mut turns)?;
            required(record, self.output.as_ref(), Role::Assistant, &mut turns)?;
        }
        if turns.iter().all(|turn| turn.role != Role::Assistant) {
            return bad(self.messages.as_deref().unwrap_or_default(), "no message of the assistant, so nothing to learn");
        }
        Ok(turns)
    }
}

pub(crate) fn bad<T>(field: &str, detail: impl Into<String>) -> Result<T, Cause> {
    Err(Cause::Turn { field: field.to_owned(), detail: detail.into() })
}

fn required(record: &Map<String, Value>, name: Option<&String>, role: Role, turns: &mut Vec<Turn>) -> Result<(), Cause> {
    let Some(name) = name else { return Ok(()) };
    match lookup(record, name) {
        None | Some(Value::Null) => Err(Cause::MissingField(name.clone())),
        Some(Value::String(text)) if text.trim().is_empty() => bad(name, "nothing is said"),
        Some(Value::String(text)) => {
            turns.push(Turn { role, text: text.clone() });
            Ok(())
        }
        Some(other) => Err(Cause::WrongType { field: name.clone(), found: found(other), wanted: "a string" }),
    }
}

pub(crate) fn optional(record: &Map<String, Value>, name: Option<&String>, role: Role, turns: &mut Vec<Turn>) -> Result<(), Cause> {
    let empty = |value: &Value| value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty());
    match name.and_then(|name| lookup(record, name)) {
        Some(value) if !empty(value) => required(record, name, role, turns),
        _ => Ok(()),
    }
}

/// What a message may hold beside role and content that would be lost, and so is refused.
const UNKNOWN: [&str; 5] = ["tool_calls", "function_call", "reasoning_content", "images", "audio"];

fn messages(record: &Map<String, Value>, name: &str, turns: &mut Vec<Turn>) -> Result<(), Cause> {
    let list = match lookup(record, name) {
        None | Some(Value::Null) => return Err(Cause::MissingField(name.to_owned())),
        Some(Value::Array(list)) => list,
        Some(other) => return Err(Cause::WrongType { field: name.to_owned(), found: found(other), wanted: "a list of messages" }),
    };
    messages_of(list, name, turns)
}

/// The messages of a list that stands under this name.
pub(crate) fn messages_of(list: &[Value], name: &str, turns: &mut Vec<Turn>) -> Result<(), Cause> {
    for (number, message) in list.iter().enumerate() {
        let at = format!("{name}[{number}]");
        let Value::Object(message) = message else {
            return Err(Cause::WrongType { field: at, found: found(message), wanted: "an object" });
        };
        let said = |value: &&Value| !matches!(value, Value::Null) && value.as_array().is_none_or(|list| !list.is_empty());
        if let Some(key) = UNKNOWN.iter().find(|key| message.get(**key).filter(said).is_some()) {
            return bad(&format!("{at}.{key}"), "is not supported, and would be lost");
        }
        let (role, content) = if message.contains_key("from") { ("from", "value") } else { ("role", "content") };
        let role = match message.get(role) {
            Some(Value::String(name)) => role_of(name).map_or_else(
                || bad(&format!("{at}.{role}"), format!("`{name}` is not one of system, user, human, assistant, gpt, tool")),
                Ok,
            )?,
            None | Some(Value::Null) => return Err(Cause::MissingField(format!("{at}.{role}"))),
            Some(other) => return Err(Cause::WrongType { field: format!("{at}.{role}"), found: found(other), wanted: "a string" }),
        };
        let text = content_of(message.get(content), &format!("{at}.{content}"))?;
        match (role, text.trim().is_empty()) {
            (Role::System, true) => {}
            (_, true) => return bad(&format!("{at}.{content}"), "nothing is said"),
            (_, false) => turns.push(Turn { role, text }),
        }
    }
    Ok(())
}

fn role_of(name: &str) -> Option<Role> {
    Some(match name {
        "system" => Role::System,
        "user" | "human" => Role::User,
        "assistant" | "gpt" => Role::Assistant,
        "tool" => Role::Tool,
        _ => return None,
    })
}

/// A content: a text, or a list of parts that are texts.
fn content_of(content: Option<&Value>, field: &str) -> Result<String, Cause> {
    let parts = match content {
        None | Some(Value::Null) => return Err(Cause::MissingField(field.to_owned())),
        Some(Value::String(text)) => return Ok(text.clone()),
        Some(Value::Array(parts)) => parts,
        Some(other) => {
            return Err(Cause::WrongType { field: field.to_owned(), found: found(other), wanted: "a string or a list of text parts" });
        }
    };
    let mut whole = String::new();
    for (number, part) in parts.iter().enumerate() {
        match (part.get("type").and_then(Value::as_str), part.get("text").and_then(Value::as_str)) {
            (Some("text") | None, Some(text)) => whole.push_str(text),
            (kind, _) => return bad(&format!("{field}[{number}]"), format!("a part of type `{}`, not text", kind.unwrap_or("none"))),
        }
    }
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(chat: &str, record: &str) -> Result<Vec<(Role, String)>, String> {
        let chat: ChatFields = serde_json::from_str(chat).unwrap();
        chat.check().unwrap();
        let turns = chat.turns(&serde_json::from_str(record).unwrap()).map_err(|cause| cause.to_string())?;
        Ok(turns.into_iter().map(|turn| (turn.role, turn.text)).collect())
    }

    fn say(role: Role, text: &str) -> (Role, String) {
        (role, text.to_owned())
    }

    #[test]
    fn messages_of_both_dialects() {
        let open = r#"{"m": [{"role": "system", "content": " "}, {"role": "user", "content": "안녕?"}, {"role": "assistant", "content": [{"type": "text", "text": "안"}, {"text": "녕!"}]}]}"#;
        let expected = vec![say(Role::User, "안녕?"), say(Role::Assistant, "안녕!")];
        assert_eq!(turns(r#"{"messages": "m"}"#, open).unwrap(), expected);
        let share = r#"{"s": "짧게.", "x": {"c": [{"from": "human", "value": "안녕?"}, {"from": "gpt", "value": "안녕!"}]}}"#;
        let with_system = turns(r#"{"messages": "x.c", "system": "s"}"#, share).unwrap();
        assert_eq!(with_system, [vec![say(Role::System, "짧게.")], expected].concat());
    }

    #[test]
    fn instructions_with_and_without_input() {
        let chat = r#"{"instruction": "q", "input": "i", "output": "a"}"#;
        let (user, assistant) = (say(Role::User, "번역"), say(Role::Assistant, "cat"));
        assert_eq!(
            turns(chat, r#"{"q": "번역", "i": "고양이", "a": "cat"}"#).unwrap(),
            [user.clone(), say(Role::Input, "고양이"), assistant.clone()]
        );
        for without in [r#"{"q": "번역", "i": "", "a": "cat"}"#, r#"{"q": "번역", "i": null, "a": "cat"}"#, r#"{"q": "번역", "a": "cat"}"#]
        {
            assert_eq!(turns(chat, without).unwrap(), [user.clone(), assistant.clone()]);
        }
        assert_eq!(joined(&[Turn { role: Role::User, text: "a".into() }, Turn { role: Role::Assistant, text: "b".into() }]), "a\n\nb");
    }

    #[test]
    fn what_is_no_conversation_names_the_field() {
        let refused = |record: &str| turns(r#"{"messages": "m"}"#, record).unwrap_err();
        assert_eq!(refused("{}"), "no field `m`");
        assert_eq!(refused(r#"{"m": "hi"}"#), "field `m` is a string, not a list of messages");
        assert_eq!(refused(r#"{"m": []}"#), "field `m`: no message of the assistant, so nothing to learn");
        assert_eq!(refused(r#"{"m": [3]}"#), "field `m[0]` is a number, not an object");
        assert_eq!(refused(r#"{"m": [{"content": "a"}]}"#), "no field `m[0].role`");
        let robot = r#"{"m": [{"role": "robot", "content": "a"}]}"#;
        assert_eq!(refused(robot), "field `m[0].role`: `robot` is not one of system, user, human, assistant, gpt, tool");
        let silent = r#"{"m": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "\n"}]}"#;
        assert_eq!(refused(silent), "field `m[1].content`: nothing is said");
        let image = r#"{"m": [{"role": "user", "content": [{"type": "image"}]}]}"#;
        assert_eq!(refused(image), "field `m[0].content[0]`: a part of type `image`, not text");
        let calls = r#"{"m": [{"role": "assistant", "content": "a", "tool_calls": [{}]}]}"#;
        assert_eq!(refused(calls), "field `m[0].tool_calls`: is not supported, and would be lost");
        let alpaca = r#"{"instruction": "q", "output": "a"}"#;
        assert_eq!(turns(alpaca, r#"{"q": "a"}"#).unwrap_err(), "no field `a`");
        assert_eq!(turns(alpaca, r#"{"q": 1, "a": "b"}"#).unwrap_err(), "field `q` is a number, not a string");
    }

    #[test]
    fn fields_must_fit_together() {
        let check = |chat: &str| serde_json::from_str::<ChatFields>(chat).unwrap().check();
        assert!(check("{}").is_err() && check(r#"{"instruction": "q"}"#).is_err());
        assert!(check(r#"{"messages": "m", "output": "a"}"#).is_err() && check(r#"{"messages": "m", "input": "a"}"#).is_err());
        assert!(check(r#"{"messages": "m..n"}"#).is_err());
        assert!(serde_json::from_str::<ChatFields>(r#"{"message": "m"}"#).is_err());
    }
}
