//! Function words, which tell English from other languages without a model.

/// Words of a sample in Latin script, and how many of them are function words that tell languages apart.
#[derive(Default)]
pub(super) struct FunctionWords {
    pub(super) all: usize,
    pub(super) english: usize,
    /// Different ones among the English.
    different: u32,
    pub(super) foreign: usize,
}

impl FunctionWords {
    pub(super) fn of<'a>(slices: impl Iterator<Item = &'a str>) -> Self {
        let mut counts = Self::default();
        let mut met = 0_u32;
        let words = slices.flat_map(|slice| slice.split(|c: char| !(matches!(c, '\u{AC00}'..='\u{D7A3}') || c.is_alphabetic())));
        for word in words.filter(|word| word.starts_with(|c| c < '\u{250}')) {
            counts.all += 1;
            if word.len() > LONGEST {
                continue;
            }
            let number = number(word.as_bytes());
            if let Ok(at) = ENGLISH_NUMBERS.binary_search(&number) {
                counts.english += 1;
                met |= 1 << at;
            } else if FOREIGN_NUMBERS.binary_search(&number).is_ok() {
                counts.foreign += 1;
            }
        }
        counts.different = met.count_ones();
        counts
    }

    /// English beyond doubt: at least every eighth word is one of English alone, six different ones
    /// occur, and fewer than every fortieth is foreign. What is not goes to the models, which take
    /// a hundred times as long.
    pub(super) fn are_english(&self) -> bool {
        self.different >= 6 && self.english * 8 >= self.all && self.foreign * 40 < self.all
    }

    /// How many of some letters are prose, of which at least every eighth word is a function word.
    pub(super) fn prose_among(&self, letters: usize) -> usize {
        let found = ((self.english + self.foreign) * 8).min(self.all);
        letters * found / self.all.max(1)
    }

    /// Too few for English, or more of another language. The models know five languages, and what
    /// is written in a sixth is often given to English.
    pub(super) fn contradict_english(&self) -> bool {
        self.foreign > self.english || (self.all >= 12 && self.english * 25 < self.all)
    }
}

/// Longest function word in bytes.
const LONGEST: usize = 7;

/// Function words of English that are no common words of other languages in Latin script. Sorted.
#[rustfmt::skip]
const ENGLISH: [&[u8]; 28] = [
    b"and", b"are", b"been", b"but", b"could", b"for", b"from", b"had", b"has", b"have", b"if",
    b"is", b"not", b"of", b"should", b"that", b"the", b"their", b"these", b"they", b"this", b"to",
    b"were", b"which", b"with", b"would", b"you", b"your",
];

/// Function words of other languages in Latin script that English does not use. Sorted.
#[rustfmt::skip]
const FOREIGN: [&[u8]; 61] = [
    b"af", b"ang", b"att", b"auf", b"av", b"avec", b"che", b"con", b"dan", b"dans", b"das", b"de",
    b"del", b"della", b"dem", b"den", b"der", b"det", b"di", b"dos", b"du", b"ein", b"eine", b"el",
    b"en", b"est", b"et", b"het", b"ikke", b"ist", b"la", b"las", b"le", b"les", b"los", b"med",
    b"mga", b"mit", b"nao", b"ng", b"nicht", b"och", b"og", b"por", b"pour", b"que", b"qui", b"som",
    b"sono", b"su", b"til", b"um", b"un", b"una", b"und", b"une", b"van", b"von", b"voor", b"vor",
    b"yang",
];

const ENGLISH_NUMBERS: [u64; ENGLISH.len()] = numbers(&ENGLISH);
const FOREIGN_NUMBERS: [u64; FOREIGN.len()] = numbers(&FOREIGN);

/// The bytes of a word of at most eight in lower case, as a number in the order of the words.
const fn number(word: &[u8]) -> u64 {
    let (mut number, mut at) = (0, 0);
    while at < word.len() {
        number |= (word[at].to_ascii_lowercase() as u64) << (56 - 8 * at);
        at += 1;
    }
    number
}

const fn numbers<const N: usize>(words: &[&[u8]; N]) -> [u64; N] {
    let (mut numbers, mut at) = ([0; N], 0);
    while at < N {
        numbers[at] = number(words[at]);
        at += 1;
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn word_lists_are_sorted_and_disjoint() {
        assert!(ENGLISH.is_sorted() && FOREIGN.is_sorted());
        assert!(ENGLISH.iter().all(|word| FOREIGN.binary_search(word).is_err()));
        assert!(ENGLISH.iter().chain(&FOREIGN).all(|word| word.len() <= LONGEST));
        assert!(ENGLISH.len() <= 32);
        assert!(ENGLISH_NUMBERS.is_sorted() && FOREIGN_NUMBERS.is_sorted() && LONGEST <= 8);
        assert_eq!(number(b"The"), 0x7468_6500_0000_0000);
    }
}
