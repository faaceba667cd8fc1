use super::*;

const MINIMAL: &str = r#"output = "out"
[[sources]]
name = "ko"
bucket = "korean"
files = "a.jsonl"
format = "jsonl"

[tokenizer]
bytes = true
"#;

fn parse(text: &str, set: &[&str]) -> Result<Recipe> {
    let set: Vec<String> = set.iter().map(ToString::to_string).collect();
    Recipe::parse(text, "recipe.toml", Path::new("/project"), &set)
}

#[test]
fn defaults_and_paths_are_filled_in() {
    let recipe = parse(MINIMAL, &[]).unwrap();
    assert_eq!(recipe.output, Path::new("/project/out"));
    assert_eq!(recipe.sources[0].files.iter().collect::<Vec<_>>(), ["/project/a.jsonl"]);
    assert_eq!((recipe.part_bytes, recipe.max_bad_rows, recipe.held_out), (256 << 20, 100, 0.01));
    assert!(recipe.train.is_none() && recipe.filters.is_empty());
}

#[test]
fn the_resolved_recipe_says_the_same_again() {
    let recipe = parse(include_str!("../../recipes/template.toml"), &[]).unwrap();
    let text = recipe.to_toml().unwrap();
    let again = Recipe::parse(&text, "again", Path::new("/elsewhere"), &[]).unwrap();
    assert_eq!(again.to_toml().unwrap(), text);
}

#[test]
fn the_demo_loads() {
    let tuning = parse(include_str!("../../recipes/sft.toml"), &[]).unwrap();
    assert!(tuning.is_chat("chat") && tuning.is_chat("instruction"));
    assert_eq!(parse(&tuning.to_toml().unwrap(), &[]).unwrap().to_toml().unwrap(), tuning.to_toml().unwrap());
    let demo = parse(include_str!("../../recipes/demo.toml"), &[]).unwrap();
    assert_eq!(demo.buckets(), ["code", "english", "korean"]);
}

#[test]
fn an_override_replaces_and_is_checked() {
    let recipe = parse(MINIMAL, &["seed=9", "sources.0.files=[\"b\", \"c\"]"]).unwrap();
    assert_eq!((recipe.seed, recipe.sources[0].files.len()), (9, 2));
    assert!(parse(MINIMAL, &["sed=9"]).unwrap_err().message.contains("sed"));
}

#[test]
fn a_wrong_key_stands_under_its_caret_even_behind_korean() {
    let text = MINIMAL.replace("name = \"ko\"", "name = \"한국어\"   # 이름").replace("format = \"jsonl\"", "formt = \"jsonl\"");
    let error = parse(&text, &[]).unwrap_err();
    assert!(error.message.starts_with("recipe.toml:6:1: unknown key `formt` in `sources` entry 0"), "{error}");
    assert!(error.excerpt.unwrap().contains("6 | formt = \"jsonl\"\n  | ^^^^^\n"));
}

#[test]
fn a_wrong_value_is_located() {
    let error = parse(&MINIMAL.replace("output = \"out\"", "output = \"out\"\nheld-out = 2.0"), &[]).unwrap_err();
    assert!(error.message.starts_with("recipe.toml:2:1: `held-out`"), "{error}");
    let error = parse("output = \"o\"\nsources = []\n[tokenizer]\nbytes = true", &[]).unwrap_err();
    assert!(error.message.contains("at least one source"), "{error}");
}

#[test]
fn syntax_errors_and_missing_keys_are_errors() {
    assert!(parse("output = ", &[]).unwrap_err().message.starts_with("recipe.toml:1:"));
    assert!(parse("seed = 1", &[]).unwrap_err().message.contains("missing key `output`"));
}

#[test]
fn settings_that_would_do_nothing_are_refused() {
    let chat =
        MINIMAL.replace("format = \"jsonl\"\n", "format = \"jsonl\"\nchat = { messages = \"messages\" }\n\n[[filters]]\nc4-quality = {}\n");
    let error = parse(&chat, &[]).unwrap_err();
    assert!(error.message.contains("filter `c4-quality` takes lines out of texts") && error.message.contains("`ko`"), "{error}");
    assert!(parse(&chat, &["filters.0.c4-quality.except-buckets=[\"korean\"]"]).is_ok());
    assert!(parse(&chat, &["filters.0.c4-quality.preset=\"c4-paragraphs\""]).is_ok());

    let train = format!("{MINIMAL}\n[mixture]\nunimax = true\n[train]\nobjective = \"cpt\"\ntokens = 1000\n");
    assert!(parse(&train, &[]).is_ok());
    let error = parse(&train, &["mixture.epochs={ koraen = 2 }"]).unwrap_err();
    assert!(error.message.contains("`mixture.epochs` names `koraen`"), "{error}");
    let error = parse(&train.replace("tokens = 1000", "epochs = 2"), &[]).unwrap_err();
    assert!(error.message.contains("`unimax` states none"), "{error}");
}
