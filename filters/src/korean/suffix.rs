//! Particles and endings, and after which finals (받침) they may stand.

use std::sync::LazyLock;

use super::Part;
use super::syllable::{self, L, SS};
use crate::table::Table;

/// Finals after which a suffix may stand, as a set of bits.
const VOWEL: u8 = 1;
const LIQUID: u8 = 2;
/// Any other consonant but ㅆ.
const CLOSED: u8 = 4;
/// ㅆ, the final of past and future; nouns do not have it.
const TENSE: u8 = 8;
/// Only behind what is a verb by its look: many nouns end so too.
const VERBAL: u8 = 16;
/// It makes a noun of a verb, so that a particle may follow.
const NOMINAL: u8 = 32;
/// A particle that another one may follow.
const INNER: u8 = 64;
const ANY: u8 = VOWEL | LIQUID | CLOSED | TENSE;
const NOUN: u8 = VOWEL | LIQUID | CLOSED;

/// Longest suffix in syllables; longer ones are several in a row.
pub(super) const LONGEST: usize = 4;

/// Particles (조사). Those that another can follow: 에서는, 까지도, 으로만.
#[rustfmt::skip]
const PARTICLES: &[(u8, &str)] = &[
    (LIQUID | CLOSED, "은 이 을 과 이나 이랑 이든 이든지 이라도 이야말로 이나마"),
    (VOWEL, "는 가 를 와 나 랑 든지 라도 야말로 나마"),
    (CLOSED | INNER, "으로 으로서 으로써 으로부터"),
    (VOWEL | LIQUID | INNER, "로 로서 로써 로부터"),
    (NOUN, "의 도 에다 에다가 커녕 엔 에선 에겐 한텐 부턴 까진 보단"),
    (CLOSED, "으론"),
    (NOUN | INNER, "에 에서 에게 에게서 한테 한테서 께 께서 부터 까지 마저 조차 밖에 뿐 만 보다 처럼 같이 만큼 대로 마다 에서부터"),
];

/// Endings (어미). Contractions with the stem are not here: [`super::split`] knows them.
#[rustfmt::skip]
const ENDINGS: &[(u8, &str)] = &[
    (LIQUID | CLOSED | TENSE, "습니다 습니까 습니다만 으면 으며 으니 으니까 으나 으므로 으려면 으려고 으려는 으러 으면서 으세요 을까 을까요 을래 을게 \
        을게요 을수록 은데 은데요 을지라도 아서 어서 아야 어야 아도 어도 아라 어라 아요 어요 아지 어지 을 은"),
    (LIQUID | CLOSED | TENSE | NOMINAL, "음 은지 을지"),
    (LIQUID | CLOSED | VERBAL, "아"),
    (ANY, "다 는 던 지만 도록 는데 는데요 거나 더라도 더라 더니 던데 네요 지요 군요 느냐 는가 는다 는다고 는다면 다고 다는 다면 다며 다가 단다 답니다 \
        려고 려면 려는 려던 면서 므로 세요 셔요 십시오 라고 라는 라면 라며 라서 구나 잖아 잖아요 거든 거든요 건만 더군요 자마자 는구나 는다는 다는데 \
        는바 어서 어야 어도 어라 어요 여요"),
    (ANY | NOMINAL, "는지 던지"),
    (ANY | VERBAL, "고 며 지 게 면 네 니 니까 냐 나 나요 라 러 자고 죠 군 든 듯 듯이 고서 다만 여 어 여서 여야 여도 든지 고요 구요 길 요 기에"),
    (ANY | VERBAL | NOMINAL, "기"),
];

/// A suffix of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Suffix {
    pub(super) part: Part,
    finals: u8,
}

impl Suffix {
    /// Whether it may stand behind this syllable.
    pub(super) fn may_follow(self, before: u16) -> bool {
        let last = match syllable::last(before) {
            0 => VOWEL,
            L => LIQUID,
            SS => TENSE,
            _ => CLOSED,
        };
        self.finals & last != 0
    }

    /// Whether it stands behind verbs alone.
    pub(super) fn wants_verb(self) -> bool {
        self.finals & VERBAL != 0
    }

    /// Whether a particle may follow it.
    pub(super) fn is_inner(self) -> bool {
        self.finals & (INNER | NOMINAL) != 0
    }
}

/// Suffixes by the syllables they consist of.
struct Suffixes {
    table: Table,
    found: Vec<[Option<Suffix>; 2]>,
    /// For each syllable the lengths of the suffixes that end with it, as a set of bits.
    lengths: Vec<u8>,
}

static SUFFIXES: LazyLock<Suffixes> = LazyLock::new(|| {
    let listed = |part, lists: &'static [(u8, &str)]| {
        lists.iter().flat_map(move |&(finals, list)| list.split_whitespace().map(move |suffix| (suffix, Suffix { part, finals })))
    };
    let mut found: Vec<[Option<Suffix>; 2]> = Vec::new();
    let mut lengths = vec![0; syllable::COUNT as usize];
    let mut table = Table::default();
    table.reset(1024);
    for (text, suffix) in listed(Part::Particle, PARTICLES).chain(listed(Part::Ending, ENDINGS)) {
        let syllables: Vec<u16> = text.chars().map(syllable::of).collect();
        if let Some(lengths) = syllables.last().and_then(|last| lengths.get_mut(usize::from(*last))) {
            *lengths |= 1 << syllables.len();
        }
        let at = table.get_or_insert(key(&syllables), found.len() as u32).unwrap_or(found.len() as u32) as usize;
        if at == found.len() {
            found.push([None; 2]);
        }
        let side = &mut found[at][usize::from(suffix.part == Part::Ending)];
        let finals = side.map_or(0, |earlier| earlier.finals);
        *side = Some(Suffix { part: suffix.part, finals: finals | suffix.finals });
    }
    Suffixes { table, found, lengths }
});

/// Up to four syllables as a number that no others have.
pub(super) fn key(syllables: &[u16]) -> u64 {
    syllables.iter().fold(0, |key, &syllable| key << 16 | (u64::from(syllable) + 2))
}

/// Whether there are suffixes of so many syllables that end with this one; most nouns end with none.
pub(super) fn ends_one(last: u16, length: usize) -> bool {
    SUFFIXES.lengths.get(usize::from(last)).is_some_and(|lengths| lengths >> length & 1 == 1)
}

/// The particle and the ending that these syllables are.
pub(super) fn find(syllables: &[u16]) -> [Option<Suffix>; 2] {
    SUFFIXES.table.get(key(syllables)).and_then(|at| SUFFIXES.found.get(at as usize)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finals_decide() {
        let may = |suffix: &str, before: char, side: usize| {
            let syllables: Vec<u16> = suffix.chars().map(syllable::of).collect();
            find(&syllables)[side].is_some_and(|suffix| suffix.may_follow(syllable::of(before)))
        };
        assert!(may("은", '책', 0) && !may("은", '차', 0));
        assert!(may("로", '길', 0) && may("로", '차', 0) && !may("로", '책', 0) && may("으로", '책', 0) && !may("으로", '길', 0));
        assert!(may("습니다", '있', 1) && !may("습니다", '하', 1));
        assert!(!may("가", '다', 1) && find(&[]) == [None; 2]);
    }
}
