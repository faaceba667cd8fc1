use serde::Deserialize;
use serde_json::json;

use super::*;

fn one(id: &str, kwargs: Value) -> Instruction {
    let (instruction, reason) = Instruction::new(id, kwargs.as_object().unwrap(), "");
    assert_eq!(reason, None, "{id}");
    instruction
}

fn strict(id: &str, kwargs: Value, response: &str) -> bool {
    check(&[one(id, kwargs)], response).strict == [true]
}

#[derive(Deserialize)]
struct Cases {
    responses: Vec<String>,
    instructions: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    id: String,
    kwargs: Value,
}

/// The checkers of lm-eval, over every pair of instruction and response of the fixture.
#[test]
fn the_reference_agrees() {
    let cases: Cases = serde_json::from_str(include_str!("../../../tests/data/eval/instructions.json")).unwrap();
    let expected: Value = serde_json::from_str(include_str!("../../../tests/data/eval/expected.json")).unwrap();
    let mut wrong = Vec::new();
    for (case, expected) in cases.instructions.iter().zip(expected["instructions"].as_array().unwrap()) {
        for (response, expected) in cases.responses.iter().zip(expected.as_array().unwrap()) {
            if strict(&case.id, case.kwargs.clone(), response) != expected.as_bool().unwrap() {
                wrong.push(format!("{} {} {response:?}: not {expected}", case.id, case.kwargs));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(cases.instructions.len() * cases.responses.len(), 34 * 33);
}

#[test]
fn sentences_by_hand() {
    for (text, count) in [
        ("하나다. 둘이다! 셋인가?", 3),
        ("Mr. Kim paid 3.50 dollars. He left at 5 p.m. yesterday.", 2),
        ("\"Really?!\" she said. \"Yes.\" 끝", 4),
        ("1. 사과\n2. 배를 먹는다.\n", 3),
        ("1. apples, 2. pears", 1),
        ("그는 1999. 그리고 나서...", 2),
        ("J. K. Rowling wrote it", 1),
        ("줄이\n바뀌어도 한 문장이다.", 1),
        ("(가다.) \"오다.\" 끝", 3),
        ("그래... 알았어. Wait... The end.", 3),
        ("", 0),
        ("...", 1),
        ("그래? ?! 응", 4),
    ] {
        assert_eq!(sentences::sentences(text).len(), count, "{text}");
    }
    assert!(strict("length_constraints:number_sentences", json!({ "num_sentences": 2, "relation": "최소" }), "가다. 오다."));
    assert!(!strict("length_constraints:number_sentences", json!({ "num_sentences": 2, "relation": "미만" }), "가다. 오다."));
}

#[test]
fn languages_and_case() {
    let english = "The gardener carried a row of lanterns across the wooden bridge before the rain began.";
    let korean = "할머니는 오래된 사전을 강가에서 조용히 읽었다.";
    let language = |code: &str, text: &str| strict("language:response_language", json!({ "language": code }), text);
    assert!(language("en", english) && !language("ko", english) && language("ko", korean) && !language("en", korean));
    assert!(language("hi", "नमस्ते दुनिया") && !language("hi", korean) && language("ar", "مرحبا بالعالم"));
    assert!(language("en", "12345"), "no letters are no other language");
    assert!(Instruction::new("language:response_language", json!({ "language": "sw" }).as_object().unwrap(), "").1.is_some());
    assert!(strict("change_case:english_capital", json!({}), &english.to_uppercase()));
    assert!(!strict("change_case:english_capital", json!({}), english));
    assert!(strict("change_case:english_lowercase", json!({}), &english.to_lowercase()));
    assert!(!strict("change_case:english_lowercase", json!({}), korean));
    let capitals = json!({ "capital_relation": "at least", "capital_frequency": 3 });
    assert!(strict("change_case:capital_word_frequency", capitals.clone(), "NASA and the WELL-KNOWN U.S. agency"));
    assert!(!strict("change_case:capital_word_frequency", capitals, "NASA and the Agency Of USA"));
}

#[test]
fn forbidden_korean_words_are_found_with_particles() {
    let forbidden = json!({ "forbidden_words": ["연인", "elk"] });
    for (response, follows) in [("우리는 연인이다", false), ("그 연인과", false), ("elks", true), ("무연인", true), ("Elk.", false)]
    {
        assert_eq!(strict("keywords:forbidden_words", forbidden.clone(), response), follows, "{response}");
    }
}

/// `달` is neither in `달려` nor in `달리기`, and `첫` is not the first word of `첫째`.
#[test]
fn words_are_not_found_inside_of_others() {
    let forbidden = json!({ "forbidden_words": ["달", "별"] });
    for (response, follows) in [("달려가는 별명", true), ("달이 뜬다", false), ("밝은 달", false), ("저 별입니다", false)]
    {
        assert_eq!(strict("keywords:forbidden_words", forbidden.clone(), response), follows, "{response}");
    }
    let first = |word: &str| json!({ "num_paragraphs": 2, "nth_paragraph": 2, "first_word": word });
    for (word, response, follows) in [
        ("첫", "가\n\n첫째, 나", false),
        ("신문", "가\n\n신문은 나", true),
        ("신문 찾기", "가\n\n신문 찾기는 나", true),
        ("신문 찾기", "가\n\n신문을 찾기는 나", false),
    ] {
        assert_eq!(strict("length_constraints:nth_paragraph_first_word", first(word), response), follows, "{word} {response}");
    }
}

/// As the reference's expressions find them.
#[test]
fn bullets_without_text() {
    for (text, count) in [("*\n* a\n*", 1), ("*\n- b\n* c", 3), ("x\n*\n", 1), ("* a\n**b\n *", 1)] {
        assert_eq!(rules::bullets(text), count, "{text:?}");
    }
}

/// As NLTK's tokenizer parts them.
#[test]
fn words_in_capitals() {
    for (text, count) in [
        ("CAT's I'M CAN'T", 5),
        ("AND/OR WELL-KNOWN A&B", 4),
        ("NASA, the U.S. and (EU).", 3),
        ("**NOTE**: A--B CANNOT", 5),
        ("10 1,000 ABC1", 1),
    ] {
        assert_eq!(text::capital_words(text), count, "{text}");
    }
}

#[test]
fn options_that_are_missing_are_not_made_up() {
    for (id, kwargs) in [
        ("detectable_format:number_bullet_lists", json!({})),
        ("keywords:letter_frequency", json!({ "letter": null, "let_frequency": 3, "let_relation": "at least" })),
        ("length_constraints:number_words", json!({ "num_words": 3, "relation": "around" })),
        ("keywords:unheard", json!({})),
        ("combination:repeat_prompt", json!({})),
    ] {
        let (instruction, reason) = Instruction::new(id, kwargs.as_object().unwrap(), "no such line");
        assert!(reason.unwrap().starts_with(id));
        assert_eq!(check(&[instruction], "text"), Followed::default());
    }
    let prompt = "시를 써라.\n먼저 요청을 그대로 반복한 후 답하세요 (1. 요청을 반복하기 전에 ..; 2. ..)";
    let (repeat, reason) = Instruction::new("combination:repeat_prompt", &Map::new(), prompt);
    assert_eq!(reason, None);
    assert_eq!(check(std::slice::from_ref(&repeat), "시를 써라. 그래서").strict, [true]);
    assert_eq!(check(&[repeat], "네. 시를 써라.").strict, [false]);
}

#[test]
fn loose_forms() {
    let end = one("startend:end_checker", json!({ "end_phrase": "끝" }));
    let commas = one("punctuation:no_comma", json!({}));
    let result = check(&[end, commas], "물론, 여기 있습니다\n**내용 끝**");
    assert_eq!((result.strict, result.loose), (vec![false, false], vec![true, true]));
    assert_eq!(check(&[one("punctuation:no_comma", json!({}))], " \n").loose, [false]);
    assert_eq!(forms("a\n*b*\nc"), ["a\n*b*\nc", "*b*\nc", "a\n*b*", "*b*", "a\nb\nc", "b\nc", "a\nb", "b"]);
}

#[test]
fn acrostics() {
    let poem = |response: &str| strict("Korean:acrostic_poem", json!({ "target_word": "자유" }), response);
    assert!(poem("자연은 넓고\n유유히 흐른다") && poem("자: 자연\n\n유: 유월\n") && poem("**자**연\n유월"));
    assert!(!poem("자연\n무월") && !poem("자연") && !poem("자연\n유월\n덧붙임"));
    // What other instructions put around it is no line of the poem.
    let around = [
        one("combination:repeat_prompt", json!({ "prompt_to_repeat": "'자유'로 지어라." })),
        one("Korean:acrostic_poem", json!({ "target_word": "자유" })),
        one("startend:end_checker", json!({ "end_phrase": "이행시 끝" })),
    ];
    assert_eq!(check(&around, "'자유'로 지어라.\n자연\n유월\n이행시 끝").strict, [true, true, true]);
}

#[test]
fn particles() {
    let without = |response: &str| strict("Korean:postposition_drop", json!({}), response);
    assert!(without("물 끓여 라면 넣고 기다려.") && without("아이 사과 회로"));
    assert!(!without("물을 끓여") && !without("학교에서 배워") && !without("그는 간다") && !without("연필로, 써라."));
}

#[test]
fn speech_levels() {
    let speech = |to: &str, response: &str| strict("Korean:honorifics", json!({ "direction_to": to }), response);
    assert!(speech("honorific", "여기까지 오시느라 고생하셨습니다. 이제 좀 쉬세요.") && speech("honorific", "왜 늦으셨어요?"));
    assert!(!speech("honorific", "고생했습니다. 이제 좀 쉬어.") && !speech("honorific", "어디 있어?"));
    assert!(speech("non-honorific", "지금 어디에 있어? 빨리 와.") && !speech("non-honorific", "지금 어디에 있어요? 빨리 와."));
    assert!(speech("non-honorific", "그건 꼭 필요. 알지?"));
}

#[test]
fn numerals() {
    let numbers = |to: &str, response: &str| strict("Korean:numbers", json!({ "direction_to": to }), response);
    for native in ["사과 하나, 배 둘, 포도 세 송이를 샀어요.", "오늘은 셋째 날입니다.", "집에 강아지가 다섯 마리 있어.", "스물두 살이에요"]
    {
        assert!(numbers("korean", native) && !numbers("chinese", native), "{native}");
    }
    for sino in ["사과 일 개, 배 이 개, 포도 삼 송이를 샀어요.", "이십이 명", "오늘은 삼일째 되는 날입니다.", "오 마리"]
    {
        assert!(numbers("chinese", sino) && !numbers("korean", sino), "{sino}");
    }
    for neither in ["이번 주에 일을 했다. 한국의 오늘.", "그 사과는 구이다.", "이 사람은 네, 하고 답했다."] {
        assert!(!numbers("korean", neither) && !numbers("chinese", neither), "{neither}");
    }
}
