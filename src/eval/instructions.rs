//! Instruction following that a rule can check: IFEval (Zhou et al. 2023) and the Korean kinds of KITE.
//!
//! The definitions are the papers'. Where a published checker and its own instruction disagree, the
//! instruction decides:
//! - An instruction whose options are not in the file is not checked, and counted as such. The published
//!   checkers draw a random option then, and score the response by it.
//! - Options and fixed answers count in Korean as they do in English: KITE asks for `내 대답은 예입니다.`
//!   and its checker knows `제 대답은 예입니다.` alone.
//! - A Korean keyword that is forbidden is found with its particles too.
//! - The Korean kinds look at the answer itself: without the request that had to be repeated before it, and
//!   without the phrase that had to end it.

mod check;
mod korean;
mod language;
mod rules;
mod sentences;
mod text;

use serde_json::{Map, Value};

use check::Check;

/// One instruction of a prompt.
#[derive(Clone, Debug)]
pub(super) struct Instruction {
    /// Its name in the set, such as `keywords:existence`.
    pub(super) id: String,
    /// None where the file does not say enough to check it.
    check: Option<Check>,
}

/// What became of the instructions of one prompt, in their order; those that cannot be checked are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Followed {
    /// Names.
    pub(super) ids: Vec<String>,
    /// By the response as it is.
    pub(super) strict: Vec<bool>,
    /// By any of the response's eight forms: without its first line, its last line, both, and asterisks.
    pub(super) loose: Vec<bool>,
}

impl Instruction {
    /// The instruction `id` with the options `kwargs` of a prompt; the second value says why it cannot be checked.
    pub(super) fn new(id: &str, kwargs: &Map<String, Value>, prompt: &str) -> (Self, Option<String>) {
        match Check::new(id, kwargs, prompt) {
            Ok(check) => (Self { id: id.to_owned(), check: Some(check) }, None),
            Err(reason) => (Self { id: id.to_owned(), check: None }, Some(format!("{id}: {reason}"))),
        }
    }
}

/// Checks a response. An empty one follows nothing.
pub(super) fn check(instructions: &[Instruction], response: &str) -> Followed {
    let checks: Vec<&Check> = instructions.iter().filter_map(|instruction| instruction.check.as_ref()).collect();
    let forms = forms(response);
    let follows = |check: &Check, form: &str| {
        let body = if check.is_korean() { body(&checks, form) } else { form };
        !body.trim().is_empty() && check.follows(body)
    };
    let mut followed = Followed::default();
    for instruction in instructions {
        let Some(check) = &instruction.check else { continue };
        followed.ids.push(instruction.id.clone());
        followed.strict.push(follows(check, response));
        followed.loose.push(forms.iter().any(|form| follows(check, form)));
    }
    followed
}

/// The forms of a response that the loose accuracy looks at.
fn forms(response: &str) -> Vec<String> {
    let lines: Vec<&str> = response.split('\n').collect();
    let without = |first: usize, last: usize| {
        let end = lines.len().saturating_sub(last);
        lines.get(first..end).map_or_else(String::new, |lines| lines.join("\n").trim().to_owned())
    };
    let cut = [response.to_owned(), without(1, 0), without(0, 1), without(1, 1)];
    let plain = cut.clone().map(|form| form.replace('*', ""));
    cut.into_iter().chain(plain).collect()
}

/// A response without what other instructions of the prompt put around it.
fn body<'a>(checks: &[&Check], response: &'a str) -> &'a str {
    let mut body = response.trim();
    for check in checks {
        body = match check {
            Check::Quotation => body.strip_prefix('"').and_then(|body| body.strip_suffix('"')).unwrap_or(body).trim(),
            _ => body,
        };
    }
    for check in checks {
        body = match check {
            Check::Repeat(request) => body.strip_prefix(request.as_str()).unwrap_or(body).trim(),
            Check::End(phrase) => body.strip_suffix(phrase.as_str()).unwrap_or(body).trim(),
            _ => body,
        };
    }
    body
}

#[cfg(test)]
mod tests;
