//! Suffixes taken off each eojeol from the right.

use super::known::{Key, Known};
use super::lexicon::{is_verbal, is_whole};
use super::runs::{self, Kind};
use super::suffix::{self, LONGEST};
use super::syllable::{B, L, M, N, SS, last, number_of_bytes, of, open};
use super::{Part, Piece};
use crate::chars::SYLLABLE;

/// Most syllables of a run that are looked at; a longer one is one piece.
const MAX_SYLLABLES: usize = 24;

/// Calls `found` with the pieces between two places of the text, white space left out.
pub(crate) fn split(text: &str, from: usize, to: usize, found: &mut impl FnMut(Piece)) {
    Known::with(|known| {
        let mut before = None;
        runs::each(text, from, to, |kind, start, end| {
            match kind {
                Kind::Hangul => {
                    let digits_follow = text.as_bytes()[end..to].first().is_some_and(u8::is_ascii_digit);
                    hangul(text, start, end, before.is_some_and(Kind::bears_suffix), digits_follow, known, found);
                }
                Kind::Space => {}
                _ => found(Piece { start, end, part: Part::Other }),
            }
            before = Some(kind);
        });
    });
}

/// Splits a run of syllables. `attached`: letters or a bracket stand before it, so that all of it
/// may be suffix.
fn hangul(text: &str, start: usize, end: usize, attached: bool, digits_follow: bool, known: &mut Known, found: &mut impl FnMut(Piece)) {
    let mut buffer = [0; MAX_SYLLABLES];
    let length = (end - start) / SYLLABLE;
    let piece = |from: usize, to: usize, part| Piece { start: start + from * SYLLABLE, end: start + to * SYLLABLE, part };
    if length > MAX_SYLLABLES {
        found(piece(0, length, Part::Stem));
        return;
    }
    let (syllables, _) = text.as_bytes()[start..end].as_chunks::<SYLLABLE>();
    for (slot, bytes) in buffer.iter_mut().zip(syllables) {
        *slot = number_of_bytes(*bytes);
    }
    let word = &buffer[..length];
    let key = Key::new(word, attached, digits_follow);
    if let Some(pieces) = key.and_then(|key| known.get(key)) {
        pieces.iter().for_each(|&(from, to, part)| found(piece(from.into(), to.into(), part)));
        return;
    }
    let mut tail = Tail::new(word, attached);
    tail.take_prefix_of_number(digits_follow);
    tail.take_suffixes();
    tail.take_stem();
    let pieces = tail.pieces[..tail.count].iter().rev().copied();
    if let Some(key) = key {
        known.insert(key, pieces.clone());
    }
    pieces.for_each(|(from, to, part)| found(piece(from.into(), to.into(), part)));
}

/// What is left of a run, and the pieces taken off its right end so far.
struct Tail<'a> {
    word: &'a [u16],
    /// Syllables left.
    left: usize,
    attached: bool,
    pieces: [(u8, u8, Part); 16],
    count: usize,
}

impl<'a> Tail<'a> {
    fn new(word: &'a [u16], attached: bool) -> Self {
        Self { word, left: word.len(), attached, pieces: [(0, 0, Part::Stem); 16], count: 0 }
    }

    fn rest(&self) -> &'a [u16] {
        &self.word[..self.left]
    }

    fn last(&self) -> u16 {
        self.rest().last().copied().unwrap_or(0)
    }

    /// Records a piece that ends after the syllable `to` without taking it off.
    fn note(&mut self, from: usize, to: usize, part: Part) {
        if let Some(slot) = self.pieces.get_mut(self.count) {
            *slot = (from as u8, to as u8, part);
            self.count += 1;
        }
    }

    fn take(&mut self, syllables: usize, part: Part) {
        let from = self.left - syllables;
        self.note(from, self.left, part);
        self.left = from;
    }

    /// `제` before a number belongs to it: 조제1항.
    fn take_prefix_of_number(&mut self, digits_follow: bool) {
        if digits_follow && self.left > 1 && self.last() == of('제') {
            self.take(1, Part::Stem);
        }
    }

    fn take_suffixes(&mut self) {
        self.take_contracted_particle();
        if self.take_contracted() {
            return;
        }
        let mut particle = false;
        for _ in 0..4 {
            let Some((length, found)) = self.longest(particle) else { break };
            self.take(length, found.part);
            if found.part == Part::Ending {
                self.take_tense();
                return;
            }
            particle = true;
        }
        self.take_fused(particle);
    }

    /// Particles that are contracted, or follow a contracted ending: 하는게, 이건, 여기서, 해서는.
    fn take_contracted_particle(&mut self) {
        let is_one_of = |word: &[u16], listed: &[&str]| {
            listed
                .iter()
                .any(|listed| listed.chars().count() == word.len() && listed.chars().zip(word).all(|(c, &syllable)| of(c) == syllable))
        };
        let [stem @ .., particle] = self.rest() else { return };
        if ![of('게'), of('건'), of('걸'), of('겐'), of('는'), of('도'), of('만'), of('서'), of('나')].contains(particle) {
            return;
        }
        let found = match stem {
            [] => false,
            [.., before] if is_one_of(&[*particle], &["게", "건", "걸", "겐"]) => {
                is_one_of(&[*before], &["는", "던", "런", "든"]) || is_one_of(stem, &["이", "그", "저"])
            }
            [.., first, before] if *before == of('서') => is_fused(*first) && is_one_of(&[*particle], &["는", "도", "만"]),
            _ if *particle == of('서') => is_one_of(stem, &["여기", "거기", "저기", "어디"]),
            _ => *particle == of('나') && is_one_of(stem, &["누구"]),
        };
        if found {
            self.take(1, Part::Particle);
        }
    }

    /// The longest suffix that may stand here; before a particle only what can bear one.
    fn longest(&self, particle: bool) -> Option<(usize, suffix::Suffix)> {
        let rest = self.rest();
        let most = if self.attached { rest.len() } else { rest.len().saturating_sub(1) };
        (1..=most.min(LONGEST)).rev().filter(|length| suffix::ends_one(self.last(), *length)).find_map(|length| {
            let (stem, tail) = rest.split_at(rest.len() - length);
            // 까지만 is 까지 and 만, not an ending 지만.
            if stem.last() == Some(&of('까')) && tail[0] == of('지') {
                return None;
            }
            let fits = |found: &suffix::Suffix| {
                let verb = || is_verbal(stem) || stem.is_empty();
                stem.last().is_none_or(|&before| found.may_follow(before))
                    && (!particle || found.is_inner())
                    && (!found.wants_verb() || verb())
            };
            let [as_particle, as_ending] = suffix::find(tail).map(|found| found.filter(fits));
            // 하는 and 되는 are verbs, whatever a particle would allow.
            let verb = stem.last().is_some_and(|&before| [of('하'), of('되'), of('키')].contains(&before));
            let found = if verb { as_ending.or(as_particle) } else { as_particle.or(as_ending) }?;
            // 크기에 is 크기 and 에, not 크 and 기에.
            let noun = length > 1 && is_whole(&rest[..rest.len() - 1], length - 1);
            (!noun && !is_whole(rest, length)).then_some((length, found))
        })
    }

    /// Past, future and honour before an ending: 하였다, 가겠다, 하시고, 했다; and the copula 이다.
    fn take_tense(&mut self) {
        if self.left > 1 && self.last() == of('겠') {
            self.take(1, Part::Ending);
        }
        let before = |tail: &Self| tail.rest().len().checked_sub(2).map(|at| tail.word[at]);
        match self.last() {
            syllable if [of('았'), of('었'), of('였')].contains(&syllable) && self.left > 1 => self.take(1, Part::Ending),
            syllable if last(syllable) == SS && ![of('있'), of('밌'), of('겠')].contains(&syllable) && self.left > 0 => {
                self.note(self.left - 1, self.left, Part::Ending)
            }
            _ => {}
        }
        if self.left > 1 && self.last() == of('시') && before(self).is_some_and(|syllable| is_verbal(&[syllable])) {
            self.take(1, Part::Ending);
        }
        let behind_consonant = before(self).is_some_and(|syllable| last(syllable) != 0) || self.attached && self.left == 1;
        if self.last() == of('이') && behind_consonant {
            self.take(1, Part::Ending);
        }
    }

    /// Endings that share a syllable with the stem: 합니다, 한다, 해서, 할까.
    fn take_contracted(&mut self) -> bool {
        let rest = self.rest();
        if !SHARING.contains(&self.last()) {
            return false;
        }
        for length in 2..=rest.len().min(5) {
            let (&first, more) = rest[rest.len() - length..].split_first().unwrap_or((&0, &[]));
            let plain = [of('하'), of('되'), of('이')].contains(&open(first));
            let is =
                |ending: &str| ending.chars().count() == more.len() && ending.chars().zip(more).all(|(c, &syllable)| of(c) == syllable);
            let sharing = match last(first) {
                B => first != of('습') && ["니다", "니까", "시다", "니다만"].into_iter().any(is),
                N | L if [of('는'), of('은'), of('을')].contains(&first) => false,
                N => ["다", "다고", "다는", "다면", "다며", "데", "데요"].into_iter().any(is) || plain && ["지", "가"].into_iter().any(is),
                L => ["까", "까요", "게", "게요", "래", "수록"].into_iter().any(is) || plain && is("지"),
                0 => {
                    is_fused(first)
                        && !rest[..rest.len() - length].ends_with(&[of('하')])
                        && ["서", "야", "도", "요", "라", "야만"].into_iter().any(is)
                }
                _ => false,
            };
            if sharing && !is_whole(rest, 0) {
                let at = self.left - length;
                self.note(at, self.left, Part::Ending);
                self.left = at + 1;
                return true;
            }
        }
        false
    }

    /// A last syllable that is verb and ending at once: 한, 된, 할, 해, 함, 다른, 새로운.
    fn take_fused(&mut self, particle: bool) {
        let syllable = self.last();
        let longer = self.left > 1;
        let verb =
            [of('하'), of('되')].contains(&open(syllable)) && [N, L, M].contains(&last(syllable)) && (longer || syllable != of('한'));
        let adnominal = longer && [of('인'), of('른'), of('닌'), of('운'), of('킨'), of('든'), of('뀐'), of('린')].contains(&syllable)
            || self.rest().ends_with(&[of('어'), of('진')]);
        let drawn = is_fused(syllable) || self.rest() == [of('따'), of('라')];
        // Before a particle only a verb made a noun: 함을, 됨이.
        let stands = if particle { verb && last(syllable) == M } else { verb || adnominal || drawn };
        if stands && !is_whole(self.rest(), 0) {
            self.note(self.left - 1, self.left, Part::Ending);
        }
    }

    /// The stem, without the copula, the verbal suffixes 하다 and 되다, plural 들, 적, 화 and 째.
    fn take_stem(&mut self) {
        let (ending, fused) = match self.pieces[..self.count].last() {
            Some(&(from, _, part)) => (part == Part::Ending, usize::from(from) < self.left),
            None => (false, false),
        };
        let syllable = self.last();
        let irregular =
            [[of('아'), of('니')], [of('그'), of('러')]].iter().any(|word| self.rest()[..self.left.saturating_sub(1)].ends_with(word));
        if self.left > 1 && fused && [of('입'), of('인'), of('일'), of('임')].contains(&syllable) {
            self.take(1, Part::Ending);
        } else if self.left > 2 && ending && [of('하'), of('되'), of('해'), of('돼')].contains(&open(syllable)) && !irregular {
            self.take(1, Part::Stem);
        }
        let noun = |word: &[u16]| match word {
            [.., last] if *last == of('들') || *last == of('적') => word.len() > 2,
            [.., before, last] if *last == of('화') => word.len() > 2 && !"영문만전평변강소대동".contains(|c| of(c) == *before),
            [.., before, last] => *last == of('째') && *before == of('번'),
            _ => false,
        };
        if noun(self.rest()) {
            self.take(1, Part::Stem);
        }
        if self.left > 0 {
            self.take(self.left, Part::Stem);
        }
    }
}

/// Syllables with a vowel that 아 or 어 has been drawn into.
const FUSED: [u16; 15] = [
    of('해'),
    of('돼'),
    of('봐'),
    of('와'),
    of('줘'),
    of('져'),
    of('겨'),
    of('려'),
    of('켜'),
    of('여'),
    of('쳐'),
    of('춰'),
    of('둬'),
    of('꿔'),
    of('워'),
];

/// Last syllables of the endings that share a syllable with the stem: a look at them settles most words.
const SHARING: [u16; 18] = [
    of('다'),
    of('까'),
    of('만'),
    of('고'),
    of('는'),
    of('면'),
    of('며'),
    of('데'),
    of('요'),
    of('지'),
    of('가'),
    of('게'),
    of('래'),
    of('록'),
    of('서'),
    of('야'),
    of('도'),
    of('라'),
];

fn is_fused(syllable: u16) -> bool {
    FUSED.contains(&syllable)
}
