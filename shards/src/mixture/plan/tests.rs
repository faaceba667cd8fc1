//! Plans against counts by hand.

use super::*;
use crate::mixture::MixtureStage;

fn available(counts: &[(&str, u64)]) -> Vec<Supply> {
    counts.iter().map(|(name, n)| Supply { bucket: name.to_string(), tokens: *n, copies: 0 }).collect()
}

fn config(ratios: &[(&str, f64)], max_epochs: f64, on_shortage: OnShortage) -> MixtureConfig {
    MixtureConfig { ratios: ratios.iter().map(|(n, r)| (n.to_string(), *r)).collect(), max_epochs, on_shortage, ..MixtureConfig::default() }
}

const HALVES: [(&str, f64); 2] = [("ko", 0.5), ("to", 0.5)];

#[test]
fn without_a_target_the_scarcest_bucket_is_used_once() {
    // 1000 tokens of `ko` are 100 windows, so `to` gives 100 of its 500; total 200 windows.
    let config = config(&HALVES, 4.0, OnShortage::Refuse);
    let counts = available(&[("ko", 1000), ("to", 5000), ("legal", 70)]);
    let plan = MixturePlan::new(&config, &counts, None, 10).unwrap();
    assert_eq!((plan.windows, plan.tokens, plan.reduced), (200, 2000, false));
    let windows: Vec<u64> = plan.buckets.iter().map(|b| b.windows).collect();
    assert_eq!(windows, [100, 100, 0]);
    assert_eq!(plan.buckets[0].epochs, 1.0);
    assert_eq!(plan.buckets[1].epochs, 0.2);
    assert_eq!(plan.buckets[2].bucket, "legal");
}

#[test]
fn default_ratios_come_out_exactly() {
    let counts = available(&[("korean", 10_000), ("english", 10_000), ("code", 10_000)]);
    let plan = MixturePlan::new(&MixtureConfig::default(), &counts, Some(10_000), 10).unwrap();
    let windows: Vec<u64> = plan.buckets.iter().map(|b| b.windows).collect();
    assert_eq!(windows, [70, 510, 420]); // by name: code, english, korean
    // 7 windows: 0.49, 3.57, 2.94 → 0, 3, 2 and the two largest rests are korean, english.
    let plan = MixturePlan::new(&MixtureConfig::default(), &counts, Some(65), 10).unwrap();
    let windows: Vec<u64> = plan.buckets.iter().map(|b| b.windows).collect();
    assert_eq!((windows, plan.windows), (vec![0, 4, 3], 7));
}

#[test]
fn repeats_within_the_epochs_are_planned_and_counted() {
    // 250 windows of ko from 100: 2.5 epochs, 150 windows of 10 tokens drawn again.
    let config = config(&HALVES, 4.0, OnShortage::Refuse);
    let counts = available(&[("ko", 1000), ("to", 5000)]);
    let plan = MixturePlan::new(&config, &counts, Some(5000), 10).unwrap();
    assert_eq!(plan.buckets[0].epochs, 2.5);
    assert_eq!(plan.buckets[0].repeated_tokens, 1500);
    assert_eq!(plan.buckets[1].repeated_tokens, 0);
}

/// 140 tokens, of which 40 stand in documents that no row takes: ten rows are 100 tokens, fifteen of them 1.5 epochs of those.
#[test]
fn what_is_too_long_to_be_packed_is_not_there() {
    let packed = Packed { rows: 10, too_long_documents: 2, too_long_tokens: 40, alone: false };
    let plan = |max_epochs| {
        let config = config(&[("ko", 1.0)], max_epochs, OnShortage::Refuse);
        MixturePlan::with_packed(&config, &available(&[("ko", 140)]), &[("ko".to_owned(), packed)].into(), Some(150), 10)
    };
    let ko = &plan(2.0).unwrap().buckets[0];
    assert_eq!((ko.tokens, ko.epoch_tokens(), ko.epochs, ko.repeated_tokens), (150, 100, 1.5, 50));
    let Err(Error::Shortage(short)) = plan(1.0) else { panic!("not refused") };
    assert!(short.to_string().contains("`ko` should give 150 and has 100: 1.50 epochs, 1 allowed, 50 missing"), "{short}");
}

#[test]
fn padding_is_not_counted_as_tokens() {
    let plan = |tokens: u64, seq_len: u32, windows: u64| {
        let config = config(&[("ko", 1.0)], 4.0, OnShortage::Refuse);
        let target = windows * u64::from(seq_len);
        let plan = MixturePlan::new(&config, &available(&[("ko", tokens)]), Some(target), seq_len).unwrap();
        let ko = &plan.buckets[0];
        assert_eq!((plan.windows, plan.tokens, ko.windows), (windows, ko.tokens, windows));
        (ko.tokens, ko.repeated_tokens, ko.padding_tokens)
    };
    // 8 tokens in one window of 256: four epochs are 32 tokens in 1024 places.
    assert_eq!(plan(8, 256, 4), (32, 24, 992));
    // 11 tokens in windows of 10 and 1: two epochs, a full window, and so on.
    assert_eq!(plan(11, 10, 1), (10, 0, 0));
    assert_eq!(plan(11, 10, 2), (11, 0, 9));
    assert_eq!(plan(11, 10, 3), (21, 10, 9));
    assert_eq!(plan(11, 10, 4), (22, 11, 18));
    assert_eq!(plan(20, 10, 3), (30, 10, 0));
}

#[test]
fn epochs_are_not_lost_to_rounding() {
    // 100 windows may be gone through 2.3 times: 230 windows.
    let reduce = config(&[("ko", 1.0)], 2.3, OnShortage::Reduce);
    let plan = MixturePlan::new(&reduce, &available(&[("ko", 1000)]), Some(5000), 10).unwrap();
    assert_eq!((plan.windows, plan.buckets[0].epochs), (230, 2.3));
    // 7 windows 1.5 times are 10.5: the half one is not drawn.
    let reduce = config(&[("ko", 1.0)], 1.5, OnShortage::Reduce);
    assert_eq!(MixturePlan::new(&reduce, &available(&[("ko", 70)]), Some(5000), 10).unwrap().windows, 10);
}

#[test]
fn a_shortage_is_refused_with_its_numbers() {
    // 8000 tokens want 400 windows of ko; two epochs of 100 windows are 200, 2000 missing.
    let config = config(&HALVES, 2.0, OnShortage::Refuse);
    let counts = available(&[("ko", 1000), ("to", 5000)]);
    let Err(Error::Shortage(short)) = MixturePlan::new(&config, &counts, Some(8000), 10) else {
        panic!("not refused");
    };
    assert_eq!((short.requested_tokens, short.possible_tokens), (8000, 4000));
    let ko = &short.buckets[0];
    assert_eq!((ko.wanted_tokens, ko.missing_tokens), (4000, 2000));
    assert_eq!((ko.epochs_needed, ko.max_epochs), (Some(4.0), 2.0));
    assert_eq!(short.buckets[1].missing_tokens, 0);
    let text = short.to_string();
    assert!(text.contains("ko") && text.contains("2000 missing"), "{text}");
}

#[test]
fn a_shortage_is_reduced_or_repeated_on_request() {
    let counts = available(&[("ko", 1000), ("to", 5000)]);
    let reduce = config(&HALVES, 2.0, OnShortage::Reduce);
    let plan = MixturePlan::new(&reduce, &counts, Some(8000), 10).unwrap();
    assert_eq!((plan.tokens, plan.reduced), (4000, true));
    assert_eq!(plan.buckets[0].epochs, 2.0);
    let repeat = config(&HALVES, 2.0, OnShortage::Repeat);
    let plan = MixturePlan::new(&repeat, &counts, Some(8000), 10).unwrap();
    assert_eq!((plan.tokens, plan.reduced), (8000, false));
    assert_eq!(plan.buckets[0].repeated_tokens, 3000);
}

#[test]
fn an_empty_bucket_is_a_shortage_in_every_mode() {
    let counts = available(&[("to", 5000)]);
    for mode in [OnShortage::Refuse, OnShortage::Repeat, OnShortage::Reduce] {
        for target in [None, Some(100)] {
            let error = MixturePlan::new(&config(&HALVES, 2.0, mode), &counts, target, 10);
            let Err(Error::Shortage(short)) = error else {
                panic!("not refused");
            };
            assert_eq!(short.buckets[0].epochs_needed, None);
        }
    }
}

#[test]
fn single_buckets_have_their_own_epochs() {
    let mut config = config(&HALVES, 2.0, OnShortage::Refuse);
    config.epochs.insert("ko".into(), 8.0);
    let counts = available(&[("ko", 1000), ("to", 5000)]);
    let plan = MixturePlan::new(&config, &counts, Some(8000), 10).unwrap();
    assert_eq!(plan.buckets[0].epochs, 4.0);
}

#[test]
fn a_saved_plan_is_read_back_and_a_changed_one_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mixture.json");
    let counts = available(&[("korean", 10_000), ("english", 10_000), ("code", 10_000)]);
    let plan = MixturePlan::new(&MixtureConfig::default(), &counts, None, 7).unwrap();
    plan.save(&path).unwrap();
    assert_eq!(MixturePlan::load(&path).unwrap(), plan);
    let text = std::fs::read_to_string(&path).unwrap();
    let wrong = text.replacen("\"windows\": ", "\"windows\": 1", 1);
    std::fs::write(&path, wrong).unwrap();
    assert!(MixturePlan::load(&path).is_err());
    for (from, to) in [
        ("\"version\": 2", "\"version\": 1"),
        ("\"padding-tokens\": ", "\"padding-tokens\": 1"),
        ("\"windows\": ", "\"windows\": 1000000000000000"),
        ("\"available-tokens\": 10000", "\"available-tokens\": 18446744073709551615"),
    ] {
        let wrong = text.replace(from, to);
        assert_ne!(wrong, text);
        std::fs::write(&path, wrong).unwrap();
        assert!(MixturePlan::load(&path).is_err(), "{to}");
    }
}

#[test]
fn every_plan_is_read_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mixture.json");
    for tokens in 1..400 {
        let config = config(&[("ko", 1.0)], 1.0, OnShortage::Refuse);
        let plan = MixturePlan::new(&config, &available(&[("ko", 7919)]), Some(tokens * 19), 11).unwrap();
        std::fs::write(&path, serde_json::to_vec(&plan).unwrap()).unwrap();
        assert_eq!(MixturePlan::load(&path).unwrap(), plan);
    }
}

#[test]
fn more_windows_than_a_stream_can_count_are_refused() {
    let repeat = config(&[("ko", 1.0)], 1e6, OnShortage::Repeat);
    let counts = available(&[("ko", u64::MAX)]);
    let error = MixturePlan::new(&repeat, &counts, Some(u64::MAX), 1).unwrap_err().to_string();
    assert!(error.contains("at most 281474976710656"), "{error}"); // 2^48
    assert_eq!(MixturePlan::new(&repeat, &counts, None, 1).unwrap().windows, 1 << 48);
    // 2^60 places in windows of 2^31.
    assert_eq!(MixturePlan::new(&repeat, &counts, None, 1 << 31).unwrap().windows, 1 << 29);
}

fn windows(plan: &MixturePlan) -> Vec<u64> {
    plan.buckets.iter().map(|bucket| bucket.windows).collect()
}

#[test]
fn a_temperature_lifts_small_buckets() {
    let counts = available(&[("big", 90_000), ("small", 10_000), ("none", 0)]);
    let plan = |temperature, tokens| {
        let config = MixtureConfig { ratios: [].into(), balance: Balance::Temperature(temperature), ..MixtureConfig::default() };
        MixturePlan::new(&config, &counts, tokens, 10).unwrap()
    };
    // As there is: 90 and 10 percent; with 2, square roots 300 and 100, so three to one.
    assert_eq!(windows(&plan(1.0, Some(10_000))), [900, 100, 0]);
    assert_eq!(windows(&plan(2.0, Some(10_000))), [750, 250, 0]);
    assert_eq!(plan(2.0, Some(10_000)).buckets[0].ratio, 0.75);
    // Without a target: the small one once, 1000 windows, and three times as many of the big one.
    assert_eq!(windows(&plan(2.0, None)), [3000, 1000, 0]);
}

#[test]
fn ratios_are_the_same_after_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mixture.json");
    // 25 of 51 windows; and more digits than a file brings back.
    let unimax = MixtureConfig { ratios: [].into(), balance: Balance::UniMax, ..MixtureConfig::default() };
    let stated = config(&[("a", 0.490_196_078_431_372_53), ("b", 0.509_803_921_568_627_4)], 4.0, OnShortage::Refuse);
    for config in [unimax, stated] {
        for total in 2..200 {
            let plan = MixturePlan::new(&config, &available(&[("a", 250), ("b", 5000)]), Some(total * 10), 10).unwrap();
            plan.save(&path).unwrap();
            assert_eq!(MixturePlan::load(&path).unwrap(), plan, "{total}");
        }
    }
}

#[test]
fn unimax_is_even_within_the_epochs() {
    let counts = available(&[("a", 100), ("b", 2000), ("c", 5000), ("none", 0)]);
    let plan = |on_shortage, tokens| {
        let config =
            MixtureConfig { ratios: [].into(), balance: Balance::UniMax, max_epochs: 2.0, on_shortage, ..MixtureConfig::default() };
        MixturePlan::new(&config, &counts, tokens, 10)
    };
    let even = |tokens| windows(&plan(OnShortage::Refuse, Some(tokens)).unwrap());
    // 10, 200 and 500 windows: at most 20, 400 and 1000.
    assert_eq!(even(300), [10, 10, 10, 0]);
    assert_eq!(even(310), [10, 10, 11, 0]);
    assert_eq!(even(6000), [20, 290, 290, 0]);
    assert_eq!(even(10_000), [20, 400, 580, 0]);
    let plan_of = plan(OnShortage::Refuse, Some(10_000)).unwrap();
    assert_eq!(plan_of.buckets.iter().map(|bucket| bucket.ratio).collect::<Vec<_>>(), [0.02, 0.4, 0.58, 0.0]);
    // Without a target: each once.
    assert_eq!(windows(&plan(OnShortage::Refuse, None).unwrap()), [10, 200, 500, 0]);
    // 1420 windows are all that two epochs give.
    let Err(Error::Shortage(short)) = plan(OnShortage::Refuse, Some(20_000)) else { panic!("not refused") };
    assert_eq!((short.requested_tokens, short.possible_tokens), (20_000, 14_200));
    let reduced = plan(OnShortage::Reduce, Some(20_000)).unwrap();
    assert_eq!((windows(&reduced), reduced.reduced, reduced.tokens), (vec![20, 400, 1000, 0], true, 14_200));
    let repeated = plan(OnShortage::Repeat, Some(20_000)).unwrap();
    assert_eq!(windows(&repeated), [20 + 193, 400 + 193, 1000 + 194, 0]);
}

fn stage(until: Option<u64>, ratios: &[(&str, f64)]) -> MixtureStage {
    MixtureStage { until, ratios: ratios.iter().map(|(name, ratio)| (name.to_string(), *ratio)).collect() }
}

fn staged(stages: Vec<MixtureStage>, on_shortage: OnShortage) -> MixtureConfig {
    MixtureConfig { ratios: [].into(), stages, on_shortage, max_epochs: 2.0, ..MixtureConfig::default() }
}

#[test]
fn stages_deal_their_own_windows() {
    let counts = available(&[("ko", 4000), ("en", 9000), ("code", 500)]);
    let stages = vec![stage(Some(4995), &[("en", 0.9), ("ko", 0.1)]), stage(None, &[("en", 0.25), ("ko", 0.65), ("code", 0.1)])];
    let config = staged(stages, OnShortage::Refuse);
    let plan = MixturePlan::new(&config, &counts, Some(10_000), 10).unwrap();
    // 500 windows of the first (4995 tokens, rounded up) and 500 of the second; by name: code, en, ko.
    assert_eq!(plan.stages, [StagePlan { windows: 500, drawn: vec![0, 450, 50] }, StagePlan { windows: 500, drawn: vec![50, 125, 325] }]);
    assert_eq!(windows(&plan), [50, 575, 375]);
    assert_eq!((plan.windows, plan.buckets[1].ratio), (1000, 0.575));
    // The stages count against the epochs together: 50 windows of code twice.
    let long = MixturePlan::new(&config, &counts, Some(20_000), 10);
    let Err(Error::Shortage(short)) = long else { panic!("not refused: {long:?}") };
    assert_eq!((short.buckets[0].bucket.as_str(), short.buckets[0].wanted_tokens, short.buckets[0].missing_tokens), ("code", 1500, 500));
    // Twice 50 windows of code are a tenth of 1000 windows of the second stage, behind 500 of the first.
    assert_eq!(short.possible_tokens, 15_000);
    assert!(
        short.to_string().contains("; 15000 tokens, with a shorter last stage, keep") && !short.to_string().contains("reduce"),
        "{short}"
    );
    let most = MixturePlan::new(&config, &counts, Some(15_000), 10).unwrap();
    assert_eq!((most.tokens, most.buckets[0].epochs), (15_000, 2.0));
    assert!(MixturePlan::new(&config, &counts, Some(15_100), 10).is_err_and(|error| matches!(error, Error::Shortage(_))));
    // Where the first stage draws too much already, no end of the last one helps.
    let early = staged(vec![stage(Some(9000), &[("code", 1.0)]), stage(None, &[("en", 1.0)])], OnShortage::Refuse);
    let Err(Error::Shortage(short)) = MixturePlan::new(&early, &counts, Some(10_000), 10) else { panic!("not refused") };
    assert!(short.possible_tokens == 0 && short.to_string().ends_with("no total keeps these ratios"), "{short}");
    let repeat = MixtureConfig { on_shortage: OnShortage::Repeat, ..config.clone() };
    assert_eq!(MixturePlan::new(&repeat, &counts, Some(20_000), 10).unwrap().buckets[0].windows, 150);
    for (tokens, message) in [(None, "not set"), (Some(4990), "stage 2 of the mixture begins at 4990")] {
        let error = MixturePlan::new(&config, &counts, tokens, 10).unwrap_err().to_string();
        assert!(error.contains(message) || tokens == Some(4990) && error.contains("stage 2"), "{error}");
    }
    assert!(matches!(MixturePlan::new(&config, &counts[..2], Some(10_000), 10), Err(Error::Shortage(_))));
}

#[test]
fn stages_that_do_not_add_up_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mixture.json");
    let config = staged(vec![stage(Some(500), &[("en", 1.0)]), stage(None, &[("ko", 1.0)])], OnShortage::Refuse);
    let plan = MixturePlan::new(&config, &available(&[("ko", 4000), ("en", 9000)]), Some(1000), 10).unwrap();
    plan.save(&path).unwrap();
    assert_eq!(MixturePlan::load(&path).unwrap(), plan);
    for wrong in [vec![50, 1], vec![1, 49], vec![50], vec![u64::MAX, 51]] {
        let mut plan = plan.clone();
        plan.stages[0].drawn = wrong;
        std::fs::write(&path, serde_json::to_vec(&plan).unwrap()).unwrap();
        assert!(MixturePlan::load(&path).unwrap_err().to_string().contains("stage"));
    }
}
