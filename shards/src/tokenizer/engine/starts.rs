//! Where pre-tokens begin in a window, by the patterns that look at no more than a run of characters and the one before it: all known
//! ones but DeepSeek's, where nothing splits a text before them.
//!
//! A window begins where a pre-token does, so that nothing before it matters.

use super::pattern::{Contractions, Rules, Stops, Words};
use super::scan::{Scanner, contraction};
use super::window::{ROOM, Window, before};

/// Whether the pattern is one that windows are for.
pub(super) fn knows(rules: &Rules) -> bool {
    rules.words != Words::AfterSign && rules.stops == Stops::None
}

impl Scanner {
    /// Where pre-tokens begin in a window, and where the last one ends of which that is certain: 0 if it is of none.
    #[inline]
    pub(super) fn starts(&self, window: &Window, bytes: &[u8; ROOM]) -> (u64, usize) {
        let rules = self.rules;
        let after_blank = rules.words == Words::AfterSpace;
        let known = before(window.length);
        let (letters, digits) = (window.letters & known, window.digits & known);
        let mut marks = known & !(letters | digits | window.spaces);

        let taken = if rules.tail.is_empty() { 0 } else { tail(marks, window.breaks, window.slashes) };
        marks &= !taken;
        let spaces = window.spaces & known & !taken;
        let breaks = if rules.breaks { window.breaks & spaces } else { 0 };
        let flat = spaces & !breaks;
        let space_starts = first(spaces);
        let tails = tails(flat, breaks);
        // The last character of a run of spaces stands alone or with what follows.
        let last = (end(flat, first(flat)) & !breaks & known) >> 1;

        let mark_starts = first(marks) & !(window.blanks << 1);
        let letter_starts = if after_blank {
            first(letters) & !(window.blanks << 1)
        } else {
            let after_one = end(marks & window.continuations, mark_starts << 1);
            first(letters) & !(flat << 1) & !after_one | letters & window.uppers & window.lowers << 1
        };
        let digit_starts = if after_blank { first(digits) & !(window.blanks << 1) } else { groups(digits, rules.digits) };

        let mut starts = 1 | space_starts | tails | last | mark_starts | letter_starts | digit_starts;
        let mut contracted = window.apostrophes
            & match rules.contractions {
                Contractions::None => 0,
                Contractions::Lower | Contractions::AnyCase => mark_starts,
                Contractions::Suffix => marks & letters << 1,
            };
        while contracted != 0 {
            let at = contracted.trailing_zeros() as usize;
            contracted &= contracted - 1;
            if let Some(end) = contraction(bytes, at, rules.contractions == Contractions::Lower) {
                let next = 1_u64.unbounded_shl(end as u32);
                let suffix = rules.contractions == Contractions::Suffix;
                starts &= before(if suffix { at } else { at + 1 }) | !before(end);
                starts |= next;
                // A suffix has none of its own.
                contracted &= if suffix { !next } else { u64::MAX };
            }
        }
        starts &= known;
        if window.last {
            return (starts, window.length);
        }
        if spaces & !(known >> 1) & known != 0 {
            // Where the run of spaces ends is not known, so it is not known how it is split.
            starts &= u64::MAX >> space_starts.leading_zeros();
        }
        (starts, starts.checked_ilog2().unwrap_or(0) as usize)
    }
}

/// Where runs begin.
#[inline]
fn first(places: u64) -> u64 {
    places & !(places << 1)
}

/// The place after each run that begins where `starts` says; a start in no run stays.
#[inline]
fn end(runs: u64, starts: u64) -> u64 {
    runs.wrapping_add(starts) & !runs
}

/// What is left from `starts` on of the runs that these are in, one in a run.
#[inline]
fn rest(runs: u64, starts: u64) -> u64 {
    runs & !runs.wrapping_add(starts)
}

/// What follows a run of marks and is taken with it: breaks, and slashes after them.
#[inline]
fn tail(marks: u64, breaks: u64, slashes: u64) -> u64 {
    let mut starts = marks << 1 & breaks;
    if slashes == 0 {
        return rest(breaks, starts);
    }
    let mut taken = 0;
    while starts != 0 {
        taken |= rest(breaks | slashes, starts & starts.wrapping_neg());
        starts &= !taken;
    }
    taken
}

/// Where groups of digits begin: each run is cut after so many, one or more.
#[inline]
fn groups(digits: u64, size: usize) -> u64 {
    if size == 1 {
        return digits;
    }
    let mut starts = first(digits);
    let mut more = starts;
    while more != 0 {
        // A group of any size up to the window's ends within a run if all its places are digits.
        more = (0..size.min(64)).fold(more.unbounded_shl(size as u32), |more, back| more & digits << back);
        starts |= more;
    }
    starts
}

/// Where spaces without a break begin that follow the last break of their run.
#[inline]
fn tails(flat: u64, breaks: u64) -> u64 {
    let mut tails = breaks << 1 & flat;
    let mut broken = end(flat, tails) & breaks;
    while broken != 0 {
        let end = broken.trailing_zeros() as usize;
        broken &= broken - 1;
        let start = (tails & before(end)).checked_ilog2().unwrap_or(0);
        tails &= !(1 << start);
    }
    tails
}
