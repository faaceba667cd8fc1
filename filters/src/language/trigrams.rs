//! What lingua says of a longer text in ASCII letters, by a table of its models' trigrams.
//!
//! From 120 letters on lingua adds up the logarithms of the different trigrams alone, and shares confidence by the
//! exponentials of the sums. That needs a hundredth of the time where the trigrams stand in a table. lingua's rules
//! come first and find nothing, for they are about letters with accents and other scripts. It is asked itself
//! wherever this is not the whole truth.
//!
//! The table is `trigrams.bin`, which a test compares with lingua's models: for each trigram of `a` to `z`, in
//! order, a 64-bit float for each language. Looked up in the models, which are 22 MB of automata, the trigrams of
//! a first few documents cost as much as ten megabytes of text.

use super::BY_LETTERS;

/// How many trigrams of `a` to `z` there are.
const TRIGRAMS: usize = 26 * 26 * 26;
/// Fewest letters for which lingua looks at trigrams alone.
const MIN_LETTERS: usize = 120;

const LANGUAGES: usize = BY_LETTERS.len();

/// Of a trigram that a model does not know, the table has the logarithm of its first two letters or its first.
static LOGARITHMS: &[u8; TRIGRAMS * LANGUAGES * 8] = include_bytes!("trigrams.bin");

/// Logarithm of a trigram's probability in each language.
fn logarithms(trigram: usize) -> [f64; LANGUAGES] {
    let (all, _) = LOGARITHMS.as_chunks::<{ LANGUAGES * 8 }>();
    let (own, _) = all[trigram].as_chunks::<8>();
    std::array::from_fn(|language| f64::from_le_bytes(own[language]))
}

/// lingua's confidence in each language, in the order of [`BY_LETTERS`]; none where it has to be asked.
pub(super) fn confidences(sample: &str) -> Option<[f64; LANGUAGES]> {
    let mut met = [0_u64; TRIGRAMS.div_ceil(64)];
    let mut sums = [0.0; LANGUAGES];
    let (mut letters, mut in_word, mut trigram) = (0, 0, 0);
    for c in sample.chars() {
        if !c.is_ascii_alphabetic() {
            if !is_between_words(c) {
                return None;
            }
            in_word = 0;
            continue;
        }
        letters += 1;
        in_word += 1;
        trigram = (trigram * 26 + usize::from(c.to_ascii_lowercase() as u8 - b'a')) % TRIGRAMS;
        let (word, bit) = (trigram / 64, 1 << (trigram % 64));
        if in_word >= 3 && met[word] & bit == 0 {
            met[word] |= bit;
            sums.iter_mut().zip(logarithms(trigram)).for_each(|(sum, logarithm)| *sum += logarithm);
        }
    }
    // lingua leaves out a language whose sum is not below zero.
    if letters < MIN_LETTERS || sums.iter().any(|sum| *sum >= 0.0) {
        return None;
    }
    let likelihoods = sums.map(f64::exp);
    let all: f64 = likelihoods.iter().sum();
    if all > 0.0 {
        return Some(likelihoods.map(|likelihood| likelihood / all));
    }
    // No exponential is more than zero: the largest sum has all the confidence.
    let best = (0..LANGUAGES).max_by(|a, b| sums[*a].total_cmp(&sums[*b]))?;
    Some(std::array::from_fn(|language| f64::from(u8::from(language == best))))
}

/// What surely is no part of a word for lingua, which splits at all that are neither letters nor of
/// certain scripts.
fn is_between_words(c: char) -> bool {
    c.is_ascii() || (matches!(c, '\u{A0}'..='\u{BF}' | '\u{2000}'..='\u{206F}' | '\u{2190}'..='\u{2BFF}') && !c.is_alphabetic())
}

#[cfg(test)]
mod tests {
    use fst::Map;
    use lingua_english_language_model::{ENGLISH_MODELS_DIRECTORY, ENGLISH_TESTDATA_DIRECTORY};
    use lingua_french_language_model::{FRENCH_MODELS_DIRECTORY, FRENCH_TESTDATA_DIRECTORY};
    use lingua_german_language_model::{GERMAN_MODELS_DIRECTORY, GERMAN_TESTDATA_DIRECTORY};
    use lingua_spanish_language_model::{SPANISH_MODELS_DIRECTORY, SPANISH_TESTDATA_DIRECTORY};
    use lingua_vietnamese_language_model::{VIETNAMESE_MODELS_DIRECTORY, VIETNAMESE_TESTDATA_DIRECTORY};
    use proptest::prelude::*;

    use super::super::DETECTOR;
    use super::*;

    /// The table by lingua's models, in the order of [`BY_LETTERS`].
    fn table_of_models() -> Vec<u8> {
        let file = "ngrams.fst";
        let files = [
            ENGLISH_MODELS_DIRECTORY.get_file(file),
            GERMAN_MODELS_DIRECTORY.get_file(file),
            SPANISH_MODELS_DIRECTORY.get_file(file),
            FRENCH_MODELS_DIRECTORY.get_file(file),
            VIETNAMESE_MODELS_DIRECTORY.get_file(file),
        ];
        let models = files.map(|file| Map::new(file.unwrap().contents()).unwrap());
        let mut table = Vec::new();
        for trigram in 0..TRIGRAMS {
            let letters = [trigram / 676, trigram / 26 % 26, trigram % 26].map(|letter| b'a' + letter as u8);
            for model in &models {
                let known = (1..=3).rev().find_map(|length| model.get(&letters[..length]));
                table.extend(known.map_or(0.0, f64::from_bits).to_le_bytes());
            }
        }
        table
    }

    #[test]
    fn the_table_is_that_of_the_models() {
        assert!(table_of_models() == LOGARITHMS, "lingua's models are others: `cargo test -- --ignored writes_the_table` takes them");
    }

    #[test]
    #[ignore = "writes the table anew, after an update of lingua"]
    fn writes_the_table() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/language/trigrams.bin"), table_of_models()).unwrap();
    }

    /// Holds the confidences against lingua's; false where it has to be asked.
    fn as_lingua(text: &str) -> bool {
        let Some(own) = confidences(text) else { return false };
        for (language, expected) in DETECTOR.compute_language_confidence_values(text) {
            let at = BY_LETTERS.iter().position(|(_, model)| *model == language).unwrap();
            // lingua adds in any order.
            assert!((own[at] - expected).abs() < 1e-9, "{language:?} {} {expected}: {text}", own[at]);
        }
        true
    }

    /// lingua's own sentences, without the letters that have accents, in its five languages.
    #[test]
    fn sentences_of_five_languages() {
        let file = "sentences.txt";
        let files = [
            ENGLISH_TESTDATA_DIRECTORY.get_file(file),
            GERMAN_TESTDATA_DIRECTORY.get_file(file),
            SPANISH_TESTDATA_DIRECTORY.get_file(file),
            FRENCH_TESTDATA_DIRECTORY.get_file(file),
            VIETNAMESE_TESTDATA_DIRECTORY.get_file(file),
        ];
        let mut told = [0; 5];
        for (language, file) in files.into_iter().enumerate() {
            let sentences = file.unwrap().contents_utf8().unwrap();
            let plain: Vec<String> =
                sentences.lines().take(200).map(|line| line.chars().filter(|c| is_between_words(*c) || c.is_ascii()).collect()).collect();
            for text in plain.chunks(4) {
                told[language] += usize::from(as_lingua(&text.join("\n")));
            }
        }
        // Little is left of Vietnamese.
        assert!(told[..4].iter().all(|told| *told >= 40) && told[4] > 0, "{told:?}");
        assert!(!as_lingua("Too short to say."));
        assert!(as_lingua(&"The same words again and again. ".repeat(20)));
        assert!(as_lingua(&"abc ".repeat(40)));
    }

    #[test]
    fn lingua_is_asked_about_other_letters() {
        let english = "All human beings are born free and equal in dignity and rights. They are endowed with reason and conscience \
            and should act towards one another in a spirit of brotherhood. Everyone is entitled to all the rights and freedoms set \
            forth in this declaration, without distinction of any kind, such as race, colour, sex, language, religion, opinion.";
        assert!(confidences(english).is_some_and(|found| found[0] == 1.0));
        assert!(as_lingua(&english.replace('.', " — “2024”…")));
        for letter in ['é', 'ß', 'ñ', 'Ж', '漢', 'ª', 'ⓐ', '\u{301}', 'ㅋ'] {
            assert_eq!(confidences(&format!("{english} {letter}")), None, "{letter}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_letters(
            text in "([a-zA-Z]{1,9}[ .,'\\-0-9’—]{1,2}){60,90}",
            few in "([ab]{1,4} ){60,90}",
            words in "(der |die |und |nicht |the |of |con |los |dans |khong |[a-z]{2,7} ){60,120}",
        ) {
            as_lingua(&text);
            as_lingua(&words);
            as_lingua(&few);
        }
    }
}
