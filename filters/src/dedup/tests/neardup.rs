//! Documents with known similarities: versions of passages of our own, and, where `../shared` is there,
//! successive versions of real pages among unrelated ones.

use serde::Deserialize;
use std::collections::BTreeSet;

use super::minhash::{MinHasher, estimate};
use super::normal::normal;
use super::shingle::shingles;
use super::*;

#[derive(Deserialize)]
struct Page {
    text: String,
}

#[derive(Deserialize)]
struct Pair {
    a: Page,
    b: Page,
    jaccard_char5: f64,
    jaccard_word5: f64,
}

#[derive(Deserialize)]
struct Whole {
    id: String,
    text: String,
}

#[derive(Deserialize)]
struct Truth {
    a: String,
    b: String,
    jaccard_char5: f32,
}

#[allow(clippy::print_stdout)] // what a test measured, shown with --no-capture
fn say(line: &str) {
    println!("{line}");
}

fn load<T: serde::de::DeserializeOwned>(name: &str) -> Option<Vec<T>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/neardup").join(name);
    if !path.exists() {
        say("skipped: no ../shared");
        return None;
    }
    Some(JsonlReader::open(&path).unwrap().map(|record| record.unwrap()).collect())
}

/// Share of shingles in common, counted.
fn jaccard(a: &str, b: &str, unit: Shingle) -> f64 {
    let [a, b] = [a, b].map(|text| shingles(text, unit, 5).into_iter().collect::<BTreeSet<_>>());
    let common = a.intersection(&b).count();
    common as f64 / (a.len() + b.len() - common).max(1) as f64
}

#[test]
fn estimates_follow_the_true_similarity() {
    let Some(pairs) = load::<Pair>("pairs.jsonl.zst") else { return };
    for unit in [Shingle::Char, Shingle::Word] {
        let hashers = [1, 2, 3].map(|seed| MinHasher::new(&MinHashConfig { shingle: unit, seed, ..MinHashConfig::default() }));
        let (mut given, mut counted, mut bias, mut squares, mut expected, mut compared) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
        for pair in &pairs {
            let [a, b] = [&pair.a, &pair.b].map(|page| normal(&page.text));
            let truth = if unit == Shingle::Char { pair.jaccard_char5 } else { pair.jaccard_word5 };
            let exactly = jaccard(&a, &b, unit);
            given += (exactly - truth).abs();
            for hasher in &hashers {
                let [Some(a), Some(b)] = [&a, &b].map(|text| hasher.sign(text)) else { continue };
                let [a, b] = [a, b].map(|values| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>());
                let error = estimate(&a, &b) - exactly;
                bias += error;
                squares += error * error;
                expected += exactly * (1.0 - exactly) / 112.0;
                counted += error.abs();
                compared += 1.0;
            }
        }
        let total = pairs.len() as f64;
        let (given, bias, deviation, expected) =
            (given / total, bias / compared, (squares / compared).sqrt(), (expected / compared).sqrt());
        say(&format!(
            "{unit:?}: {total} pairs; our normalisation moves the true Jaccard by {given:.4}; estimate: bias {bias:+.4}, mean error {:.4}, deviation {deviation:.4} (binomial: {expected:.4})",
            counted / compared
        ));
        assert!(given < 0.02, "the shingles are not those of the truth: {given}");
        assert!(bias.abs() < 0.004, "{bias}");
        assert!(deviation < 1.08 * expected, "{deviation}, {expected}");
    }
}

/// Recall and precision of the links over all pairs of the corpus, by true similarity.
#[test]
fn links_of_the_corpus_by_band_of_similarity() {
    let (Some(corpus), Some(truth)) = (load::<Whole>("corpus.jsonl.zst"), load::<Truth>("corpus_truth.jsonl.zst")) else { return };
    let truth: BTreeMap<(String, String), f32> = truth.into_iter().map(|pair| ((pair.a, pair.b), pair.jaccard_char5)).collect();
    let parts: Vec<Vec<Planted>> =
        corpus.chunks(60).map(|part| part.iter().map(|page| Planted::new(&page.id, &page.text)).collect()).collect();
    for (name, text, least) in [
        ("char 5, 0.8", "minhash = {}", Some((0.98, 0.99))),
        ("char 5, 0.7", "minhash = { threshold = 0.7 }", Some((0.98, 0.95))),
        ("word 5, 0.7", "minhash = { shingle = \"word\", threshold = 0.7 }", None),
        ("word 5, 20 x 5, 0.5", "minhash = { shingle = \"word\", bands = 20, rows = 5, threshold = 0.5 }", None),
        ("simhash 6, 3", "simhash = {}", None),
        ("simhash 6, 6", "simhash = { max-distance = 6 }", None),
    ] {
        let (summary, removed) = dedup(&parts, &config(text), 5);
        let cluster = |id: &str| removed.get(id).map_or_else(|| id.to_owned(), |duplicate| duplicate.of.clone());
        let mut line = format!("{name}: removed {} of {} in {} clusters; recall", summary.removed(), summary.documents, summary.clusters);
        for (low, high) in [(0.3, 0.5), (0.5, 0.6), (0.6, 0.7), (0.7, 0.8), (0.8, 0.9), (0.9, 1.01)] {
            let of_band: Vec<_> = truth.iter().filter(|(_, jaccard)| (low..high).contains(*jaccard)).map(|(pair, _)| pair).collect();
            let found = of_band.iter().filter(|(a, b)| cluster(a) == cluster(b)).count();
            line += &format!(" [{low}, {high}) {found}/{}", of_band.len());
        }
        // A cluster joins pairs through others; a link is right if the removed one is truly similar
        // to the one that stays.
        let similar = |duplicate: &Duplicate| {
            let pair = |a: &str, b: &str| truth.get(&(a.to_owned(), b.to_owned())).copied();
            pair(&duplicate.id, &duplicate.of).or_else(|| pair(&duplicate.of, &duplicate.id)).unwrap_or(0.0)
        };
        let precise =
            |least: f32| removed.values().filter(|duplicate| similar(duplicate) >= least).count() as f32 / removed.len().max(1) as f32;
        line += &format!("; precision at 0.7 {:.3}, at 0.6 {:.3}, at 0.3 {:.3}", precise(0.7), precise(0.6), precise(0.3));
        say(&line);
        assert!(precise(0.3) > 0.99, "{name}: unrelated pages were merged");
        if let Some((recall, precision)) = least {
            let sure: Vec<_> = truth.iter().filter(|(_, jaccard)| **jaccard >= 0.85).map(|(pair, _)| pair).collect();
            let found = sure.iter().filter(|(a, b)| cluster(a) == cluster(b)).count() as f32 / sure.len().max(1) as f32;
            assert!(found >= recall, "{name}: recall {found} from 0.85");
            assert!(precise(0.6) >= precision, "{name}: precision {}", precise(0.6));
        }
    }
}

/// A passage, what an editor changes in it, and how the passage goes on when it is written anew.
const PASSAGES: [(&str, [(&str, &str); 2]); 6] = [
    (
        "국립공원의 탐방로는 봄철 산불을 막기 위해 해마다 이월 중순부터 오월 중순까지 일부가 닫힌다. 닫힌 길에 들어간 사람은 과태료를 내야 하며, 정상으로 가는 길 가운데 세 곳은 이 기간에도 열려 있다. 자세한 구간은 공원 사무소의 안내판과 누리집에서 볼 수 있다.",
        [("이월 중순부터", "이월 하순부터"), ("세 곳은", "네 곳은")],
    ),
    (
        "할머니는 장독대에서 된장을 퍼 오라고 하셨다. 뚜껑을 열자 구수한 냄새가 마당까지 번졌고, 고양이가 슬그머니 다가와 내 발목에 몸을 비볐다. 나는 된장을 한 국자 떠서 뚝배기에 담고, 텃밭에서 애호박 하나와 풋고추 몇 개를 따서 부엌으로 들어갔다.",
        [("구수한 냄새가", "짭짤한 냄새가"), ("풋고추 몇 개를", "풋고추 두어 개를")],
    ),
    (
        "이 도구는 설정 파일을 읽어 작업의 순서를 정한다. 파일이 없으면 기본값을 쓰고, 알 수 없는 항목이 있으면 그 줄과 함께 오류를 알린다. 작업은 서로 기다려야 하는 것만 차례로 하고 나머지는 한꺼번에 한다. 도중에 멈추어도 끝난 작업은 다시 하지 않는다.",
        [("기본값을 쓰고", "기본값으로 하고"), ("한꺼번에 한다", "동시에 한다")],
    ),
    (
        "어제 저녁 남해안에 내린 비로 양식장 열두 곳이 물에 잠기고 도로 두 군데가 끊겼다. 군청은 굴삭기 다섯 대를 보내 흙을 치우고 있으며, 오늘 밤까지는 차가 다닐 수 있을 것으로 보인다고 밝혔다. 다친 사람은 없는 것으로 알려졌다.",
        [("열두 곳이", "열세 곳이"), ("오늘 밤까지는", "내일 아침까지는")],
    ),
    (
        "임차인은 계약이 끝나기 두 달 전까지 계약을 이어 갈지 임대인에게 알려야 한다. 아무 말이 없으면 같은 조건으로 계약이 이어진 것으로 본다. 이 경우 임차인은 언제든지 계약을 그만둔다고 알릴 수 있고, 알린 날부터 석 달이 지나면 효력이 생긴다.",
        [("두 달 전까지", "한 달 전까지"), ("언제든지 계약을", "언제라도 계약을")],
    ),
    (
        "배우들 연기는 좋은데 이야기가 중간부터 힘이 빠진다. 처음 삼십 분은 정말 숨도 못 쉬고 봤고, 음악도 장면마다 딱 맞아떨어졌다. 그런데 범인이 너무 일찍 드러나서 남은 한 시간은 확인만 하는 느낌이었다. 그래도 극장에서 볼 만한 그림이라 후회는 없다.",
        [("정말 숨도", "진짜 숨도"), ("남은 한 시간은", "나머지 한 시간은")],
    ),
];

/// Recall on Korean without any data but ours. Of the edited passages the sets of runs of five
/// characters are alike by 0.80 to 0.87, of those that only end otherwise by 0.98; passages
/// that share a half are below 0.5.
#[test]
fn edited_korean_is_found_and_other_korean_is_not() {
    let of = |kind: &str, change: &dyn Fn(usize) -> String| {
        let (mut documents, mut similar) = (Vec::new(), Vec::new());
        for (number, (passage, _)) in PASSAGES.into_iter().enumerate() {
            let changed = change(number);
            similar.push(jaccard(passage, &changed, Shingle::Char));
            documents.push(Planted { priority: 0, ..Planted::new(&number.to_string(), passage) });
            documents.push(Planted::new(&format!("{number} {kind}"), &changed));
        }
        say(&format!("{kind}: {similar:.2?}"));
        (documents, similar)
    };
    let removed = |documents: &[Planted], text: &str| told(&dedup(&[documents.to_vec()], &config(text), 2).1);
    let all = |kind: &str, method: &str| (0..PASSAGES.len()).map(|n| format!("{n} {kind} {method} {n} 2")).collect::<Vec<_>>();
    let (minhash, simhash) = ("minhash = { threshold = 0.7 }", "simhash = { max-distance = 6 }");

    let (edited, similar) =
        of("edited", &|n| PASSAGES[n].1.into_iter().fold(PASSAGES[n].0.to_owned(), |text, (from, to)| text.replacen(from, to, 1)));
    assert!(similar.iter().all(|similar| (0.80..0.88).contains(similar)), "{similar:?}");
    assert_eq!(removed(&edited, minhash), all("edited", "minhash"));

    let (ended, similar) = of("ended", &|n| format!("{}!", PASSAGES[n].0.trim_end_matches('.')));
    assert!(similar.iter().all(|similar| *similar > 0.97), "{similar:?}");
    assert_eq!(removed(&ended, minhash), all("ended", "minhash"));
    assert_eq!(removed(&ended, simhash), all("ended", "simhash"));

    let half = |text: &str, second: bool| {
        let count = text.chars().count();
        if second { text.chars().skip(count / 2).collect::<String>() } else { text.chars().take(count / 2).collect() }
    };
    let (joined, similar) = of("joined", &|n| half(PASSAGES[n].0, false) + &half(PASSAGES[(n + 1) % PASSAGES.len()].0, true));
    assert!(similar.iter().all(|similar| *similar < 0.5), "{similar:?}");
    assert!(removed(&joined, minhash).is_empty() && removed(&joined, simhash).is_empty());
}
