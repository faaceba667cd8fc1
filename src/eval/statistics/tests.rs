use serde_json::{Value, json};

use super::super::item::Answer;
use super::*;

fn record(subject: &str, scores: &[(&str, f64)], prediction: Value, gold: Value) -> Record {
    Record {
        id: String::new(),
        subject: subject.to_owned(),
        prompt: String::new(),
        cut: 0,
        answer: Answer::LogLikelihoods(Vec::new()),
        prediction,
        gold,
        scores: scores.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect(),
        instructions: Vec::new(),
    }
}

fn accuracies(subject: &str, values: &[u8]) -> Vec<Record> {
    values.iter().map(|&value| record(subject, &[("accuracy", value.into())], Value::Null, Value::Null)).collect()
}

fn near(a: Option<f64>, b: f64) {
    assert!((a.unwrap() - b).abs() < 1e-4, "{a:?} {b}");
}

/// Values of the formula, computed by another program.
#[test]
fn wilson_by_the_formula() {
    let interval = wilson(8.0, 10).unwrap();
    near(Some(interval.low), 0.49016);
    near(Some(interval.high), 0.94332);
    let none = wilson(0.0, 20).unwrap();
    assert_eq!(none.low, 0.0);
    near(Some(none.high), 0.16113);
    assert_eq!(wilson(0.0, 0), None);
}

#[test]
fn means_and_shares() {
    let (a, b) = (accuracies("a", &[1, 1, 1, 0]), accuracies("b", &[0, 0]));
    let records: Vec<&Record> = a.iter().chain(&b).collect();
    let accuracy = Statistic::Mean("accuracy");
    near(accuracy.of(&records), 0.5);
    let subjects: Vec<Vec<&Record>> = groups(&records).into_values().collect();
    near(accuracy.macro_mean(&subjects), 0.375);
    let interval = accuracy.macro_interval(&subjects).unwrap();
    assert!(interval.low >= 0.0 && interval.low < 0.375 && interval.high > 0.375 && interval.high <= 0.5, "{interval:?}");
    assert_eq!(accuracy.macro_interval(&subjects), Some(interval), "the same draws");
    assert_eq!(accuracy.interval(&records).unwrap().method, "wilson");
    assert_eq!(accuracy.of(&[]), None);
    let shares = [
        record("", &[("part", 1.0), ("whole", 3.0)], Value::Null, Value::Null),
        record("", &[("part", 1.0), ("whole", 1.0)], Value::Null, Value::Null),
    ];
    let share = Statistic::Share { name: "share", part: "part", whole: "whole" };
    near(share.of(&shares.iter().collect::<Vec<_>>()), 0.5);
}

/// By hand: classes 0 (1 hit, 1 miss, 1 false), 1 (2 hits, 1 false, 1 miss), 2 (nothing right).
#[test]
fn macro_f1_by_hand() {
    let pairs = [(0, 0), (0, 1), (1, 1), (1, 1), (1, 0), (2, 3)];
    let records: Vec<Record> = pairs.iter().map(|&(found, right)| record("", &[], json!(found), json!(right))).collect();
    near(Statistic::MacroF1.of(&records.iter().collect::<Vec<_>>()), (0.5 + 2.0 / 3.0) / 4.0);
}

#[test]
fn degrees_by_hand() {
    let pairs = [(1.0, 0.0), (2.0, 1.0), (3.5, 4.0), (4.0, 2.9)];
    let records: Vec<Record> = pairs.iter().map(|&(found, right)| record("", &[], json!(found), json!(right))).collect();
    let records: Vec<&Record> = records.iter().collect();
    // About the means 2.625 and 1.975: sums of squares 5.6875 and 9.8075, sum of products 6.8625.
    near(Statistic::Pearson.of(&records), 6.8625 / (5.6875f64 * 9.8075).sqrt());
    near(Statistic::BinaryF1.of(&records), 2.0 / 3.0);
    assert_eq!(Statistic::Pearson.of(&records[..1]), None);
}

/// The interval of a mean of many values is about the normal one.
#[test]
fn bootstrap_is_about_the_normal_interval() {
    let records: Vec<Record> = (0..400).map(|i| record("", &[("f1", f64::from(i % 100) / 99.0)], Value::Null, Value::Null)).collect();
    let interval = Statistic::Mean("f1").interval(&records.iter().collect::<Vec<_>>()).unwrap();
    let half = 1.96 * (1.0f64 / 12.0).sqrt() / 20.0;
    assert_eq!(interval.method, "bootstrap");
    assert!((interval.low - (0.5 - half)).abs() < 0.006 && (interval.high - (0.5 + half)).abs() < 0.006, "{interval:?}");
}
