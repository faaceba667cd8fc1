//! Counts by hand, and how the limits part real texts from the same texts damaged.

use super::*;
use crate::pages::document;
use crate::speed::texts;

fn counts(text: &str) -> Counts {
    Counts::of(text, &Words::new(text), &Lines::new(text))
}

#[test]
fn counts_by_hand() {
    // 우리는(3) 어제(2) 새(1) 집(1) 에서(2) 즐겁게(3) 저녁을(3) 먹었다(3) = 18 syllables of 8 eojeol; 그리고(3) 잠을(2) = 5 of 2.
    let text = "우리는 어제 새 집 에서 즐겁게 (저녁을) 먹었다. 그리고 API-2 잠을\n";
    let expected = Counts { eojeol: 10, syllables: 23, in_long: 0, single: 2, particles: 1, sentences: 1, ended: 1, cut: 0 };
    assert_eq!(counts(text), expected);
    // The last sentence has a third eojeol and breaks off.
    let expected = Counts { eojeol: 11, syllables: 25, sentences: 2, cut: 1, ..expected };
    assert_eq!(counts(&text.replace("잠을", "늦게 잠을")), expected);
    let run = "가나다라마바사아자차카파타하가나다라마바사";
    assert_eq!(counts(run), Counts { eojeol: 1, syllables: 21, in_long: 21, ..Counts::default() });
    assert_eq!(counts(&run[..19 * 3]), Counts::default());
    assert_eq!(counts("no Hangul here, and nothing to say about it"), Counts::default());
}

/// Syllables set apart, and the white space between them taken out, are found at once whatever the text.
#[test]
fn damage_is_dropped() {
    let text = "도서관은 아침 아홉 시에 문을 열고 저녁 여섯 시에 닫는다. 책은 한 사람이 다섯 권까지 두 주 동안 빌릴 수 있다.";
    let verdict = |text: &str| match KoreanQualityConfig::default().build().apply(&mut document(text), &mut Metrics::new()) {
        Verdict::Keep => None,
        Verdict::Drop(reason) => Some(reason.rule),
    };
    assert_eq!(verdict(text), None);
    assert_eq!(verdict(&text.replace(' ', "")).as_deref(), Some("korean/eojeol-syllables"));
    let apart: String = text.chars().filter(|c| *c != ' ').flat_map(|c| [c, ' ']).collect();
    assert_eq!(verdict(&apart).as_deref(), Some("korean/single-eojeol"));
    assert_eq!(verdict(&text.replace(' ', "  ")), None);
}

/// A number that looks random and is always the same.
fn chance(state: &mut u64) -> f64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 40) as f64 / (1_u64 << 24) as f64
}

fn is_syllable(c: char) -> bool {
    ('가'..='힣').contains(&c)
}

/// The text with white space set between a share of its neighbouring syllables.
fn apart(text: &str, share: f64, state: &mut u64) -> String {
    let mut out = String::new();
    let mut before = ' ';
    for c in text.chars() {
        if is_syllable(before) && is_syllable(c) && chance(state) < share {
            out.push(' ');
        }
        out.push(c);
        before = c;
    }
    out
}

/// The text with a share of its spaces taken out.
fn joined(text: &str, share: f64, state: &mut u64) -> String {
    text.chars().filter(|c| *c != ' ' || chance(state) >= share).collect()
}

/// Every line cut off somewhere in its second half, at the end of a word or not.
fn cut(text: &str, state: &mut u64) -> String {
    let short = |line: &str| -> String {
        let chars: Vec<char> = line.chars().collect();
        chars[..(chars.len() as f64 * (0.5 + 0.5 * chance(state))) as usize].iter().collect()
    };
    text.lines().map(short).collect::<Vec<_>>().join("\n")
}

/// The table of the page.
#[test]
#[ignore = "a measurement"]
#[allow(clippy::print_stdout)]
fn real_texts_and_damaged_ones() {
    let filter = KoreanQualityConfig::default().build();
    for name in ["korean_docs", "korean_law", "korean_msdocs_cpp", "korean_reviews_nsmc", "korean_comments_profanity"] {
        let Some(texts) = texts(&format!("{name}.jsonl.zst")) else { return };
        let mut state = 1;
        let texts: Vec<String> =
            texts.into_iter().map(|(text, _)| text).filter(|text| text.chars().filter(|c| is_syllable(*c)).count() >= 20).collect();
        let mut show = |damage: &str, change: &mut dyn FnMut(&str, &mut u64) -> String| {
            let mut found: Vec<Vec<f64>> = vec![Vec::new(); filter.metric_names().len()];
            let mut dropped = 0;
            for text in &texts {
                let mut metrics = Metrics::new();
                dropped += usize::from(!filter.apply(&mut document(&change(text, &mut state)), &mut metrics).is_keep());
                metrics.iter().zip(&mut found).for_each(|((_, value), found)| found.push(value));
            }
            let quantiles: Vec<String> = found
                .iter_mut()
                .map(|values| {
                    values.sort_by(f64::total_cmp);
                    let at = |share: f64| values[((values.len() - 1) as f64 * share) as usize];
                    format!("{:.2} {:.2} {:.2}", at(0.01), at(0.5), at(0.99))
                })
                .collect();
            println!(
                "{name:26} {damage:12} {} dropped {:6.2} %  {}",
                texts.len(),
                100.0 * dropped as f64 / texts.len() as f64,
                quantiles.join(" | ")
            );
        };
        show("", &mut |text, _| text.to_owned());
        show("no spaces", &mut |text, state| joined(text, 2.0, state));
        show("half spaces", &mut |text, state| joined(text, 0.5, state));
        show("doubled", &mut |text, _| text.replace(' ', "  "));
        show("all apart", &mut |text, state| apart(text, 2.0, state));
        show("half apart", &mut |text, state| apart(text, 0.5, state));
        show("fifth apart", &mut |text, state| apart(text, 0.2, state));
        show("cut lines", &mut cut);
    }
}

#[test]
#[ignore = "a measurement"]
#[allow(clippy::print_stdout)]
fn speed_beside_shared_words() {
    let filters = ["korean-quality = {}", "language = { keep = ['ko', 'en'], lines = 'measure', min-kept = 0 }"];
    for name in ["korean_docs.jsonl.zst", "korean_law.jsonl.zst", "english_docs.jsonl.zst"] {
        let Some(texts) = texts(name) else { return };
        for filter in filters {
            let filter = toml::from_str::<crate::FilterSpec>(filter).unwrap().build().unwrap();
            let best = (0..3).map(|_| {
                let mut documents: Vec<_> = texts.iter().map(|(text, _)| (document(text), Metrics::new())).collect();
                documents.iter_mut().for_each(|(document, metrics)| drop((metrics.words(&document.text), metrics.lines(&document.text))));
                let begin = crate::speed::cpu();
                documents.iter_mut().for_each(|(document, metrics)| drop(filter.apply(document, metrics)));
                crate::speed::cpu() - begin
            });
            let bytes: usize = texts.iter().map(|(text, _)| text.len()).sum();
            println!("{} {name} {:.0} MB/CPU-s", filter.name(), bytes as f64 * 1e3 / best.min().unwrap() as f64);
        }
    }
}

/// How often sentences that were cut are told from whole ones, over the sentences of statutes and textbooks.
#[test]
#[ignore = "a measurement"]
#[allow(clippy::print_stdout)]
fn whole_sentences_and_cut_ones() {
    for name in ["korean_docs", "korean_law", "parallel_ko_en_pydocs"] {
        let Some(texts) = texts(&format!("{name}.jsonl.zst")) else { return };
        let (mut whole, mut cut) = ([0_usize; 3], [0_usize; 3]);
        let mut state = 7;
        for (text, record) in &texts {
            let text = record["ko"].as_str().unwrap_or(text);
            for line in text.lines() {
                let words: Vec<&str> = line.split_whitespace().collect();
                let Some(last) = words.last().filter(|last| words.len() >= 6 && ends_sentence(last)) else { continue };
                whole[End::of(last) as usize] += 1;
                // Cut behind a word, so that the word's end is a real one.
                let at = 3 + (chance(&mut state) * (words.len() - 4) as f64) as usize;
                cut[End::of(words[at - 1]) as usize] += 1;
            }
        }
        println!("{name}: final, open, unknown: whole {whole:?}, cut {cut:?}");
    }
}
