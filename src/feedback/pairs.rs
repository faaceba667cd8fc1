//! Examples and pairs of answers, out of opinions on them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::record::{Opinion, Record, Turn};

/// Records by their prompts, in the order in which these were met.
pub(super) struct Prompts {
    places: BTreeMap<String, usize>,
    all: Vec<Prompt>,
    repeated: u64,
    without_opinion: u64,
}

/// One prompt with the answers that were given or wished for.
struct Prompt {
    turns: Vec<Turn>,
    answers: Vec<Answer>,
    /// What was corrected, and by what: places in `answers`.
    corrections: Vec<(usize, usize)>,
}

struct Answer {
    text: String,
    good: u64,
    bad: u64,
}

/// What becomes of feedback.
#[derive(Debug, Default)]
pub(super) struct Made {
    /// `{ id, messages }`.
    pub(super) examples: Vec<Value>,
    /// `{ id, prompt, chosen, rejected }`.
    pub(super) pairs: Vec<Value>,
    pub(super) prompts: u64,
    /// Records that say what another one said.
    pub(super) repeated: u64,
    /// Records without a rating that says something, and without a correction.
    pub(super) without_opinion: u64,
    /// Answers that some call good and some bad.
    pub(super) contradicted: u64,
    /// Good answers after answers that nobody rated: an example would teach those too. Their pairs teach the last alone.
    pub(super) after_unrated: u64,
    /// Bad answers to prompts without a better one.
    pub(super) without_better: u64,
}

impl Prompts {
    pub(super) fn new() -> Self {
        Self { places: BTreeMap::new(), all: Vec::new(), repeated: 0, without_opinion: 0 }
    }

    pub(super) fn add(&mut self, record: Record) {
        let Record { turns, response, opinion, correction } = record;
        if opinion == Opinion::None && correction.is_none() {
            self.without_opinion += 1;
            return;
        }
        let place = *self.places.entry(json!(turns).to_string()).or_insert(self.all.len());
        if place == self.all.len() {
            self.all.push(Prompt { turns, answers: Vec::new(), corrections: Vec::new() });
        }
        let prompt = &mut self.all[place];
        let answer = prompt.answer(response);
        match correction.map(|text| prompt.answer(text)) {
            // What had to be corrected was not good, whatever else was said of it.
            Some(corrected) => {
                if prompt.corrections.contains(&(answer, corrected)) {
                    self.repeated += 1;
                }
                prompt.corrections.push((answer, corrected));
                prompt.answers[answer].bad += 1;
                prompt.answers[corrected].good += 1;
            }
            None => {
                let Answer { good, bad, .. } = &mut prompt.answers[answer];
                let votes = if opinion == Opinion::Good { good } else { bad };
                self.repeated += u64::from(*votes > 0);
                *votes += 1;
            }
        }
    }

    pub(super) fn finish(self) -> Made {
        let mut made =
            Made { prompts: self.all.len() as u64, repeated: self.repeated, without_opinion: self.without_opinion, ..Made::default() };
        self.all.iter().for_each(|prompt| prompt.finish(&mut made));
        made
    }
}

impl Prompt {
    /// The place of an answer.
    fn answer(&mut self, text: String) -> usize {
        self.answers.iter().position(|answer| answer.text == text).unwrap_or_else(|| {
            self.answers.push(Answer { text, good: 0, bad: 0 });
            self.answers.len() - 1
        })
    }

    fn finish(&self, made: &mut Made) {
        let good = |answer: &Answer| answer.good > 0 && answer.bad == 0;
        let bad = |answer: &Answer| answer.bad > 0 && answer.good == 0;
        made.contradicted += self.answers.iter().filter(|answer| answer.good > 0 && answer.bad > 0).count() as u64;
        let unrated = self.turns.iter().any(|turn| turn.role == "assistant");
        for answer in self.answers.iter().filter(|answer| good(answer)) {
            if unrated {
                made.after_unrated += 1;
                continue;
            }
            let turns: Vec<Value> = self.turns.iter().map(|turn| json!(turn)).collect();
            let messages = [turns, vec![json!({ "role": "assistant", "content": answer.text })]].concat();
            made.examples.push(json!({ "id": id(&json!(messages)), "messages": messages }));
        }
        // The answer that most call good; of equals the first.
        let best = self
            .answers
            .iter()
            .enumerate()
            .filter(|(_, answer)| good(answer))
            .max_by_key(|(at, answer)| (answer.good, std::cmp::Reverse(*at)));
        for (at, answer) in self.answers.iter().enumerate().filter(|(_, answer)| bad(answer)) {
            let corrected =
                self.corrections.iter().find(|(from, to)| *from == at && good(&self.answers[*to])).map(|(_, to)| &self.answers[*to]);
            match corrected.or(best.map(|(_, answer)| answer)) {
                Some(chosen) => made.pairs.push(self.pair(&chosen.text, &answer.text)),
                None => made.without_better += 1,
            }
        }
    }

    fn pair(&self, chosen: &str, rejected: &str) -> Value {
        // A prompt alone is a text; with turns before it, all are messages.
        let prompt = match self.turns.as_slice() {
            [one] => json!(one.content),
            several => json!(several),
        };
        let id = id(&json!([prompt, chosen, rejected]));
        json!({ "id": id, "prompt": prompt, "chosen": chosen, "rejected": rejected })
    }
}

/// A name that follows from the content.
fn id(content: &Value) -> String {
    let hash = blake3::hash(content.to_string().as_bytes()).to_hex();
    format!("feedback-{}", &hash[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(records: &[(&str, &str, Opinion, Option<&str>)]) -> Made {
        let mut prompts = Prompts::new();
        for (prompt, response, opinion, correction) in records {
            let turns = vec![Turn { role: "user".to_owned(), content: (*prompt).to_owned() }];
            prompts.add(Record { turns, response: (*response).to_owned(), opinion: *opinion, correction: correction.map(str::to_owned) });
        }
        prompts.finish()
    }

    fn pairs(made: &Made) -> Vec<[&str; 3]> {
        made.pairs.iter().map(|pair| ["prompt", "chosen", "rejected"].map(|key| pair[key].as_str().unwrap())).collect()
    }

    fn examples(made: &Made) -> Vec<[&str; 2]> {
        made.examples.iter().map(|example| [0, 1].map(|at| example["messages"][at]["content"].as_str().unwrap())).collect()
    }

    #[test]
    fn corrections_and_ratings_become_examples_and_pairs() {
        use Opinion::{Bad, Good, None as No};
        let made = made(&[
            ("p", "wrong", No, Some("right")),
            ("p", "awful", Bad, None),
            ("p", "right", Good, None),
            ("p", "fine", Good, None),
            ("q", "x", Bad, None),
            ("r", "good", Good, None),
            ("r", "good", Good, None),
            ("s", "meh", No, None),
        ]);
        // The correction has two voices, so it is what the other bad answer is compared with.
        assert_eq!(pairs(&made), [["p", "right", "wrong"], ["p", "right", "awful"]]);
        assert_eq!(examples(&made), [["p", "right"], ["p", "fine"], ["r", "good"]]);
        assert_eq!((made.prompts, made.repeated, made.without_opinion, made.contradicted, made.without_better), (3, 2, 1, 0, 1));
    }

    #[test]
    fn what_some_call_good_and_some_bad_is_neither() {
        use Opinion::{Bad, Good};
        let made = made(&[
            ("p", "a", Good, None),
            ("p", "a", Bad, None),
            ("p", "b", Bad, Some("c")),
            ("p", "c", Bad, None),
            ("p", "d", Good, None),
        ]);
        // The correction `c` was called bad by another, so that `b` is compared with `d`.
        assert_eq!(pairs(&made), [["p", "d", "b"]]);
        assert_eq!(examples(&made), [["p", "d"]]);
        assert_eq!(made.contradicted, 2);
    }

    #[test]
    fn names_follow_from_the_content() {
        let [one, other] = [("p", "a"), ("p", "b")].map(|(prompt, answer)| made(&[(prompt, answer, Opinion::Good, None)]));
        assert_ne!(one.examples[0]["id"], other.examples[0]["id"]);
        assert!(one.examples[0]["id"].as_str().unwrap().starts_with("feedback-"));
    }
}
