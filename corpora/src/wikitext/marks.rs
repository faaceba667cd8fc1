//! What the text written so far does not tell of itself: where something was left out of it, and what of it is no markup.

use std::ops::Range;

/// What may stand beside a template in brackets that say nothing without it.
const BETWEEN: &[char] = &[' ', '\u{a0}', ',', ';', ':', '/', '·', '，', '；', '、'];

/// A piece that stands as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    /// Its bytes in the text.
    pub(super) place: Range<usize>,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text inside of a line, with entities.
    Text,
    /// Code inside of a line, without.
    Code,
    /// Lines of their own, with their indents.
    Block { is_code: bool },
}

/// Places in a text, ascending.
#[derive(Default)]
pub(super) struct Marks {
    pub(super) kept: Vec<Kept>,
    /// Where templates, references and files were.
    dropped: Vec<usize>,
}

impl Marks {
    pub(super) fn keep(&mut self, place: Range<usize>, kind: Kind) {
        if !place.is_empty() {
            self.kept.push(Kept { place, kind });
        }
    }

    /// What followed `at` was left out.
    pub(super) fn drop_at(&mut self, at: usize) {
        while self.kept.pop_if(|kept| kept.place.end > at).is_some() {}
        while self.dropped.pop_if(|dropped| *dropped >= at).is_some() {}
        self.dropped.push(at);
    }

    /// Of what follows `at`, only a part was left, where it began.
    pub(super) fn shorten(&mut self, at: usize, left: Range<usize>) {
        let moved = |place: usize| Some(at + (place - at).checked_sub(left.start).filter(|place| *place <= left.len())?);
        let first = self.kept.partition_point(|kept| kept.place.start < at);
        for mut kept in self.kept.split_off(first) {
            if let (Some(start), Some(end)) = (moved(kept.place.start), moved(kept.place.end)) {
                kept.place = start..end;
                self.kept.push(kept);
            }
        }
        let first = self.dropped.partition_point(|dropped| *dropped < at);
        let dropped = self.dropped.split_off(first);
        self.dropped.extend(dropped.into_iter().filter_map(moved));
    }

    /// The text without brackets that hold nothing but what was left out, and commas. The places of what is kept follow it.
    pub(super) fn without_empty_brackets(&mut self, text: String) -> String {
        let mut empty: Vec<Range<usize>> = Vec::new();
        let mut looked_at = 0;
        for at in std::mem::take(&mut self.dropped) {
            if at < looked_at {
                continue;
            }
            let before = text[looked_at..at].trim_end_matches(BETWEEN);
            let after = text[at..].trim_start_matches(BETWEEN);
            looked_at = text.len() - after.len();
            for (open, close) in [('(', ')'), ('（', '）')] {
                if let (Some(before), Some(after)) = (before.strip_suffix(open), after.strip_prefix(close)) {
                    let start = at - (text[..at].len() - text[..at].trim_end_matches(BETWEEN).len()) - open.len_utf8();
                    let ends_word = after.is_empty() || after.starts_with([' ', '\n', '.', ',']);
                    let space = usize::from(ends_word && before.ends_with(' '));
                    looked_at = text.len() - after.len();
                    empty.push(start - space..looked_at);
                }
            }
        }
        if empty.is_empty() {
            return text;
        }
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        let mut kept = std::mem::take(&mut self.kept).into_iter().peekable();
        for gap in empty.into_iter().chain(std::iter::once(text.len()..text.len())) {
            while let Some(piece) = kept.next_if(|piece| piece.place.start < gap.start) {
                let start = out.len() + piece.place.start - at;
                let place = start..start + piece.place.len().min(gap.start - piece.place.start);
                self.kept.push(Kept { place, ..piece });
            }
            while kept.next_if(|piece| piece.place.start < gap.end).is_some() {}
            out.push_str(&text[at..gap.start]);
            at = gap.end;
        }
        out
    }
}
