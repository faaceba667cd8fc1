//! Which parts of a rendered conversation are the assistant's.
//!
//! A template with `{% generation %}` blocks says so itself. Of any other, an answer is what comes
//! after the prompt that is rendered for it: what a server would send is not learned, what the model
//! has to write then is, up to and with what ends its turn.

use std::ops::Range;

use super::guard::ESCAPE;
use super::{ASSISTANT, ChatTemplate, Message};
use crate::error::{Error, Result};

/// Stand in rendered text where a `{% generation %}` block begins and ends.
pub(super) const MARKS: [char; 2] = ['\u{fdd1}', '\u{fdd2}'];

/// The template with its `{% generation %}` and `{% endgeneration %}` turned into marks, and whether
/// it has any. Jinja's white space control goes on to hold, because a mark is written by a block.
pub(super) fn with_marks(template: &str) -> (String, bool) {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    let mut marked = false;
    while let Some(start) = rest.find("{%") {
        let (before, block) = rest.split_at(start);
        out.push_str(before);
        // Behind the sign that opens it: `{%}` opens a block and does not close it.
        let Some(end) = block[2..].find("%}").map(|end| end + 2) else { break };
        let (block, after) = block.split_at(end + 2);
        let inside = &block[2..end];
        let mark = match inside.trim_matches(|c: char| c.is_whitespace() || c == '-' || c == '+') {
            "generation" => Some(MARKS[0]),
            "endgeneration" => Some(MARKS[1]),
            _ => None,
        };
        if let Some(mark) = mark {
            let sign = |c: Option<char>| c.filter(|c| matches!(c, '-' | '+')).map_or(String::new(), String::from);
            let (left, right) = (sign(inside.chars().next()), sign(inside.chars().next_back()));
            out.push_str(&format!("{{%{left} if true %}}{mark}{{% endif {right}%}}"));
            marked = true;
        } else {
            out.push_str(block);
        }
        rest = after;
    }
    out.push_str(rest);
    (out, marked)
}

/// A rendered conversation, guarded, and the byte ranges of it that are learned.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rendered {
    pub(super) text: String,
    pub(super) learned: Vec<Range<usize>>,
}

/// Renders guarded messages.
pub(super) fn render(template: &ChatTemplate, messages: &[Message], eos: &str) -> Result<Rendered> {
    let text = template.render_marked(messages, false, eos)?;
    let refuse = |detail: String| Error::chat(&template.text().name, detail);
    if template.is_marked() { take_marks(&text).map_err(refuse) } else { by_prefix(template, messages, eos, text) }
}

/// Takes the marks out of a text.
fn take_marks(marked: &str) -> std::result::Result<Rendered, String> {
    let mut rendered = Rendered { text: String::with_capacity(marked.len()), learned: Vec::new() };
    let mut open = None;
    let mut escaped = false;
    for c in marked.chars() {
        let at = rendered.text.len();
        match c {
            _ if escaped => rendered.text.push(c),
            c if c == MARKS[0] && open.is_none() => open = Some(at),
            c if c == MARKS[1] && open.is_some() => rendered.learned.extend(open.take().filter(|start| *start < at).map(|start| start..at)),
            c if MARKS.contains(&c) => return Err("its {% generation %} blocks do not open and close in turn".to_owned()),
            c => rendered.text.push(c),
        }
        escaped = c == ESCAPE && !escaped;
    }
    if open.is_some() {
        return Err("it leaves a {% generation %} block open".to_owned());
    }
    Ok(rendered)
}

/// Finds each answer between the prompt for it and what comes after it.
fn by_prefix(template: &ChatTemplate, messages: &[Message], eos: &str, text: String) -> Result<Rendered> {
    let mut learned: Vec<Range<usize>> = Vec::new();
    for (number, message) in messages.iter().enumerate().filter(|(_, message)| message.role == ASSISTANT) {
        let refuse = |detail: &str| Error::chat(&template.text().name, format!("message {number}: {detail}"));
        let prompt = template.render_marked(&messages[..number], true, eos)?;
        let free = learned.last().map_or(0, |span| span.end);
        if !text.starts_with(&prompt) || prompt.len() < free {
            let line = prompt.lines().next_back().unwrap_or_default();
            return Err(refuse(&format!(
                "the prompt for this answer, which ends with {line:?}, is not how it stands in the conversation; use a template with {{% generation %}} blocks"
            )));
        }
        let start = prompt.len();
        let until = template.render_marked(&messages[..=number], false, eos)?;
        let end = if text.starts_with(&until) {
            until.len()
        } else {
            // Some templates write the last answer with its thoughts, and earlier ones without.
            start
                + shortened(until.get(start..).unwrap_or_default(), &text[start..], message.content.trim())
                    .ok_or_else(|| refuse("the template does not write the answer as it was given, so it cannot be found"))?
        };
        if end <= start {
            return Err(refuse("the template writes nothing of the answer"));
        }
        learned.push(start..end);
    }
    Ok(Rendered { text, learned })
}

/// Length of the answer at the beginning of `text`, of which `last` is how it stands as the last one: what
/// both end with alike, the last line that was said and what ends the turn at least.
fn shortened(last: &str, text: &str, said: &str) -> Option<usize> {
    let line = said.lines().next_back().map(str::trim).filter(|line| !line.is_empty())?;
    let least = last.len() - last.rfind(line)?;
    let starts = last.char_indices().map(|(at, _)| at).take_while(|at| last.len() - at >= least);
    starts.map(|at| &last[at..]).find(|end| text.starts_with(end)).map(str::len)
}
