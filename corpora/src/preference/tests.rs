//! Every form of preference data, and what is refused of each.

use super::*;

fn turns(fields: &str, record: &str) -> Result<(Vec<(Role, String)>, Judged), String> {
    let fields: PreferenceFields = serde_json::from_str(fields).unwrap();
    fields.check().unwrap();
    let (turns, judged) = fields.turns(&serde_json::from_str(record).unwrap()).map_err(|cause| cause.to_string())?;
    Ok((turns.into_iter().map(|turn| (turn.role, turn.text)).collect(), judged))
}

fn said(turns: &[(Role, &str)]) -> Vec<(Role, String)> {
    turns.iter().map(|(role, text)| (*role, (*text).to_owned())).collect()
}

const PAIR: &str = r#"{"prompt": "p", "chosen": "c", "rejected": "r"}"#;
const WHOLE: &str = r#"{"chosen": "c", "rejected": "r"}"#;
use Role::{Assistant, System, User};

#[test]
fn prompts_and_answers_are_texts_or_messages() {
    let expected = said(&[(User, "안녕?"), (Assistant, "안녕!"), (Assistant, "뭐")]);
    for record in [
        r#"{"p": "안녕?", "c": "안녕!", "r": "뭐"}"#,
        r#"{"p": [{"role": "user", "content": "안녕?"}], "c": [{"role": "assistant", "content": "안녕!"}], "r": "뭐"}"#,
        r#"{"p": "안녕?", "c": [{"from": "human", "value": "안녕?"}, {"from": "gpt", "value": "안녕!"}], "r": "뭐"}"#,
    ] {
        assert_eq!(turns(PAIR, record).unwrap(), (expected.clone(), Judged::Pair(0.0)), "{record}");
    }
    let fields = r#"{"prompt": "p", "chosen": "c", "rejected": "r", "system": "s", "margin": "m"}"#;
    let (with_system, judged) = turns(fields, r#"{"p": "q", "c": "a", "r": "b", "s": "짧게", "m": 1.5}"#).unwrap();
    assert_eq!(with_system[0], (System, "짧게".to_owned()));
    assert_eq!(judged, Judged::Pair(1.5));
}

#[test]
fn whole_conversations_share_their_prompt() {
    let record = r#"{"c": "\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nwith\n\nAssistant: good\n\nlines", "r": "\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nwith\n\nAssistant: bad"}"#;
    let expected = said(&[(User, "a"), (Assistant, "b"), (User, "c\n\nwith"), (Assistant, "good\n\nlines"), (Assistant, "bad")]);
    assert_eq!(turns(WHOLE, record).unwrap(), (expected, Judged::Pair(0.0)));
    let message = |role, text| format!(r#"{{"role": "{role}", "content": "{text}"}}"#);
    let list = |answer| format!("[{}, {}]", message("user", "q"), message("assistant", answer));
    let lists = format!(r#"{{"c": {}, "r": {}}}"#, list("x"), list("y"));
    assert_eq!(turns(WHOLE, &lists).unwrap().0, said(&[(User, "q"), (Assistant, "x"), (Assistant, "y")]));
}

/// KoChatGPT's form: the lowest number is the best.
#[test]
fn rankings_give_the_best_and_the_worst() {
    let fields = r#"{"prompt": "p", "completions": ["a", "b", "c"], "ranking": "k"}"#;
    let record = r#"{"p": "q", "a": "셋째", "b": "첫째", "c": "둘째", "k": [2, 0, 1]}"#;
    let expected = said(&[(User, "q"), (Assistant, "첫째"), (Assistant, "셋째")]);
    assert_eq!(turns(fields, record).unwrap(), (expected.clone(), Judged::Pair(0.0)));
    let list = r#"{"prompt": "p", "completions": ["all"], "ranking": "k"}"#;
    assert_eq!(turns(list, r#"{"p": "q", "all": ["셋째", "첫째", "둘째"], "k": [3, 1, 2]}"#).unwrap().0, expected);
    let refused = |ranks: &str| turns(list, &format!(r#"{{"p": "q", "all": ["x", "y"], "k": {ranks}}}"#)).unwrap_err();
    assert_eq!(refused("[1, 1]"), "field `k`: all answers have the same rank");
    assert_eq!(refused("[1]"), "field `k`: not 2 numbers, one for each answer");
    assert_eq!(refused("[1, \"2\"]"), "field `k`: not 2 numbers, one for each answer");
    assert_eq!(refused("3"), "field `k`: not a list of ranks");
    assert_eq!(
        turns(list, r#"{"p": "q", "all": ["x", "x"], "k": [0, 1]}"#).unwrap_err(),
        "field `k`: the best and the worst answer are the same"
    );
    assert_eq!(turns(list, r#"{"p": "q", "all": [], "k": []}"#).unwrap_err(), "field `k`: not 0 numbers, one for each answer");
}

#[test]
fn answers_are_judged_by_themselves() {
    let fields = r#"{"prompt": "p", "completion": "a", "label": "l"}"#;
    for (label, judged) in
        [("true", Judged::Desirable), ("1", Judged::Desirable), ("false", Judged::Undesirable), ("0", Judged::Undesirable)]
    {
        let (found, what) = turns(fields, &format!(r#"{{"p": "q", "a": "x", "l": {label}}}"#)).unwrap();
        assert_eq!((found, what), (said(&[(User, "q"), (Assistant, "x")]), judged));
    }
    assert_eq!(turns(fields, r#"{"p": "q", "a": "x", "l": 2}"#).unwrap_err(), "field `l`: 2, not 0 or 1");
    assert_eq!(turns(fields, r#"{"p": "q", "a": "x", "l": "yes"}"#).unwrap_err(), "field `l` is a string, not true or false");
}

#[test]
fn what_is_no_preference_names_the_field() {
    let refused = |record: &str| turns(PAIR, record).unwrap_err();
    assert_eq!(refused(r#"{"p": "q", "c": "a"}"#), "no field `r`");
    assert_eq!(refused(r#"{"p": "q", "c": "a", "r": " a\n"}"#), "field `r`: the same answer as the chosen one");
    assert_eq!(refused(r#"{"p": "q", "c": " ", "r": "a"}"#), "field `c`: an empty answer");
    assert_eq!(refused(r#"{"p": " ", "c": "b", "r": "a"}"#), "field `p`: nothing is said");
    assert_eq!(refused(r#"{"p": [], "c": "b", "r": "a"}"#), "field `p`: no prompt");
    assert_eq!(refused(r#"{"p": 3, "c": "b", "r": "a"}"#), "field `p` is a number, not a text or a list of messages");
    let answered = r#"[{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]"#;
    assert_eq!(refused(&format!(r#"{{"p": {answered}, "c": "b", "r": "a"}}"#)), "field `p`: the prompt ends with an answer");
    assert_eq!(
        refused(&format!(r#"{{"p": "other", "c": {answered}, "r": "b"}}"#)),
        "field `c`: the messages before the answer are not those of the prompt"
    );
    let user = r#"[{"role": "user", "content": "q"}]"#;
    assert_eq!(refused(&format!(r#"{{"p": "q", "c": {user}, "r": "b"}}"#)), "field `c`: the last message is not the assistant's");

    let whole = |chosen: &str, rejected: &str| turns(WHOLE, &format!(r#"{{"c": "{chosen}", "r": "{rejected}"}}"#)).unwrap_err();
    let h = r"\n\nHuman: ";
    let a = r"\n\nAssistant: ";
    assert_eq!(whole(&format!("{h}x{a}y"), &format!("{h}x{a}y")), "field `r`: the same answer as the chosen one");
    let differ = "field `r`: the conversations differ in more than one last answer";
    assert_eq!(whole(&format!("{h}x{a}y"), &format!("{h}z{a}y")), differ);
    assert_eq!(whole(&format!("{h}x{a}y"), &format!("{h}x{a}y{h}more{a}z")), differ);
    assert_eq!(whole("just text", "other text"), differ);
    assert_eq!(whole(&format!("{h}x{a} "), &format!("{h}x{a}y")), "field `c`: turn 2 says nothing");
    assert_eq!(whole(&format!("{a}y"), &format!("{a}z")), "field `c`: no prompt");
    let margin = r#"{"prompt": "p", "chosen": "c", "rejected": "r", "margin": "m"}"#;
    assert_eq!(turns(margin, r#"{"p": "q", "c": "a", "r": "b", "m": -1}"#).unwrap_err(), "field `m`: -1, not a number of 0 or more");
}

#[test]
fn fields_must_fit_together() {
    let check = |fields: &str| serde_json::from_str::<PreferenceFields>(fields).unwrap().check();
    for fields in [
        "{}",
        r#"{"prompt": "p", "chosen": "c"}"#,
        r#"{"completion": "c", "label": "l"}"#,
        r#"{"prompt": "p", "completions": ["a"]}"#,
        r#"{"prompt": "p", "chosen": "c", "rejected": "r", "label": "l"}"#,
        r#"{"prompt": "p", "chosen": "c", "rejected": "r", "completion": "a", "label": "l"}"#,
        r#"{"prompt": "p", "completion": "a", "label": "l", "margin": "m"}"#,
        r#"{"prompt": "p..q", "chosen": "c", "rejected": "r"}"#,
    ] {
        assert!(check(fields).is_err(), "{fields}");
    }
    assert!(serde_json::from_str::<PreferenceFields>(r#"{"choosen": "c"}"#).is_err());
}
