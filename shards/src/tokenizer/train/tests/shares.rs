//! Merges shared out among buckets, beside a trainer that counts all pairs anew for each merge.

use std::cmp::Reverse;
use std::sync::Arc;

use super::*;
use crate::tokenizer::Tokenizer;

type Words = BTreeMap<String, u64>;

/// Merges by the definition: the bucket furthest behind, its commonest pair, everywhere.
fn by_definition(buckets: &[Words], shares: &[f64], case: &Case) -> Vec<(String, String)> {
    let alphabet = case.alphabet.tokens(&case.special, &[]).unwrap();
    let mut tokens: Vec<Vec<u8>> = (0..alphabet.len() as u32).map(|id| alphabet.get(id).to_vec()).collect();
    let id_of = |tokens: &[Vec<u8>], token: &[u8]| tokens.iter().position(|known| known == token);
    let mut corpora: Vec<Vec<(Vec<usize>, u64)>> = buckets
        .iter()
        .map(|words| {
            words.iter().map(|(word, count)| (word.bytes().map(|byte| id_of(&tokens, &[byte]).unwrap()).collect(), *count)).collect()
        })
        .collect();
    let (mut taken, mut live) = (vec![0u64; buckets.len()], vec![true; buckets.len()]);
    let mut merges: Vec<(usize, usize)> = Vec::new();
    while tokens.len() < case.vocab {
        let running = || (0..buckets.len()).filter(|&at| live[at]);
        let (step, whole) = (running().map(|at| taken[at]).sum::<u64>() + 1, running().map(|at| shares[at]).sum::<f64>());
        let mut turn = None;
        for at in running() {
            let behind = |at: usize| shares[at] / whole * step as f64 - taken[at] as f64;
            if turn.is_none_or(|best| behind(at) > behind(best)) {
                turn = Some(at);
            }
        }
        let Some(turn) = turn else { break };
        let mut counts: BTreeMap<(usize, usize), u64> = BTreeMap::new();
        for (word, count) in &corpora[turn] {
            word.windows(2).for_each(|pair| *counts.entry((pair[0], pair[1])).or_default() += count);
        }
        let best = counts.into_iter().max_by_key(|&(pair, count)| (count, Reverse(pair)));
        let Some((pair, _)) = best.filter(|(_, count)| *count >= case.min_frequency) else {
            live[turn] = false;
            continue;
        };
        let token = [&tokens[pair.0][..], &tokens[pair.1]].concat();
        let id = id_of(&tokens, &token).unwrap_or_else(|| {
            tokens.push(token);
            taken[turn] += 1;
            tokens.len() - 1
        });
        merges.push(pair);
        for word in corpora.iter_mut().flatten().map(|(word, _)| word) {
            let mut at = 0;
            while at + 1 < word.len() {
                if (word[at], word[at + 1]) == pair {
                    word.splice(at..at + 2, [id]);
                }
                at += 1;
            }
        }
    }
    let last: Vec<(usize, usize)> = (0..merges.len()).filter(|&at| !merges[at + 1..].contains(&merges[at])).map(|at| merges[at]).collect();
    last.into_iter().map(|(left, right)| (file::spell(&tokens[left]), file::spell(&tokens[right]))).collect()
}

fn ours(buckets: &[Words], shares: &[f64], case: &Case) -> Vec<(String, String)> {
    let counted = |words: &Words| {
        let mut counted = super::Words::new();
        words.iter().for_each(|(word, count)| counted.add(word.as_bytes(), *count).unwrap());
        Counts::Memory(counted)
    };
    let limits = Limits { tokens: case.vocab, min_frequency: case.min_frequency, length: usize::MAX, first_new: 0 };
    let counts = buckets.iter().map(counted).collect();
    let (tokens, merges) = from_bytes(counts, shares, case.alphabet, 1.0, &case.special, limits).unwrap();
    merges.iter().map(|&(left, right, _)| (file::spell(tokens.get(left)), file::spell(tokens.get(right)))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn as_defined(
        first in prop_oneof![words("[ab]{1,8}", 20), words("[가나다]{1,4}", 20)], second in words("[abc]{1,9}", 20),
        third in words("a{1,12}", 5), share in 1..9u32, extra in 0..80usize, min_frequency in 0..4u64,
    ) {
        let shares = [f64::from(share) / 10.0 * 0.8, (1.0 - f64::from(share) / 10.0) * 0.8, 0.2];
        let case = Case { min_frequency, ..Case::new(257 + extra) };
        let buckets = [first, second, third];
        prop_assert_eq!(ours(&buckets, &shares, &case), by_definition(&buckets, &shares, &case));
    }
}

/// Nine times as much English as Korean: with shares Korean gets its tokens all the same.
#[test]
fn the_smaller_bucket_gets_its_share() {
    let (korean, english): (Arc<str>, Arc<str>) = ("korean".into(), "english".into());
    let mut texts = texts(400).into_iter().map(|text| (korean.clone(), text)).collect::<Vec<_>>();
    let letter = |n: u32| char::from(b'a' + (n.wrapping_mul(2_654_435_761) >> 16) as u8 % 26);
    texts.extend((0..3000u32).map(|i| (english.clone(), (0..80).map(|j| if j % 6 == 0 { ' ' } else { letter(i * j % 4001) }).collect())));
    let rate = |shares: &[(&str, f64)]| {
        let shares = shares.iter().map(|&(bucket, share)| (bucket.to_owned(), share)).collect();
        let config = TrainConfig { vocab_size: 1257, shares, ..TrainConfig::default() };
        let trained = Tokenizer::train(&config, None, &std::env::temp_dir(), texts.clone().into_iter()).unwrap();
        (257..trained.vocab_size()).filter(|&id| trained.token_text(id).unwrap().bytes().any(|byte| !byte.is_ascii())).count()
    };
    let shared = rate(&[("korean", 0.5), ("english", 0.5)]);
    assert!((480..=520).contains(&shared), "{shared}");
    assert!(rate(&[]) < 300 && rate(&[("korean", 0.9), ("english", 0.1)]) > 850);

    let fails = |shares: &[(&str, f64)], texts: Vec<(Arc<str>, String)>| {
        let shares = shares.iter().map(|&(bucket, share)| (bucket.to_owned(), share)).collect();
        let config = TrainConfig { vocab_size: 300, shares, ..TrainConfig::default() };
        Tokenizer::train(&config, None, &std::env::temp_dir(), texts.into_iter()).unwrap_err().to_string()
    };
    assert!(fails(&[("korean", 1.0)], texts.clone()).contains("bucket `english` has no share"));
    assert!(fails(&[("korean", 0.4), ("english", 0.4), ("code", 0.2)], texts.clone()).contains("in bucket `code`"));
    assert!(fails(&[("korean", 0.4), ("english", 0.4)], texts.clone()).contains("not 0.8"));
    assert!(fails(&[("korean", 1.1), ("english", -0.1)], texts).contains("above 0"));
}
