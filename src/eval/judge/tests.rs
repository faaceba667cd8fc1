use serde_json::Value;

use super::*;

/// HRM8K's own comparison in lm-eval, where its answers are numbers: it reads `-3` and `\frac{1}{2}` as right answers
/// wrongly, as the last digits of them.
#[test]
fn answers_to_problems_as_the_reference_takes_them() {
    let cases: Vec<(String, String)> = serde_json::from_str(include_str!("../../../tests/data/eval/problems.json")).unwrap();
    let expected: Value = serde_json::from_str(include_str!("../../../tests/data/eval/expected.json")).unwrap();
    let mut compared = 0;
    for ((solution, right), expected) in cases.iter().zip(expected["problems"].as_array().unwrap()) {
        let equal = formula::answer(solution).is_some_and(|found| formula::equal(&found, right));
        if right.chars().all(|c| c.is_ascii_digit() || c == '.') {
            assert_eq!(equal, expected.as_bool().unwrap(), "{solution} {right}");
            compared += 1;
        }
    }
    assert_eq!((compared, cases.len()), (21, 28));
    for (solution, right) in [
        ("\\boxed{-3}", "-3"),
        ("\\boxed{\\frac12}", "\\frac{1}{2}"),
        ("\\boxed{1/2}", "\\frac{1}{2}"),
        ("\\boxed{\\dfrac{3}{4}}", "\\frac{3}{4}"),
        ("\\boxed{\\sqrt2}", "\\sqrt{2}"),
        ("\\boxed{(1, 2)}", "(1,2)"),
        ("\\boxed{1,234}", "1234"),
        ("\\boxed{4.50}", "4.5"),
    ] {
        assert!(formula::equal(&formula::answer(solution).unwrap(), right), "{solution}");
    }
    assert!(!formula::equal("\\frac{1}{3}", "\\frac{1}{2}") && !formula::equal("12,34", "1234"));
}

/// By the rules of KorQuAD's script, by hand.
#[test]
fn spans() {
    let right = ["1989년 2월 15일".to_owned(), "2월 15일".to_owned()];
    assert!(span::exact_match("‘1989년  2월 15일’.", &right) && span::exact_match("2월 15일", &right));
    assert!(!span::exact_match("1989년", &right));
    assert!((span::f1("1989년", &right) - 2.0 * 5.0 / 15.0).abs() < 1e-12);
    assert!((span::f1("임수경이", &["임수경".to_owned()]) - 6.0 / 7.0).abs() < 1e-12);
    assert_eq!((span::f1("", &right), span::f1("다른", &["말".to_owned()])), (0.0, 0.0));
}

#[test]
fn letters_of_texts() {
    for (text, letter) in [
        (" B", Some(1)),
        ("정답은 (C)입니다. A는 아니다", Some(2)),
        ("A, B 가운데 정답: D", Some(3)),
        ("E", None),
        ("ABC", None),
        ("답이 B이다", Some(1)),
        ("", None),
    ] {
        assert_eq!(letter_of(text, 4), letter, "{text}");
    }
}

#[test]
fn likelihoods() {
    assert_eq!((likeliest(&[-2.0, -1.0, -1.0]), likeliest(&[-1.0])), (1, 0));
    let third = (1.0f64 / 3.0).ln();
    assert!((expected(&[third - 900.0, third - 900.0, third - 900.0]) - 1.0).abs() < 1e-12);
}
