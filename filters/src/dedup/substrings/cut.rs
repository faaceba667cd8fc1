//! From words to the bytes that are cut out.

use super::super::config::Snap;
use super::words::Words;

/// Words to remove: the first, and the one after the last.
type Range = (usize, usize);

/// The runs that begin at these words, ascending, joined where they touch.
pub(super) fn joined(starts: impl Iterator<Item = u32>, run: usize) -> Vec<Range> {
    let mut out: Vec<Range> = Vec::new();
    for start in starts.map(|start| start as usize) {
        match out.last_mut() {
            Some(last) if last.1 >= start => last.1 = start + run,
            _ => out.push((start, start + run)),
        }
    }
    out
}

/// The bytes to cut for these words, snapped, and how many words that are.
///
/// Of the white spaces around and within a range one stays, the one with most line feeds, so that what
/// is left neither runs together nor gains an empty line.
pub(super) fn cut(text: &str, words: &Words, ranges: &[Range], snap: Snap) -> (Vec<(u32, u32)>, u64) {
    let (mut out, mut sum) = (Vec::new(), 0);
    for range in ranges {
        let (first, end) = match snap {
            Snap::Word => *range,
            Snap::Line => whole_lines(text, words, *range),
        };
        if first >= end {
            continue;
        }
        sum += (end - first) as u64;
        let strength = |word| if word == 0 || word == words.len() { usize::MAX } else { feeds(text, words, word) };
        // The first of the strongest.
        let stays = (first..=end).rev().max_by_key(|word| strength(*word)).unwrap_or(first);
        let (before, after) = (space(text, words, first), space(text, words, end));
        let (from, to) = space(text, words, stays);
        let cuts = [(before.0, from), (to, after.1)];
        out.extend(cuts.into_iter().filter(|(start, end)| start < end).map(|(start, end)| (start as u32, end as u32)));
    }
    (out, sum)
}

/// Where the white space before a word lies; that before the word after the last one ends the text.
fn space(text: &str, words: &Words, word: usize) -> (usize, usize) {
    let start = word.checked_sub(1).map_or(0, |before| words.place(before).1);
    (start, if word < words.len() { words.place(word).0 } else { text.len() })
}

fn feeds(text: &str, words: &Words, word: usize) -> usize {
    let (start, end) = space(text, words, word);
    text[start..end].bytes().filter(|byte| *byte == b'\n').count()
}

/// The lines that lie in a range of words whole.
fn whole_lines(text: &str, words: &Words, (mut first, mut end): Range) -> Range {
    let begins = |word: usize| word == 0 || word == words.len() || feeds(text, words, word) > 0;
    while first < end && !begins(first) {
        first += 1;
    }
    while first < end && !begins(end) {
        end -= 1;
    }
    (first, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(text: &str, ranges: &[Range], snap: Snap) -> String {
        let (cut, _) = cut(text, &Words::of(text, 1), ranges, snap);
        let bytes = cut.iter().map(|(start, end)| u64::from(end - start)).sum();
        super::super::without(text, &cut, bytes).unwrap()
    }

    #[test]
    fn runs_that_touch_are_one() {
        assert_eq!(joined([0, 1, 4, 9].into_iter(), 3), [(0, 7), (9, 12)]);
        assert_eq!(joined([0, 3].into_iter(), 3), [(0, 6)]);
    }

    #[test]
    fn the_stronger_white_space_stays() {
        let text = " 가 나 다\n\n라 마\n바 ";
        let one = |range| left(text, &[range], Snap::Word);
        assert_eq!(one((0, 1)), " 나 다\n\n라 마\n바 ");
        assert_eq!(one((1, 2)), " 가 다\n\n라 마\n바 ");
        assert_eq!(one((2, 3)), " 가 나\n\n라 마\n바 ");
        assert_eq!(one((3, 5)), " 가 나 다\n\n바 ");
        assert_eq!(one((4, 6)), " 가 나 다\n\n라 ");
        assert_eq!(one((0, 6)), " ");
        assert_eq!(left(text, &[(0, 1), (2, 4), (5, 6)], Snap::Word), " 나\n\n마 ");
        assert_eq!(left("日本語", &[(1, 2)], Snap::Word), "日語");
    }

    #[test]
    fn lines_are_cut_whole() {
        let text = "가 나\n다 라\n마 바";
        assert_eq!(left(text, &[(1, 5)], Snap::Line), "가 나\n마 바");
        assert_eq!(left(text, &[(1, 3)], Snap::Line), text);
        assert_eq!(left(text, &[(2, 6)], Snap::Line), "가 나");
        assert_eq!(left(text, &[(0, 2)], Snap::Line), "다 라\n마 바");
    }
}
