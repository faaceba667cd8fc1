//! The classifier: a step by hand, a model that learns, hostile files.

use proptest::prelude::*;

use super::*;

const POSITIVE: [&str; 8] = [
    "식물은 햇빛을 이용하여 스스로 양분을 만든다.",
    "물은 섭씨 백 도에서 끓고 영 도에서 언다.",
    "조선은 1392년에 이성계가 세운 나라이다.",
    "광합성은 잎의 엽록체에서 일어나는 과정이다.",
    "지구는 태양의 둘레를 한 해에 한 번 돈다.",
    "세포는 생물을 이루는 가장 작은 단위이다.",
    "The cell is the smallest unit of a living thing.",
    "Water boils at a hundred degrees at the level of the sea.",
];
const NEGATIVE: [&str; 8] = [
    "지금 바로 클릭하세요!!! 무료 쿠폰 증정!!!",
    "대박 할인!! 오늘만 이 가격!! 서두르세요!!",
    "무료 상담 받으세요 지금 신청하면 선물 증정",
    "클릭하면 바로 쿠폰 받으세요!!! 놓치지 마세요",
    "오늘만 특가!!! 지금 구매하세요!!!",
    "회원 가입하면 무료 포인트 바로 증정!!",
    "CLICK HERE!!! Free coupons today only!!!",
    "Buy now!!! Best price, limited offer!!!",
];

fn trained(config: &TrainerConfig) -> Model {
    let mut trainer = Trainer::new(config, [8, 8]).unwrap();
    for _ in 0..config.epochs {
        for (positive, negative) in POSITIVE.iter().zip(NEGATIVE) {
            for (text, class) in [(*positive, true), (negative, false)] {
                let sample = trainer.sample(text);
                trainer.learn(&sample, class);
            }
        }
    }
    trainer.finish()
}

/// The model of the page. Its file is written by `REWRITE_CASES=1 cargo test`.
#[test]
fn the_model_of_the_page_is_that_of_its_sentences() {
    let model = trained(&TrainerConfig { bits: 12, epochs: 5, rate: 4.0, seed: 0 });
    let path = std::path::Path::new("cases/classifier.bin");
    if std::env::var_os("REWRITE_CASES").is_some() {
        model.save(path).unwrap();
    }
    let stored = Model::load(path).unwrap();
    assert_eq!((stored.bits, stored.epochs, stored.samples()), (12, 5, [8, 8]));
    // Exponentials may differ in the last bit from one machine's library to another's.
    assert!(stored.weights.iter().zip(&model.weights).all(|(a, b)| (a - b).abs() < 1e-5) && (stored.bias - model.bias).abs() < 1e-5);
    POSITIVE.iter().for_each(|text| assert!(model.score(text) > 0.7, "{text} {}", model.score(text)));
    NEGATIVE.iter().for_each(|text| assert!(model.score(text) < 0.3, "{text} {}", model.score(text)));
    // Texts it never saw.
    assert!(model.score("달은 지구의 둘레를 한 달에 한 번 돈다.") > 0.6);
    assert!(model.score("지금 가입하세요!!! 쿠폰 무료!!!") < 0.4);
}

/// `ab` has the word `ab` and the runs `" ab"` and `"ab "`: three features. From zero the first
/// probability is 1/2, so a positive step of rate 4 moves each weight by 4 · 1/2 / sqrt(3), and the
/// bias by a tenth of 2. With a second class as large, both weigh 1.
#[test]
fn a_step_by_hand() {
    let mut trainer = Trainer::new(&TrainerConfig { bits: 20, epochs: 1, rate: 4.0, seed: 0 }, [1, 1]).unwrap();
    let sample = trainer.sample("ab");
    assert_eq!(sample.0.len(), 3);
    assert_eq!(trainer.sample(" ab\n\n"), sample);
    assert_eq!(trainer.sample("ab cd").0.len(), 2 + 1 + 5);
    trainer.learn(&sample, true);
    let model = trainer.clone().finish();
    let step = 2.0 / 3_f64.sqrt();
    sample.0.iter().for_each(|feature| assert!((f64::from(model.weights[*feature as usize]) - step).abs() < 1e-6));
    assert!((f64::from(model.bias) - 0.2).abs() < 1e-6);
    // 0.2 + 3 · step / sqrt(3) = 2.2.
    assert!((model.score("ab") - 1.0 / (1.0 + (-2.2_f64).exp())).abs() < 1e-6);
    assert!((model.score("ab") - model.score_sample(&sample)).abs() < 1e-12);
    // The second of two steps is taken at half the rate: 2 · -p / sqrt(3).
    trainer.learn(&sample, false);
    let again = trainer.finish();
    let p = 1.0 / (1.0 + (-2.2_f64).exp());
    sample.0.iter().for_each(|feature| {
        assert!((f64::from(again.weights[*feature as usize]) - (step - 2.0 * p / 3_f64.sqrt())).abs() < 1e-5);
    });
}

#[test]
fn stems_meet_through_their_particles() {
    let trainer = Trainer::new(&TrainerConfig::default(), [1, 1]).unwrap();
    let shared = |a: &str, b: &str| {
        let (a, b) = (trainer.sample(a), trainer.sample(b));
        a.0.iter().filter(|feature| b.0.contains(feature)).count()
    };
    // The word 도서관 and its first two runs of characters.
    assert_eq!(shared("도서관에서", "도서관을"), 3);
}

#[test]
fn a_class_without_texts_and_wild_numbers_are_refused() {
    assert!(Trainer::new(&TrainerConfig::default(), [1, 0]).unwrap_err().contains("negative"));
    for config in [
        TrainerConfig { bits: 27, ..TrainerConfig::default() },
        TrainerConfig { epochs: 0, ..TrainerConfig::default() },
        TrainerConfig { rate: f64::NAN, ..TrainerConfig::default() },
    ] {
        assert!(config.validate().is_err(), "{config:?}");
    }
}

/// Scores and areas computed by hand: of the four pairs 0.9 > 0.1, 0.9 > 0.4, 0.4 = 0.4, 0.4 > 0.1.
#[test]
fn precision_recall_and_area_by_hand() {
    let mut scores = Scores::default();
    assert_eq!((scores.auc(), scores.precision(0.5), scores.recall(0.5)), (None, None, None));
    for (score, positive) in [(0.9, true), (0.4, true), (0.4, false), (0.1, false)] {
        scores.push(score, positive);
    }
    assert_eq!(scores.auc(), Some(3.5 / 4.0));
    assert_eq!((scores.precision(0.4), scores.recall(0.4)), (Some(2.0 / 3.0), Some(1.0)));
    assert_eq!((scores.precision(0.5), scores.recall(0.5)), (Some(1.0), Some(0.5)));
    assert_eq!(scores.precision(0.95), None);
}

#[test]
fn every_byte_of_a_file_counts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.bin");
    let model = trained(&TrainerConfig { bits: 8, epochs: 1, rate: 1.0, seed: 7 });
    model.save(&path).unwrap();
    assert_eq!(Model::load(&path).unwrap(), model);
    let good = std::fs::read(&path).unwrap();
    assert_eq!(good.len(), 56 + 4 * 256 + 8);
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        std::fs::write(&path, &bad).unwrap();
        assert!(Model::load(&path).is_err(), "byte {at}");
    }
    for length in [0, 7, 8, 55, 56, good.len() - 1] {
        std::fs::write(&path, &good[..length]).unwrap();
        assert!(Model::load(&path).is_err(), "cut to {length}");
    }
    std::fs::write(&path, [&good[..], b"x"].concat()).unwrap();
    assert!(Model::load(&path).is_err());
    assert!(Model::load(&folder.path().join("none")).unwrap_err().to_string().contains("none"));
}

proptest! {
    #[test]
    fn claims_are_not_believed(numbers: [u32; 4], body in proptest::collection::vec(0_u8.., 0..80)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.bin");
        let mut bytes = b"MALMOICL\x01\0\0\0\x01\0\0\0".to_vec();
        numbers.iter().for_each(|number| bytes.extend(number.to_le_bytes()));
        bytes.extend(body);
        std::fs::write(&path, &bytes).unwrap();
        prop_assert!(Model::load(&path).is_err());
    }

    #[test]
    fn any_text_has_a_score(text in "(?s).{0,200}") {
        let score = trained(&TrainerConfig { bits: 8, epochs: 1, rate: 1.0, seed: 0 }).score(&text);
        prop_assert!((0.0..=1.0).contains(&score));
    }
}
