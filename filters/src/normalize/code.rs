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
    /// An HTML comment that begins and ends outside code, where they are looked for.
    Comment,
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
/// A fence is a line that begins, after any indentation, with three or more backticks or tildes and
/// has no more of them; it reaches to a line of at least as many. One of backticks that is never
/// closed reaches to the end; one of tildes is none, for in Korean they end a word (`좋아요~~~`) and
/// frame a line. Inline code lies between two runs of equally many backticks and does not cross a
/// fence.
pub(super) fn pieces(text: &str) -> Vec<(Kind, &str)> {
    let mut pieces = Vec::new();
    if !has_marks(text) {
        pieces.push((Kind::Prose, text));
        return pieces;
    }
    let (mut prose, mut fence): (usize, Option<(usize, Fence)>) = (0, None);
    let tildes = tilde_lines(text);
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let end = at + line.trim_end_matches(['\n', '\r']).len();
        match &fence {
            None => {
                if let Some(opened) = Fence::opened_by(line).filter(|fence| fence.mark == b'`' || fence.closes_among(&tildes, at)) {
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
        let line = line.trim_start();
        let mark = *line.as_bytes().first()?;
        if !matches!(mark, b'`' | b'~') {
            return None;
        }
        let line = line.trim_end();
        let length = line.bytes().take_while(|&byte| byte == mark).count();
        // Backticks again on the same line are inline code, tildes are ornament.
        let again = line.bytes().skip(length).any(|byte| byte == mark);
        (length >= 3 && !again).then_some(Self { mark, length })
    }

    /// Whether one of the lines of tildes after the fence, which stands at `at`, closes it.
    fn closes_among(&self, tildes: &[(usize, usize)], at: usize) -> bool {
        tildes.get(tildes.partition_point(|(line, _)| *line <= at)).is_some_and(|(_, longest)| *longest >= self.length)
    }

    fn closed_by(&self, line: &str) -> bool {
        let line = line.trim();
        line.len() >= self.length && line.bytes().all(|byte| byte == self.mark)
    }
}

/// Where the lines of tildes alone begin, each with the length of the longest from there on.
fn tilde_lines(text: &str) -> Vec<(usize, usize)> {
    let mut lines = Vec::new();
    if !text.contains("~~~") {
        return lines;
    }
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let tildes = line.trim();
        if tildes.starts_with("~~~") && tildes.bytes().all(|byte| byte == b'~') {
            lines.push((at, tildes.len()));
        }
        at += line.len();
    }
    let mut longest = 0;
    for (_, length) in lines.iter_mut().rev() {
        longest = longest.max(*length);
        *length = longest;
    }
    lines
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
        assert_eq!(pieces("a\n  ````\nx\n```\n"), [(Kind::Prose, "a\n"), (Kind::Fenced, "  ````\nx\n```\n")]);
        let far = format!("9 o`clock {} `x`", "가 ".repeat(MAX_INLINE + 1));
        assert_eq!(pieces(&far).last(), Some(&(Kind::Inline, "`x`")));
        assert_eq!(pieces("```x``` y"), [(Kind::Inline, "```x```"), (Kind::Prose, " y")]);
    }

    #[test]
    fn tildes_are_a_fence_when_a_line_of_them_closes_it() {
        let closed = "a\n~~~ rust\nx\n~~~~\nb";
        assert_eq!(pieces(closed), [(Kind::Prose, "a\n"), (Kind::Fenced, "~~~ rust\nx\n~~~~"), (Kind::Prose, "\nb")]);
        for prose in ["~~~~ 오늘만 ~~~~\n싸다\n~~~~\n", "~~~ 오늘만\n싸다", "  ~~~~\nx\n~~~\n", "~~~\nx\n~~~~ 끝"] {
            assert_eq!(pieces(prose), [(Kind::Prose, prose)], "{prose}");
        }
        // What never closes hides no fence after it.
        let both = "~~~~ 오늘만\n```\nx\n```\n~~~\ny\n~~~";
        assert_eq!(
            pieces(both),
            [(Kind::Prose, "~~~~ 오늘만\n"), (Kind::Fenced, "```\nx\n```"), (Kind::Prose, "\n"), (Kind::Fenced, "~~~\ny\n~~~")]
        );
    }

    proptest! {
        #[test]
        fn pieces_join_to_the_text(text in "[`~a가\n <>]{0,60}") {
            let joined: String = pieces(&text).iter().map(|(_, piece)| *piece).collect();
            prop_assert_eq!(joined, text);
        }
    }
}
