//! Two similar texts side by side: the words that differ, marked in both.

use super::text;

/// Words beyond these are not compared; the table of a comparison stays small.
const WORDS: usize = 400;

/// Both texts as safe HTML, cut to `limit` characters, with what the other lacks in `<mark>`.
pub(super) fn marked(left: &str, right: &str, limit: usize) -> (String, String) {
    let ((left, left_whole), (right, right_whole)) = (text::cut(left, limit), text::cut(right, limit));
    let (a, b) = (words(left), words(right));
    let (mut in_a, mut in_b) = common(&a, &b);
    if !(left_whole && right_whole) {
        // Behind the last common word a cut text says nothing about what the other goes on with.
        spare_end(&mut in_a);
        spare_end(&mut in_b);
    }
    (write(&a, &in_a, left_whole), write(&b, &in_b, right_whole))
}

/// Words with the white space behind them; the last one is all the rest.
fn words(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut rest = text;
    while !rest.is_empty() && out.len() + 1 < WORDS {
        let word = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let space = rest[word..].find(|c: char| !c.is_whitespace()).unwrap_or(rest.len() - word);
        out.push(&rest[..word + space]);
        rest = &rest[word + space..];
    }
    if !rest.is_empty() {
        out.push(rest);
    }
    out
}

/// Which words of each belong to their longest common subsequence.
fn common(a: &[&str], b: &[&str]) -> (Vec<bool>, Vec<bool>) {
    let same = |i: usize, j: usize| a[i].trim_end() == b[j].trim_end();
    let width = b.len() + 1;
    let mut longest = vec![0u16; (a.len() + 1) * width];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            longest[i * width + j] = if same(i, j) {
                longest[(i + 1) * width + j + 1] + 1
            } else {
                longest[(i + 1) * width + j].max(longest[i * width + j + 1])
            };
        }
    }
    let (mut in_a, mut in_b) = (vec![false; a.len()], vec![false; b.len()]);
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        if same(i, j) {
            (in_a[i], in_b[j]) = (true, true);
            (i, j) = (i + 1, j + 1);
        } else if longest[(i + 1) * width + j] >= longest[i * width + j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    (in_a, in_b)
}

fn spare_end(shared: &mut [bool]) {
    if let Some(last) = shared.iter().rposition(|shared| *shared) {
        shared[last..].fill(true);
    }
}

fn write(words: &[&str], shared: &[bool], whole: bool) -> String {
    let mut out = String::new();
    let mut marking = false;
    for (word, shared) in words.iter().zip(shared) {
        if marking == *shared {
            out.push_str(if *shared { "</mark>" } else { "<mark>" });
            marking = !shared;
        }
        out.push_str(&text::text(word, usize::MAX));
    }
    if marking {
        out.push_str("</mark>");
    }
    if !whole {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_marked_in_both() {
        let (a, b) = marked("이 법은 2019년 시행한다", "이 법은 2020년 다시 시행한다", 99);
        assert_eq!(a, "이 법은 <mark>2019년 </mark>시행한다");
        assert_eq!(b, "이 법은 <mark>2020년 다시 </mark>시행한다");
    }

    #[test]
    fn the_ends_of_cut_texts_are_not_compared() {
        assert_eq!(marked("a x b c", "a b", 99).0, "a <mark>x </mark>b <mark>c</mark>");
        assert_eq!(marked("a x b c", "a b d e f g", 7), ("a <mark>x </mark>b c".into(), "a b d e…".into()));
    }

    #[test]
    fn the_same_texts_have_no_marks_and_nothing_is_lost() {
        assert_eq!(marked("<a> b", "<a>\tb", 99), ("&lt;a&gt; b".into(), "&lt;a&gt;\tb".into()));
        assert_eq!(marked("", "x", 99), (String::new(), "<mark>x</mark>".into()));
        assert_eq!(marked("가나다라", "가나", 2).0, "가나…");
        let long = "x ".repeat(5000);
        assert_eq!(marked(&long, "y", usize::MAX).0.matches('x').count(), 5000);
    }
}
