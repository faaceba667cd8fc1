use super::*;

fn fields(json: &str) -> Fields {
    Fields::new(&serde_json::from_str(&format!(r#"{{ "name": "s", "bucket": "b", "files": "f", "format": "jsonl" {json} }}"#)).unwrap())
}

fn document(fields: &Fields, json: &str) -> Result<Document, Cause> {
    fields.document(fields.parse(json)?, 100, || "fallback".to_owned())
}

fn missing(field: &str) -> Cause {
    Cause::MissingField(field.to_owned())
}

#[test]
fn text_id_and_nothing_else() {
    let fields = fields("");
    let read = document(&fields, r#"{"x": [1, {"y": null}], "text": "본문", "id": "a", "lang": "ko"}"#).unwrap();
    assert_eq!((read.id.as_str(), read.text.as_str(), &*read.source, &*read.bucket), ("a", "본문", "s", "b"));
    assert_eq!((read.lang, read.url, read.meta.len()), (None, None, 0));
    assert_eq!(document(&fields, r#"{"text": "t", "id": 17}"#).unwrap().id, "17");
    for no_id in [r#"{"text": "t"}"#, r#"{"text": "t", "id": null}"#, r#"{"text": "t", "id": ""}"#, r#"{"text": "t", "id": {}}"#] {
        assert_eq!(document(&fields, no_id).unwrap().id, "fallback");
    }
}

#[test]
fn a_named_id_is_required() {
    let fields = fields(r#", "id-field": "key""#);
    assert_eq!(document(&fields, r#"{"text": "t", "key": "k", "id": "i"}"#).unwrap().id, "k");
    assert_eq!(document(&fields, r#"{"text": "t", "id": "i"}"#), Err(missing("key")));
    for bad in [r#"{"text": "t", "key": ""}"#, r#"{"text": "t", "key": true}"#] {
        assert!(matches!(document(&fields, bad), Err(Cause::WrongType { field, .. }) if field == "key"));
    }
}

#[test]
fn dotted_paths_and_names_with_dots() {
    let fields = fields(r#", "text-field": "m.body", "url-field": "m.url", "lang-field": "l", "keep-meta": ["m.n", "a", "gone"]"#);
    let read = document(&fields, r#"{"m": {"body": "t", "url": "u", "n": {"z": 1, "a": 2}}, "a": [1], "l": null}"#).unwrap();
    assert_eq!((read.text.as_str(), read.url.as_deref(), read.lang), ("t", Some("u"), None));
    assert_eq!(serde_json::to_string(&read.meta).unwrap(), r#"{"m.n":{"z":1,"a":2},"a":[1]}"#);
    assert_eq!(document(&fields, r#"{"m.body": "whole", "m": {"body": "t"}}"#).unwrap().text, "whole");
    assert_eq!(document(&fields, r#"{"m": "no object"}"#), Err(missing("m.body")));
    assert!(matches!(document(&fields, r#"{"m": {"body": "t", "url": 5}}"#), Err(Cause::WrongType { field, .. }) if field == "m.url"));
}

#[test]
fn the_text_may_be_kept_twice() {
    let fields = fields(r#", "id-field": "text", "keep-meta": ["text"]"#);
    let read = document(&fields, r#"{"text": "t"}"#).unwrap();
    assert_eq!((read.text.as_str(), read.id.as_str(), &read.meta["text"]), ("t", "t", &Value::from("t")));
}

#[test]
fn bad_records_say_what_is_wrong() {
    let fields = fields("");
    assert_eq!(document(&fields, "{}"), Err(missing("text")));
    assert_eq!(document(&fields, r#"{"text": null}"#), Err(missing("text")));
    let wrong = document(&fields, r#"{"text": ["t"]}"#).unwrap_err();
    assert_eq!(wrong.to_string(), "field `text` is an array, not a string");
    for invalid in
        ["", "nonsense", "[]", "\"text\"", r#"{"text": "t""#, r#"{"text": "t"} {}"#, r#"{"text": "\ud800"}"#, r#"{"text": "t", "x": tru}"#]
    {
        assert!(matches!(document(&fields, invalid), Err(Cause::InvalidJson(_))), "{invalid}");
    }
    let long = format!(r#"{{"text": "{}"}}"#, "가".repeat(34));
    assert_eq!(document(&fields, &long), Err(Cause::TooLong { limit: 100 }));
}

#[test]
fn of_a_repeated_field_the_last_counts_and_deep_nesting_is_no_crash() {
    let fields = fields(r#", "keep-meta": ["deep"]"#);
    assert_eq!(document(&fields, r#"{"text": "one", "text": "two"}"#).unwrap().text, "two");
    let nested = "[".repeat(100_000) + &"]".repeat(100_000);
    // A wanted field is built, to a limited depth; an unwanted one is passed over without a stack.
    assert!(matches!(document(&fields, &format!(r#"{{"text": "t", "deep": {nested}}}"#)), Err(Cause::InvalidJson(_))));
    let wrong = document(&fields, &format!(r#"{{"text": {nested}}}"#)).unwrap_err();
    assert_eq!(wrong.to_string(), "field `text` is an array, not a string");
    assert_eq!(document(&fields, &format!(r#"{{"text": "t", "other": {nested}}}"#)).unwrap().text, "t");
}

#[test]
fn of_lists_and_objects_only_what_is_kept_is_built() {
    let fields = fields(r#", "url-field": "m.url", "keep-meta": ["m.kept"]"#);
    let parsed =
        fields.parse(r#"{"text": [0, [1], {"a": 2}], "id": {"a": 1}, "m": {"url": [5], "kept": [6, {"b": 7}], "x": [8]}}"#).unwrap();
    assert_eq!(serde_json::to_string(&parsed).unwrap(), r#"{"text":[],"id":{},"m":{"url":[],"kept":[6,{"b":7}]}}"#);
}

#[test]
fn ids_are_neither_long_nor_rounded() {
    let named = fields(r#", "id-field": "key""#);
    let key = |key: &str| document(&named, &format!(r#"{{"text": "t", "key": {key}}}"#)).map(|document| document.id);
    assert_eq!(key(&format!("\"{}\"", "x".repeat(4096))), Ok("x".repeat(4096)));
    assert_eq!(key(&format!("\"{}\"", "x".repeat(4097))).unwrap_err().to_string(), "field `key` longer than 4096 bytes");
    assert_eq!((key("18446744073709551615").as_deref(), key("-5").as_deref()), (Ok("18446744073709551615"), Ok("-5")));
    for rounded in ["18446744073709551616", "-9223372036854775809", "1.5"] {
        assert_eq!(key(rounded).unwrap_err().to_string(), "field `key` is a number, not a string (not empty) or an integer of 64 bits");
    }
    // Without `id-field` such a record gets the id of its place, and one that is too long is told.
    let unnamed = fields("");
    assert_eq!(document(&unnamed, r#"{"text": "t", "id": 18446744073709551616}"#).unwrap().id, "fallback");
    let long = format!(r#"{{"text": "t", "id": "{}"}}"#, "x".repeat(4097));
    assert_eq!(document(&unnamed, &long).unwrap_err().to_string(), "field `id` longer than 4096 bytes");
}
