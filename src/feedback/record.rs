//! One record of feedback.

use corpora::Document;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Fields beside `prompt`; others are left alone.
pub(super) const FIELDS: [&str; 5] = ["response", "rating", "correction", "system", "history"];

/// A turn before the prompt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Turn {
    pub(super) role: String,
    pub(super) content: String,
}

/// What a user thought of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opinion {
    Good,
    Bad,
    /// Nothing was said, or something between.
    None,
}

/// One answer of a model, and what was said of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Record {
    /// All turns before the answer; the last is the user's.
    pub(super) turns: Vec<Turn>,
    pub(super) response: String,
    pub(super) opinion: Opinion,
    /// What should have been answered.
    pub(super) correction: Option<String>,
}

impl Record {
    /// Reads a record; ratings from 1 to 5 are good from `good` on and bad up to `bad`.
    pub(super) fn new(document: Document, good: f64, bad: f64) -> Result<Self, String> {
        let Document { text: prompt, mut meta, .. } = document;
        let response = text(&mut meta, "response")?.ok_or("it has no `response`")?;
        let correction = text(&mut meta, "correction")?.filter(|correction| *correction != response);
        let opinion = opinion(meta.get("rating").unwrap_or(&Value::Null), good, bad)?;
        let mut turns = Vec::new();
        turns.extend(text(&mut meta, "system")?.map(|content| Turn { role: "system".to_owned(), content }));
        if let Some(history) = meta.remove("history").filter(|history| !history.is_null()) {
            let history: Vec<Turn> = serde_json::from_value(history).map_err(|error| format!("`history`: {error}"))?;
            if let Some(turn) = history.iter().find(|turn| !matches!(turn.role.as_str(), "user" | "assistant" | "system" | "tool")) {
                return Err(format!("`history` has the role {:?}", turn.role));
            }
            turns.extend(history);
        }
        if prompt.trim().is_empty() {
            return Err("`prompt` is empty".to_owned());
        }
        turns.push(Turn { role: "user".to_owned(), content: prompt.trim().to_owned() });
        Ok(Self { turns, response, opinion, correction })
    }

    /// Bytes of its texts.
    pub(super) fn bytes(&self) -> u64 {
        let turns: usize = self.turns.iter().map(|turn| turn.content.len()).sum();
        (turns + self.response.len() + self.correction.as_ref().map_or(0, String::len)) as u64
    }
}

/// A text without white space around it; an empty one is none.
fn text(meta: &mut Map<String, Value>, name: &str) -> Result<Option<String>, String> {
    match meta.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
        Some(other) => Err(format!("`{name}` is {other}, not a text")),
    }
}

fn opinion(rating: &Value, good: f64, bad: f64) -> Result<Opinion, String> {
    let refuse = || Err(format!("`rating` is {rating}: none of 1 to 5, true, false, \"up\", \"down\", \"good\", \"bad\""));
    Ok(match rating {
        Value::Null => Opinion::None,
        Value::Bool(true) => Opinion::Good,
        Value::Bool(false) => Opinion::Bad,
        Value::String(word) => match word.trim().to_lowercase().as_str() {
            "up" | "good" => Opinion::Good,
            "down" | "bad" => Opinion::Bad,
            _ => return refuse(),
        },
        Value::Number(number) => match number.as_f64() {
            Some(number) if !(1.0..=5.0).contains(&number) => return refuse(),
            Some(number) if number >= good => Opinion::Good,
            Some(number) if number <= bad => Opinion::Bad,
            _ => Opinion::None,
        },
        _ => return refuse(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(prompt: &str, meta: Value) -> Result<Record, String> {
        let mut document = Document::new("id", prompt, "feedback", "feedback");
        document.meta = meta.as_object().unwrap().clone();
        Record::new(document, 4.0, 2.0)
    }

    #[test]
    fn ratings_of_several_kinds_are_one_opinion() {
        let of = |rating: Value| record("p", json!({ "response": "r", "rating": rating })).map(|record| record.opinion);
        for good in [json!(4), json!(5.0), json!(true), json!("up"), json!(" Good ")] {
            assert_eq!(of(good.clone()), Ok(Opinion::Good), "{good}");
        }
        for bad in [json!(1), json!(2), json!(false), json!("down"), json!("BAD")] {
            assert_eq!(of(bad.clone()), Ok(Opinion::Bad), "{bad}");
        }
        assert_eq!((of(json!(3)), of(json!(3.9)), of(Value::Null)), (Ok(Opinion::None), Ok(Opinion::None), Ok(Opinion::None)));
        for refused in [json!(0), json!(-1), json!(5.1), json!("fine"), json!([1])] {
            assert!(of(refused.clone()).unwrap_err().contains("none of 1 to 5"), "{refused}");
        }
    }

    #[test]
    fn turns_are_in_their_order_and_a_correction_that_changes_nothing_is_none() {
        let history = json!([{ "role": "user", "content": "a" }, { "role": "assistant", "content": "b" }]);
        let read = record(" p ", json!({ "response": " r ", "correction": "r", "system": "s", "history": history })).unwrap();
        let said: Vec<(&str, &str)> = read.turns.iter().map(|turn| (turn.role.as_str(), turn.content.as_str())).collect();
        assert_eq!(said, [("system", "s"), ("user", "a"), ("assistant", "b"), ("user", "p")]);
        assert_eq!((read.response.as_str(), read.correction), ("r", None));
        for (meta, message) in [
            (json!({}), "no `response`"),
            (json!({ "response": 1 }), "`response` is 1, not a text"),
            (json!({ "response": "r", "history": "x" }), "`history`"),
            (json!({ "response": "r", "history": [{ "role": "root", "content": "x" }] }), "the role \"root\""),
            (json!({ "response": "r", "correction": ["x"] }), "`correction` is"),
        ] {
            assert!(record("p", meta).unwrap_err().contains(message), "{message}");
        }
        assert!(record("  ", json!({ "response": "r" })).unwrap_err().contains("`prompt` is empty"));
    }
}
