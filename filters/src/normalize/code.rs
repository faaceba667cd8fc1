//! Code inside prose: fenced blocks and inline backticks, found as CommonMark does.

use std::collections::HashMap;

/// What a piece of a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Prose,
    /// Backticks with what they enclose.
    Inline,
    /// A fenced block from its opening line to the end of its closing one, without the line end.
    Fenced,
}

/// Most visible characters between two inline marks. A stray backtick (`9 o`clock`) must not turn
/// a page into code.
const MAX_INLINE: usize = 400;

/// Does the text hold anything that could mark code?
pub(super) fn has_marks(text: &str) -> bool {
    text.contains('`') || text.contains("~~~")
}

/// The text as a sequence of pieces that joined give the text again.
///
/// A fence is a line that begins, after any indentation, with three or more backticks or tildes;
/// it reaches to a line of at least as many, or to the end. Inline code lies between two runs of
/// equally many backticks and does not cross a fence.
pub(super) fn pieces(text: &str) -> Vec<(Kind, &str)> {
    let mut pieces = Vec::new();
    if !has_marks(text) {
        pieces.push((Kind::Prose, text));
        return pieces;
    }
    let (mut prose, mut fence): (usize, Option<(usize, Fence)>) = (0, None);
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let end = at + line.trim_end_matches(['\n', '\r']).len();
        match &fence {
            None => {
                if let Some(opened) = Fence::opened_by(line) {
                    inline(&text[prose..at], &mut pieces);
                    fence = Some((at, opened));
                }
            }
            Some((start, opened)) if opened.closed_by(line) => {
                pieces.push((Kind::Fenced, &text[*start..end]));
                (prose, fence) = (end, None);
            }
            Some(_) => {}
        }
        at += line.len();
    }
    match fence {
        Some((start, _)) => pieces.push((Kind::Fenced, &text[start..])),
        None => inline(&text[prose..], &mut pieces),
    }
    pieces
}

struct Fence {
    mark: u8,
    length: usize,
}

impl Fence {
    fn opened_by(line: &str) -> Option<Self> {
        let line = line.trim();
        let mark = *line.as_bytes().first()?;
        let length = line.bytes().take_while(|&byte| byte == mark).count();
        let fences = matches!(mark, b'`' | b'~') && length >= 3;
        // Three backticks and more on the same line are inline code.
        let inline = mark == b'`' && line[length.min(line.len())..].contains('`');
        (fences && !inline).then_some(Self { mark, length })
    }

    fn closed_by(&self, line: &str) -> bool {
        let line = line.trim();
        line.len() >= self.length && line.bytes().all(|byte| byte == self.mark)
    }
}

/// Splits a text without fences at its inline code.
fn inline<'a>(text: &'a str, pieces: &mut Vec<(Kind, &'a str)>) {
    let runs = backtick_runs(text);
    // For every run the next one of the same length.
    let mut next = vec![None; runs.len()];
    let mut latest = HashMap::new();
    for (at, &(_, length)) in runs.iter().enumerate().rev() {
        next[at] = latest.insert(length, at);
    }
    let (mut done, mut at) = (0, 0);
    while at < runs.len() {
        let (start, length) = runs[at];
        let closing = next[at].filter(|&closing: &usize| {
            let inner = &text[start + length..runs[closing].0];
            inner.chars().filter(|c| !c.is_whitespace()).nth(MAX_INLINE).is_none()
        });
        match closing {
            Some(closing) => {
                let end = runs[closing].0 + length;
                if done < start {
                    pieces.push((Kind::Prose, &text[done..start]));
                }
                pieces.push((Kind::Inline, &text[start..end]));
                (done, at) = (end, closing + 1);
            }
            None => at += 1,
        }
    }
    if done < text.len() {
        pieces.push((Kind::Prose, &text[done..]));
    }
}

/// Start and length of every run of backticks.
fn backtick_runs(text: &str) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (at, _) in text.match_indices('`') {
        match runs.last_mut() {
            Some((start, length)) if *start + *length == at => *length += 1,
            _ => runs.push((at, 1)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn finds_inline_code_and_fences() {
        let text = "쓰기: `<b>` 와 ``a`b``.\n```html\n<p> `\n```\n끝 `";
        let expected = [
            (Kind::Prose, "쓰기: "),
            (Kind::Inline, "`<b>`"),
            (Kind::Prose, " 와 "),
            (Kind::Inline, "``a`b``"),
            (Kind::Prose, ".\n"),
            (Kind::Fenced, "```html\n<p> `\n```"),
            (Kind::Prose, "\n끝 `"),
        ];
        assert_eq!(pieces(text), expected);
    }

    #[test]
    fn an_open_fence_reaches_the_end_and_a_stray_backtick_does_not() {
        assert_eq!(pieces("a\n  ~~~~\nx\n~~~\n"), [(Kind::Prose, "a\n"), (Kind::Fenced, "  ~~~~\nx\n~~~\n")]);
        let far = format!("9 o`clock {} `x`", "가 ".repeat(MAX_INLINE + 1));
        assert_eq!(pieces(&far).last(), Some(&(Kind::Inline, "`x`")));
        assert_eq!(pieces("```x``` y"), [(Kind::Inline, "```x```"), (Kind::Prose, " y")]);
    }

    proptest! {
        #[test]
        fn pieces_join_to_the_text(text in "[`~a가\n <>]{0,60}") {
            let joined: String = pieces(&text).iter().map(|(_, piece)| *piece).collect();
            prop_assert_eq!(joined, text);
        }
    }
}
