//! Preference data: a prompt with answers that someone has judged.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::chat::{Role, Turn, bad, messages_of, optional};
use crate::error::Cause;
use crate::fields::{found, lookup};

/// What was said of the answers at the end of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Judged {
    /// The last two turns are answers to what comes before them, the better one first. The number says by how
    /// much it is better, where that is known; else it is 0.
    Pair(f32),
    /// The last turn is a good answer.
    Desirable,
    /// The last turn is a bad answer.
    Undesirable,
}

impl Judged {
    /// Turns at the end that are judged answers.
    pub fn answers(self) -> usize {
        match self {
            Self::Pair(_) => 2,
            Self::Desirable | Self::Undesirable => 1,
        }
    }
}

/// The recipe's `preference` of a source: which fields of a record are a prompt and its answers. One of three forms:
/// `chosen` and `rejected`; `completions` and `ranking`; `completion` and `label`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct PreferenceFields {
    /// What is answered: a text, or a list of messages as in `chat.messages`. Without it `chosen` and `rejected` are whole
    /// conversations, lists of messages or texts with `Human:` and `Assistant:` after blank lines, and the prompt is how
    /// both begin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// What holds for the whole conversation. A record without it, or with an empty one, has none. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// The better answer: a text, or a list with one message of the assistant (perhaps after the prompt's).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chosen: Option<String>,
    /// The worse answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected: Option<String>,
    /// How much better the chosen answer is, a number of 0 or more. Default: not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub margin: Option<String>,
    /// Fields with one answer each, or one field with a list of them. The best and the worst become the pair.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub completions: Vec<String>,
    /// A list with the rank of each of `completions`; the lowest number is the best.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ranking: Option<String>,
    /// An answer that is judged by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completion: Option<String>,
    /// Whether that answer is good: true or false, 1 or 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

impl PreferenceFields {
    /// Names of all fields.
    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        let single = [&self.prompt, &self.system, &self.chosen, &self.rejected, &self.margin, &self.ranking, &self.completion, &self.label];
        single.into_iter().flatten().chain(&self.completions)
    }

    /// Refuses fields that make no preference; gives why.
    pub(crate) fn check(&self) -> Result<(), String> {
        let pair = [&self.chosen, &self.rejected].map(Option::is_some);
        let ranked = [!self.completions.is_empty(), self.ranking.is_some()];
        let single = [&self.completion, &self.label].map(Option::is_some);
        let whole = [pair, ranked, single].map(|form| form == [true, true]);
        let begun = [pair, ranked, single].map(|form| form != [false, false]);
        if whole != begun || whole.iter().filter(|form| **form).count() != 1 {
            return Err(
                "`preference` needs `chosen` and `rejected`, or `completions` and `ranking`, or `completion` and `label`".to_owned()
            );
        }
        if self.prompt.is_none() && pair != [true, true] {
            return Err("`preference` needs `prompt`; `chosen` and `rejected` alone may hold it".to_owned());
        }
        if self.margin.is_some() && pair != [true, true] {
            return Err("`preference.margin` is for `chosen` and `rejected`".to_owned());
        }
        match self.names().find(|name| name.split('.').any(str::is_empty)) {
            Some(name) => Err(format!("`preference` must name fields or dotted paths, not `{name}`")),
            None => Ok(()),
        }
    }

    /// The conversation of a record, which ends with the judged answers.
    pub(crate) fn turns(&self, record: &Map<String, Value>) -> Result<(Vec<Turn>, Judged), Cause> {
        let mut turns = Vec::new();
        optional(record, self.system.as_ref(), Role::System, &mut turns)?;
        if let Some(name) = &self.prompt {
            turns.extend(conversation(field(record, name)?, name)?);
        }
        let judged = if let (Some(chosen), Some(rejected)) = (&self.chosen, &self.rejected) {
            self.pair(record, chosen, rejected, &mut turns)?
        } else if let Some(ranking) = &self.ranking {
            self.ranked(record, ranking, &mut turns)?
        } else {
            let (completion, label) = (self.completion.as_deref().unwrap_or_default(), self.label.as_deref().unwrap_or_default());
            turns.push(answer(field(record, completion)?, completion, &turns)?);
            match good(field(record, label)?, label)? {
                true => Judged::Desirable,
                false => Judged::Undesirable,
            }
        };
        let prompt = &turns[..turns.len() - judged.answers()];
        let name = self.prompt.as_deref().or(self.chosen.as_deref()).unwrap_or_default();
        match prompt.last().map(|turn| turn.role) {
            None | Some(Role::System) => bad(name, "no prompt"),
            Some(Role::Assistant) => bad(name, "the prompt ends with an answer"),
            Some(Role::User | Role::Input | Role::Tool) => Ok((turns, judged)),
        }
    }

    fn pair(&self, record: &Map<String, Value>, chosen: &str, rejected: &str, turns: &mut Vec<Turn>) -> Result<Judged, Cause> {
        let values = [field(record, chosen)?, field(record, rejected)?];
        let [better, worse] = if self.prompt.is_some() {
            [answer(values[0], chosen, turns)?, answer(values[1], rejected, turns)?]
        } else {
            let whole = [conversation(values[0], chosen)?, conversation(values[1], rejected)?];
            let same = whole[0].iter().zip(&whole[1]).take_while(|(a, b)| a == b).count();
            if whole[0] == whole[1] {
                return bad(rejected, "the same answer as the chosen one");
            }
            let [better, worse] = whole.each_ref().map(|turns| turns.get(same..).unwrap_or_default());
            let ([Turn { role: Role::Assistant, .. }], [Turn { role: Role::Assistant, .. }]) = (better, worse) else {
                return bad(rejected, "the conversations differ in more than one last answer");
            };
            turns.extend_from_slice(&whole[0][..same]);
            [better[0].clone(), worse[0].clone()]
        };
        if better.text.trim() == worse.text.trim() {
            return bad(rejected, "the same answer as the chosen one");
        }
        turns.extend([better, worse]);
        let Some(name) = &self.margin else { return Ok(Judged::Pair(0.0)) };
        match field(record, name)? {
            Value::Number(number) => {
                match number.as_f64().map(|number| number as f32).filter(|number| number.is_finite() && *number >= 0.0) {
                    Some(margin) => Ok(Judged::Pair(margin)),
                    None => bad(name, format!("{number}, not a number of 0 or more")),
                }
            }
            other => Err(wrong(name, other, "a number")),
        }
    }

    /// The best and the worst of several answers; of equal ranks the first.
    fn ranked(&self, record: &Map<String, Value>, ranking: &str, turns: &mut Vec<Turn>) -> Result<Judged, Cause> {
        let mut answers = Vec::new();
        for name in &self.completions {
            match field(record, name)? {
                Value::Array(list) if self.completions.len() == 1 => {
                    for (number, value) in list.iter().enumerate() {
                        answers.push(answer(value, &format!("{name}[{number}]"), turns)?);
                    }
                }
                value => answers.push(answer(value, name, turns)?),
            }
        }
        let Value::Array(ranks) = field(record, ranking)? else { return bad(ranking, "not a list of ranks") };
        let ranks: Option<Vec<f64>> = ranks.iter().map(|rank| rank.as_f64().filter(|rank| rank.is_finite())).collect();
        let Some(ranks) = ranks.filter(|ranks| ranks.len() == answers.len() && !ranks.is_empty()) else {
            return bad(ranking, format!("not {} numbers, one for each answer", answers.len()));
        };
        let ranked = || ranks.iter().zip(&answers);
        let (Some((best, better)), Some((last, worse))) = (
            ranked().reduce(|best, other| if other.0 < best.0 { other } else { best }),
            ranked().reduce(|last, other| if other.0 > last.0 { other } else { last }),
        ) else {
            return bad(ranking, "no ranks");
        };
        if best == last {
            return bad(ranking, "all answers have the same rank");
        }
        if better.text.trim() == worse.text.trim() {
            return bad(ranking, "the best and the worst answer are the same");
        }
        let pair = [better.clone(), worse.clone()];
        turns.extend(pair);
        Ok(Judged::Pair(0.0))
    }
}

fn wrong(field: &str, value: &Value, wanted: &'static str) -> Cause {
    Cause::WrongType { field: field.to_owned(), found: found(value), wanted }
}

fn field<'a>(record: &'a Map<String, Value>, name: &str) -> Result<&'a Value, Cause> {
    lookup(record, name).filter(|value| !value.is_null()).ok_or_else(|| Cause::MissingField(name.to_owned()))
}

/// A text that is one question, a text of a dialogue, or a list of messages.
fn conversation(value: &Value, name: &str) -> Result<Vec<Turn>, Cause> {
    let mut turns = Vec::new();
    match value {
        Value::String(text) if SPEAKERS.iter().any(|(mark, _)| text.trim_start().starts_with(mark)) => dialogue(text, name, &mut turns)?,
        Value::String(text) if text.trim().is_empty() => return bad(name, "nothing is said"),
        Value::String(text) => turns.push(Turn { role: Role::User, text: text.clone() }),
        Value::Array(list) => messages_of(list, name, &mut turns)?,
        other => return Err(wrong(name, other, "a text or a list of messages")),
    }
    Ok(turns)
}

/// Who speaks in the texts of Bai et al. 2022 (HH-RLHF), each after a blank line.
const SPEAKERS: [(&str, Role); 2] = [("Human:", Role::User), ("Assistant:", Role::Assistant)];

fn dialogue(text: &str, name: &str, turns: &mut Vec<Turn>) -> Result<(), Cause> {
    let mut rest = text.trim_start();
    while let Some((mark, role)) = SPEAKERS.iter().find(|(mark, _)| rest.starts_with(mark)) {
        let said = &rest[mark.len()..];
        let next = SPEAKERS.iter().filter_map(|(mark, _)| said.find(&format!("\n\n{mark}"))).min();
        let (said, after) = said.split_at(next.unwrap_or(said.len()));
        if said.trim().is_empty() {
            return bad(name, format!("turn {} says nothing", turns.len() + 1));
        }
        turns.push(Turn { role: *role, text: said.trim().to_owned() });
        rest = after.trim_start();
    }
    Ok(())
}

/// One answer: a text, or a list whose last message is the assistant's and which may repeat the prompt before it.
fn answer(value: &Value, name: &str, prompt: &[Turn]) -> Result<Turn, Cause> {
    let list = match value {
        Value::String(text) if text.trim().is_empty() => return bad(name, "an empty answer"),
        Value::String(text) => return Ok(Turn { role: Role::Assistant, text: text.clone() }),
        Value::Array(list) => list,
        other => return Err(wrong(name, other, "a text or a list of messages")),
    };
    let mut turns = Vec::new();
    messages_of(list, name, &mut turns)?;
    match turns.pop() {
        Some(last) if last.role == Role::Assistant && (turns.is_empty() || turns == prompt) => Ok(last),
        Some(last) if last.role == Role::Assistant => bad(name, "the messages before the answer are not those of the prompt"),
        _ => bad(name, "the last message is not the assistant's"),
    }
}

fn good(value: &Value, name: &str) -> Result<bool, Cause> {
    match value {
        Value::Bool(good) => Ok(*good),
        Value::Number(number) if number.as_u64() == Some(1) => Ok(true),
        Value::Number(number) if number.as_u64() == Some(0) => Ok(false),
        Value::Number(number) => bad(name, format!("{number}, not 0 or 1")),
        other => Err(wrong(name, other, "true or false")),
    }
}

#[cfg(test)]
mod tests;
