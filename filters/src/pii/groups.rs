//! Digits as people write them: groups with separators, in ASCII or in full width.

/// Most digits that are kept of a group; longer ones are no number we know.
const MAX_DIGITS: usize = 20;

/// Most groups that are looked at together: `+82 (0)10 1234 5678` has five.
const MAX_GROUPS: usize = 5;

/// A run of digits.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Group {
    pub(super) start: usize,
    pub(super) end: usize,
    /// How many digits there are, also those that are not kept.
    pub(super) len: usize,
    digits: [u8; MAX_DIGITS],
}

impl Group {
    /// The values, 0 to 9 each.
    pub(super) fn digits(&self) -> &[u8] {
        &self.digits[..self.len.min(MAX_DIGITS)]
    }

    /// The number; of one that is too long, what the first twenty digits give, cut to 64 bits.
    pub(super) fn value(&self) -> u64 {
        number(self.digits())
    }
}

/// The number that digits write.
pub(super) fn number(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |value: u64, digit| value.wrapping_mul(10).wrapping_add(u64::from(*digit)))
}

/// What stands between two groups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Gap {
    #[default]
    Dash,
    Dot,
    Paren,
    Space,
}

/// Groups that follow each other, and the gap behind each but the last.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Chain {
    groups: [Group; MAX_GROUPS],
    gaps: [Gap; MAX_GROUPS],
    count: usize,
}

impl Chain {
    /// The groups from the digit at `at` on.
    pub(super) fn at(bytes: &[u8], at: usize) -> Self {
        let mut chain = Self::default();
        let mut start = at;
        while let Some(group) = group(bytes, start) {
            chain.groups[chain.count] = group;
            chain.count += 1;
            if chain.count == MAX_GROUPS || group.len > MAX_DIGITS {
                break;
            }
            let Some((gap, next)) = gap(bytes, group.end) else { break };
            chain.gaps[chain.count - 1] = gap;
            start = next;
        }
        chain
    }

    pub(super) fn groups(&self) -> &[Group] {
        &self.groups[..self.count]
    }

    /// The gaps between the first `groups` groups.
    pub(super) fn gaps(&self, groups: usize) -> &[Gap] {
        &self.gaps[..groups.min(self.count).saturating_sub(1)]
    }

    /// The first group; there is none in the chain of something else than a digit.
    pub(super) fn first(&self) -> Group {
        self.groups[0]
    }

    /// Where the first `groups` groups end.
    pub(super) fn end(&self, groups: usize) -> usize {
        self.groups[groups.saturating_sub(1).min(MAX_GROUPS - 1)].end
    }

    /// Do the groups begin with these lengths?
    pub(super) fn has_lengths(&self, lengths: &[usize]) -> bool {
        self.count >= lengths.len() && self.groups.iter().zip(lengths).all(|(group, length)| group.len == *length)
    }

    /// The digits of the first `groups` groups together, at most twenty.
    pub(super) fn joined(&self, groups: usize) -> Joined {
        let mut joined = Joined { digits: [0; MAX_DIGITS], len: 0 };
        for digit in self.groups().iter().take(groups).flat_map(|group| group.digits()) {
            if joined.len < MAX_DIGITS {
                joined.digits[joined.len] = *digit;
                joined.len += 1;
            }
        }
        joined
    }
}

/// Digits of several groups.
pub(super) struct Joined {
    digits: [u8; MAX_DIGITS],
    len: usize,
}

impl std::ops::Deref for Joined {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.digits[..self.len]
    }
}

fn group(bytes: &[u8], start: usize) -> Option<Group> {
    let mut group = Group { start, end: start, ..Group::default() };
    while let Some((ascii @ b'0'..=b'9', length)) = ascii_at(bytes, group.end) {
        if group.len < MAX_DIGITS {
            group.digits[group.len] = ascii - b'0';
        }
        group.len += 1;
        group.end += length;
    }
    (group.len > 0).then_some(group)
}

/// The gap between the group that ends at `at` and the next, and where that begins. Lines stay apart.
fn gap(bytes: &[u8], at: usize) -> Option<(Gap, usize)> {
    let (mut dashes, mut dots, mut parens, mut spaces) = (0, 0, 0, 0);
    let mut next = at;
    for _ in 0..4 {
        match separator_at(bytes, next) {
            Some((Gap::Dash, length)) => (dashes, next) = (dashes + 1, next + length),
            Some((Gap::Dot, length)) => (dots, next) = (dots + 1, next + length),
            Some((Gap::Paren, length)) => (parens, next) = (parens + 1, next + length),
            Some((Gap::Space, length)) => (spaces, next) = (spaces + 1, next + length),
            None => break,
        }
    }
    let gap = match (dashes, dots, parens, spaces) {
        (1, 0, 0, 0..=2) => Gap::Dash,
        (0, 1, 0, 0) => Gap::Dot,
        (0..=1, 0, 1..=2, 0..=2) => Gap::Paren,
        (0, 0, 0, 1..=2) => Gap::Space,
        _ => return None,
    };
    matches!(ascii_at(bytes, next), Some((b'0'..=b'9', _))).then_some((gap, next))
}

/// A separator and its length. Hyphens come in many shapes, `ㅡ` among them; a middle dot is a dot.
pub(super) fn separator_at(bytes: &[u8], at: usize) -> Option<(Gap, usize)> {
    let rest = bytes.get(at..)?;
    Some(match rest {
        [b'-', ..] => (Gap::Dash, 1),
        [b'.', ..] => (Gap::Dot, 1),
        [b'(' | b')', ..] => (Gap::Paren, 1),
        [b' ', ..] => (Gap::Space, 1),
        [0xC2, 0xA0, ..] => (Gap::Space, 2),
        [0xC2, 0xB7, ..] => (Gap::Dot, 2),
        // U+2010 to U+2015, U+2212, ㅡ, full-width hyphen
        [0xE2, 0x80, 0x90..=0x95, ..] | [0xE2, 0x88, 0x92, ..] | [0xE3, 0x85, 0xA1, ..] | [0xEF, 0xBC, 0x8D, ..] => (Gap::Dash, 3),
        // ㆍ, full-width full stop
        [0xE3, 0x86, 0x8D, ..] | [0xEF, 0xBC, 0x8E, ..] => (Gap::Dot, 3),
        [0xE3, 0x80, 0x80, ..] => (Gap::Space, 3),
        [0xEF, 0xBC, 0x88 | 0x89, ..] => (Gap::Paren, 3),
        _ => return None,
    })
}

/// The ASCII character that stands at `at`, in its own or in full width, and its length in bytes.
pub(super) fn ascii_at(bytes: &[u8], at: usize) -> Option<(u8, usize)> {
    match bytes.get(at..)? {
        [ascii @ ..0x80, ..] => Some((*ascii, 1)),
        [0xEF, middle, last, ..] => wide(*middle, *last).map(|ascii| (ascii, 3)),
        _ => None,
    }
}

/// The ASCII character that ends at `at`, and its length in bytes.
pub(super) fn ascii_before(bytes: &[u8], at: usize) -> Option<(u8, usize)> {
    match bytes.get(..at)? {
        [.., ascii @ ..0x80] => Some((*ascii, 1)),
        [.., 0xEF, middle, last] => wide(*middle, *last).map(|ascii| (ascii, 3)),
        _ => None,
    }
}

/// U+FF01 to U+FF5E are `!` to `~`.
fn wide(middle: u8, last: u8) -> Option<u8> {
    match (middle, last) {
        (0xBC, 0x81..=0xBF) => Some(last - 0x81 + b'!'),
        (0xBD, 0x80..=0x9E) => Some(last - 0x80 + b'`'),
        _ => None,
    }
}

/// Does a number begin at `start`, or is it the rest of a word, a code or a longer number?
pub(super) fn is_free_before(bytes: &[u8], start: usize) -> bool {
    let Some((before, length)) = ascii_before(bytes, start) else { return true };
    let further = ascii_before(bytes, start - length).map(|(ascii, _)| ascii);
    match before {
        b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => false,
        b'-' => !further.is_some_and(|ascii| ascii.is_ascii_alphanumeric() || ascii == b'_'),
        b'.' => !further.is_some_and(|ascii| ascii.is_ascii_digit()),
        _ => true,
    }
}

/// Does a number end at `end`?
pub(super) fn is_free_behind(bytes: &[u8], end: usize) -> bool {
    let Some((behind, length)) = ascii_at(bytes, end) else { return true };
    let further = ascii_at(bytes, end + length).map(|(ascii, _)| ascii);
    match behind {
        b'_' | b'@' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => false,
        b'-' => !further.is_some_and(|ascii| ascii.is_ascii_alphanumeric() || ascii == b'_'),
        b'.' => !further.is_some_and(|ascii| ascii.is_ascii_digit()),
        _ => true,
    }
}
