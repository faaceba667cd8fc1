use super::*;
use crate::model::ModelConfig;

#[test]
fn rows_hold_a_prompt_and_its_answer() {
    let found = batch(vec![(7, &[1, 2], &[3, 4, 5]), (2, &[6], &[7])], 9);
    assert_eq!((found.rows, found.seq_len, found.buckets), (2, 4, vec![7, 2]));
    assert_eq!(found.inputs, [1, 2, 3, 4, 6, 9, 9, 9]);
    assert_eq!(found.targets, [2, 3, 4, 5, 7, 9, 9, 9]);
    assert_eq!(found.mask, [false, true, true, true, true, false, false, false]);
    assert_eq!(found.documents, [0, 0, 0, 0, 0, 1, 1, 1]);
    assert_eq!(found.positions, [0, 1, 2, 3, 0, 0, 1, 2]);
}

#[test]
fn every_answer_is_learned_from_once_a_pass() {
    for (prompts, group, size) in [(1, 1, 1), (1, 4, 9), (7, 3, 2), (7, 3, 7), (19, 1, 4), (8, 2, 4), (5, 2, 1)] {
        let found = pieces(prompts * group, group, size, 5, "a");
        assert_eq!(found.len(), prompts.div_ceil(size));
        let whole = |piece: &Vec<usize>| {
            piece.chunks(group).all(|answers| answers.len() == group && answers.is_sorted() && answers[0] % group == 0)
        };
        assert!(found.iter().all(|piece| piece.len() <= size * group && whole(piece)));
        let mut all = found.concat();
        assert!(found.len() > 1 || all.is_sorted());
        all.sort_unstable();
        assert_eq!(all, (0..prompts * group).collect::<Vec<_>>());
    }
}

#[test]
fn passes_have_orders_of_their_own() {
    let order = |seed, name| pieces(40, 2, 3, seed, name).concat();
    assert_eq!(order(1, "a"), order(1, "a"));
    assert!(order(1, "a") != order(1, "b") && order(1, "a") != order(2, "a"));
}

/// What is answered depends on seed and place, and not on what else is, nor on how many at a time.
#[test]
fn answers_follow_from_seed_and_place() {
    let config = ModelConfig { hidden: 16, layers: 1, heads: 2, kv_heads: 1, intermediate: 24, ..ModelConfig::default() };
    let model = config.init(&burn::tensor::Device::flex(), 257, 3).unwrap();
    let tokenizer = Tokenizer::bytes();
    let prompt = |place: u64, end: Option<u32>| {
        let (text, reference) = (String::new(), String::new());
        Prompt { place, ids: vec![65 + place as u32], text, reference, end, tail: vec![10, 256] }
    };
    let options = RolloutConfig { max_new_tokens: 12, ..RolloutConfig::default() };
    let ends = [256, 7, 8, 9, 10, 11, 12, 13];
    let draw_ended = |places: &[u64], parallel, seed, end| {
        let config = RolloutConfig { parallel, ..options.clone() };
        let drawing = Drawing { config: &config, group: 3, context: 40, ends: &ends, tokenizer: &tokenizer, seed };
        Rollout::draw(&model, places.iter().map(|&place| prompt(place, end)).collect(), &drawing).unwrap().answers
    };
    let draw = |places: &[u64], parallel, seed| draw_ended(places, parallel, seed, None);
    let all = draw(&[0, 1, 2, 3, 4], 64, 1);
    assert_eq!(all.len(), 15);
    assert!(all.iter().enumerate().all(|(at, answer)| answer.prompt == at / 3 && answer.ids.len() == answer.log_probs.len()));
    assert_eq!(draw(&[0, 1, 2, 3, 4], 2, 1), all);
    let some = draw(&[1, 3], 64, 1);
    let ids = |answers: &[Answer]| answers.iter().map(|answer| answer.ids.clone()).collect::<Vec<_>>();
    assert_eq!([ids(&some[..3]), ids(&some[3..])], [ids(&all[3..6]), ids(&all[9..12])]);
    assert_ne!(draw(&[0, 1, 2, 3, 4], 64, 2), all);
    assert_ne!(all[0].ids, all[1].ids);
    for answer in &all {
        let last = *answer.ids.last().unwrap();
        assert_eq!(answer.ended, ends.contains(&last));
        assert!(answer.ended || answer.ids.len() == 12);
        assert_eq!(answer.whole, answer.ids);
    }
    // After the end of the data the template goes on; not after another one, nor where a text was cut.
    let end = all.iter().find(|answer| answer.ended).unwrap().ids.last().copied();
    for answer in draw_ended(&[0, 1, 2, 3, 4], 64, 1, end) {
        let tail: &[u32] = if answer.ids.last().copied() == end { &[10, 256] } else { &[] };
        assert_eq!(answer.whole, [&answer.ids[..], tail].concat());
    }
    assert!(all.iter().any(|answer| answer.ended) && all.iter().any(|answer| !answer.ended), "seeds of the test");
}
