use super::*;

fn source(fields: &str) -> Source {
    serde_json::from_str(&format!(r#"{{ "name": "s", "bucket": "b", "files": "f", {fields} }}"#)).unwrap()
}

#[test]
fn defaults_are_as_documented() {
    let source = source(r#""format": "text""#);
    assert_eq!(source.files, ["f"]);
    assert_eq!((source.priority, source.text_field.as_str(), source.split()), (1, "text", Split::File));
    assert_eq!((source.max_record_bytes, source.encoding_errors), (64 * 1024 * 1024, EncodingErrors::Quarantine));
    source.validate().unwrap();
}

#[test]
fn what_is_written_reads_back() {
    let json = r#""format": "jsonl", "priority": 3, "text-field": "meta.body", "id-field": "key", "keep-meta": ["a", "b.c"], "encoding-errors": "replace""#;
    for mut source in
        [source(json), source(r#""format": "code", "extensions": ["rs"]"#), source(r#""format": "text", "split": "paragraph""#)]
    {
        source.validate().unwrap();
        let written = serde_json::to_string(&source).unwrap();
        assert!(written.contains(r#""files":"f""#), "{written}");
        assert_eq!(serde_json::from_str::<Source>(&written).unwrap(), source);
        source.files.push("g".to_owned());
        let written = serde_json::to_string(&source).unwrap();
        assert_eq!(serde_json::from_str::<Source>(&written).unwrap(), source);
    }
}

#[test]
fn unknown_keys_and_values_are_errors() {
    for json in [
        r#"{ "name": "s", "bucket": "b", "files": "f", "format": "jsonl", "text_field": "t" }"#,
        r#"{ "name": "s", "bucket": "b", "files": "f", "format": "xlsx" }"#,
        r#"{ "name": "s", "bucket": "b", "files": 3, "format": "text" }"#,
        r#"{ "name": "s", "bucket": "b", "format": "text" }"#,
    ] {
        assert!(serde_json::from_str::<Source>(json).is_err(), "{json}");
    }
}

#[test]
fn contradictions_are_refused_with_their_option() {
    for (json, option) in [
        (r#""format": "jsonl", "split": "line""#, "split"),
        (r#""format": "code", "split": "file""#, "split"),
        (r#""format": "text", "text-field": "body""#, "text-field"),
        (r#""format": "code", "id-field": "id""#, "id-field"),
        (r#""format": "text", "keep-meta": ["a"]"#, "keep-meta"),
        (r#""format": "jsonl", "extensions": ["json"]"#, "extensions"),
        (r#""format": "code", "extensions": [".rs"]"#, "extensions"),
        (r#""format": "jsonl", "text-field": "a..b""#, "text-field"),
        (r#""format": "jsonl", "keep-meta": ["a", "a"]"#, "keep-meta"),
        (r#""format": "jsonl", "max-record-bytes": 0"#, "max-record-bytes"),
    ] {
        let error = source(json).validate().unwrap_err().to_string();
        assert!(error.starts_with("source `s`: ") && error.contains(&format!("`{option}`")), "{error}");
    }
}

#[test]
fn names_that_no_file_can_have_are_refused() {
    let mut source = source(r#""format": "text""#);
    for (name, valid) in [("ko-web_2.1", true), ("한국어", true), ("", false), ("a/b", false), (".a", false), ("a b", false), ("..", false)]
    {
        name.clone_into(&mut source.name);
        assert_eq!(source.validate().is_ok(), valid, "{name}");
    }
    source.name = "s".to_owned();
    source.files = Vec::new();
    assert!(source.validate().is_err());
}
