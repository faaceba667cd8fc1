use trainer::{Reward, RewardConfig, Sample};

use super::*;

fn parse(text: &str) -> RewardConfig {
    toml::from_str(text).unwrap()
}

/// What a reward of the recipe says of an answer.
fn score(config: &str, response: &str, reference: &str) -> f64 {
    let sample = Sample { prompt: "", response, reference, ended: true, prompt_ids: &[], response_ids: &[] };
    rule(&parse(config)).unwrap().score(&[sample]).unwrap()[0]
}

#[test]
fn answers_are_compared_with_the_data() {
    let cases = [
        ("7 더하기 5는 12입니다.", "답: 12", 1.0),
        ("그래서 \\boxed{12}이다", "12", 1.0),
        ("12, 아니 13", "12", 0.0),
        ("\\boxed{\\frac12}", "\\boxed{1/2}", 1.0),
        ("3.0", "3", 1.0),
        ("", "3", 0.0),
        ("그래서 1,234원.", "1234", 1.0),
        ("답은 -3이다", "-3", 1.0),
        ("5-3", "-3", 0.0),
        ("2 + 3 = 5", "5", 1.0),
        ("모르겠습니다", "모르겠습니다", 0.0), // no final answer is found in it
    ];
    for (response, reference, expected) in cases {
        assert_eq!(score("kind = 'answer'", response, reference), expected, "{response:?} {reference:?}");
    }
    assert_eq!(score("kind = 'exact'", " 서울 ", "서울."), 1.0);
    assert_eq!(score("kind = 'exact'", "서울 시", "서울"), 0.0);
    assert_eq!(score("kind = 'exact'", "", "서울"), 0.0);
}

/// By hand.
#[test]
fn rules_see_what_they_say() {
    assert_eq!(score("kind = 'regex'\npattern = '^네[.!]$'", "네!", ""), 1.0);
    assert_eq!(score("kind = 'regex'\npattern = '^네[.!]$'", "아니요!", ""), 0.0);
    assert_eq!(score("kind = 'korean'", "가나 ab, 12!", ""), 0.5);
    assert_eq!(score("kind = 'korean'\ntarget = 0.5", "가나 ab", ""), 1.0);
    assert_eq!(score("kind = 'korean'\ntarget = 0.5", "가abc", ""), 0.5);
    assert_eq!(score("kind = 'korean'", "12 !?", ""), 0.0);
    let json = "kind = 'format'\njson = true";
    assert_eq!([" {\"a\": [1]} ", "[]", "3", "{\"a\": }", ""].map(|text| score(json, text, "")), [1.0, 1.0, 0.0, 0.0, 0.0]);
    let tags = "kind = 'format'\ntags = ['think', 'answer']";
    let good = ["<think>a</think><answer>b</answer>", " <think>a\n</think>\n\n<answer> b</answer>\n"];
    assert_eq!(good.map(|text| score(tags, text, "")), [1.0; 2]);
    let bad = [
        "<think>a</think>",
        "<think> </think><answer>b</answer>",
        "x<think>a</think><answer>b</answer>",
        "<think>a</think>x<answer>b</answer>",
        "<think>a</think><answer>b</answer>x",
        "<answer>b</answer><think>a</think>",
        "<think>a<think>b</think><answer>b</answer>",
        "<think>a</think><answer>b",
        "",
    ];
    assert_eq!(bad.map(|text| score(tags, text, "")), [0.0; 9]);
    let length = "kind = 'length'\nmin = 4\nmax = 10";
    let texts = ["", "가나", "가나다라", "가나다라마바사아자차", "가나다라마바사아자차카타파하가", &"가".repeat(20), &"가".repeat(99)];
    assert_eq!(texts.map(|text| score(length, text, "")), [0.0, 0.5, 1.0, 1.0, 0.5, 0.0, 0.0]);
    // Six runs of two words, four distinct ones.
    assert!((score("kind = 'repetition'\nwords = 2", "a b c a b c d", "") + 1.0 / 3.0).abs() < 1e-12);
    assert_eq!(score("kind = 'repetition'", "a b", ""), 0.0);
}

#[test]
fn wrong_rewards_are_refused() {
    let refused = |rewards: &[&str]| check(&rewards.iter().map(|text| parse(text)).collect::<Vec<_>>()).unwrap_err();
    let (number, detail) = refused(&["kind = 'exact'", "kind = 'regex'\npattern = '(a'"]);
    assert!(number == 1 && detail.contains("unclosed group"), "{detail}");
    let (number, detail) = refused(&["kind = 'exact'", "kind = 'korean'\nname = 'exact'"]);
    assert!(number == 1 && detail.contains("named `exact`"), "{detail}");
    let (_, detail) = refused(&["kind = 'regex'\npattern = '(\\w{100}){100}'"]);
    assert!(detail.contains("size limit") || detail.contains("exceeds"), "{detail}");
    for (text, expected) in [
        ("kind = 'exact'\nwieght = 2.0", "unknown field `wieght`"),
        ("kind = 'best'", "unknown variant `best`"),
        ("weight = 2.0", "missing field `kind`"),
        ("kind = 'regex'", "missing field `pattern`"),
    ] {
        let error = toml::from_str::<RewardConfig>(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
