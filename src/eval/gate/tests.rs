use super::*;

fn load(text: &str) -> Result<Gates> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gates.toml");
    std::fs::write(&path, text).unwrap();
    Gates::load(&path)
}

#[test]
fn limits_and_what_is_not_measured() {
    let gates = load("[a]\nmetric = \"x\"\nmin = 0.5\n[b]\nmetric = \"x\"\nmax = 0.4\n[c]\nmetric = \"y\"\nmin = 0.0\n").unwrap();
    let outcomes = gates.check(&BTreeMap::from([("x".to_owned(), 0.5)]));
    let passed: Vec<(&str, bool)> = outcomes.iter().map(|outcome| (outcome.gate.as_str(), outcome.passed)).collect();
    assert_eq!(passed, [("a", true), ("b", false), ("c", false)]);
    assert_eq!(outcomes[2].value, None);
    assert!(!gates.check(&BTreeMap::from([("x".to_owned(), f64::NAN)]))[0].passed);
}

#[test]
fn files_that_say_nothing_are_refused() {
    for (text, message) in [
        ("", "no gates"),
        ("[a]\nmetric = \"x\"\n", "neither"),
        ("[a]\nmetric = \"x\"\nmim = 1\n", "mim"),
        ("[a]\nmin = 1\n", "metric"),
        ("[a]\nmetric = \"x\"\nmin = nan\n", "no number"),
        ("a = ", "gates.toml"),
    ] {
        let error = load(text).unwrap_err();
        assert!(error.message.contains(message) && error.hint.is_some(), "{text}: {error}");
    }
    assert!(load(include_str!("../../../recipes/gates.toml")).is_ok());
}
