//! The table as recipes write it.

use super::*;

fn read(text: &str) -> Result<MixtureConfig, toml::de::Error> {
    toml::from_str(text)
}

#[test]
fn reads_ratios_beside_options() {
    let config = read("korean = 0.75\ncode = 0.25\nmax-epochs = 2\non-shortage = \"reduce\"\nepochs = { korean = 8 }").unwrap();
    let ratios = [("korean".to_owned(), 0.75), ("code".to_owned(), 0.25)];
    assert_eq!(config.ratios, ratios.into());
    assert_eq!((config.max_epochs_of("korean"), config.max_epochs_of("code")), (8.0, 2.0));
    assert_eq!(config.on_shortage, OnShortage::Reduce);
    let text = toml::to_string(&config).unwrap();
    assert_eq!(read(&text).unwrap(), config);
}

#[test]
fn absent_ratios_are_the_default_ones() {
    assert_eq!(read("").unwrap(), MixtureConfig::default());
    assert_eq!(read("max-epochs = 1").unwrap().ratio_of("english"), 0.51);
    assert_eq!(read("korean = 1").unwrap().ratios.len(), 1);
}

#[test]
fn errors_name_key_and_place() {
    let cases = [
        ("korean = 0.5\nenglish = 0.4", "sum to 0.9", None),
        ("korean = 1.5", "`korean` is 1.5", Some(9..12)),
        ("a = 1\nmax-epoch = 4", "bucket `max-epoch` is 4", Some(18..19)),
        ("korean = nan", "`korean` is NaN", Some(9..12)),
        ("a = 1\nmax-epochs = 0", "0 epochs", Some(19..20)),
        ("a = 1\nepochs = { a = -1 }", "-1 epochs", None),
        ("a = 1\nepochs = { b = 2 }", "`b`, which has no ratio", None),
        ("a = 1\non-shortage = \"stop\"", "`refuse`, `repeat`, `reduce`", Some(20..26)),
        ("korean = \"much\"", "expected f64", Some(9..15)),
    ];
    for (text, message, span) in cases {
        let error = read(text).unwrap_err();
        assert!(error.to_string().contains(message), "{text}: {error}");
        if span.is_some() {
            assert_eq!(error.span(), span, "{text}");
        }
    }
}

#[test]
fn reads_what_gives_the_ratios() {
    let config = read("temperature = 3.5\nmax-epochs = 2").unwrap();
    assert_eq!((config.balance, config.ratios.len()), (Balance::Temperature(3.5), 0));
    assert_eq!(read(&toml::to_string(&config).unwrap()).unwrap(), config);
    let config = read("unimax = true\nepochs = { code = 2 }").unwrap();
    assert_eq!((config.balance, config.ratios.len()), (Balance::UniMax, 0));
    assert_eq!(read(&toml::to_string(&config).unwrap()).unwrap(), config);
    assert_eq!(read("unimax = false").unwrap(), MixtureConfig::default());
    let config = read("epochs = { a = 9 }\n[[stages]]\nuntil = 500\na = 1\n[[stages]]\na = 0.25\nb = 0.75").unwrap();
    assert_eq!(config.stages[0], MixtureStage { until: Some(500), ratios: [("a".to_owned(), 1.0)].into() });
    assert_eq!((config.stages[1].until, config.stages[1].ratios["b"]), (None, 0.75));
    assert_eq!(config.named().collect::<Vec<_>>(), ["a", "a", "b"]);
    assert_eq!(read(&toml::to_string(&config).unwrap()).unwrap(), config);
}

#[test]
fn only_one_thing_gives_the_ratios() {
    for (text, message) in [
        ("temperature = 0.5", "`temperature` is 0.5, not from 1 to 100"),
        ("temperature = 2\nunimax = true", "both give"),
        ("temperature = 2\na = 1", "bucket `a` has a ratio beside `temperature`"),
        ("a = 1\n[[stages]]\na = 1", "bucket `a` has a ratio beside `stages`"),
        ("unimax = true\n[[stages]]\na = 1", "`stages` and `unimax` both give"),
        ("[[stages]]\nuntil = 5\na = 1", "the last of the `stages`"),
        ("[[stages]]\na = 1\n[[stages]]\na = 1", "stage 1 has no `until`"),
        ("[[stages]]\nuntil = 5\na = 1\n[[stages]]\nuntil = 5\na = 1\n[[stages]]\na = 1", "stage 2 ends at 5 tokens"),
        ("[[stages]]\nuntil = 5\na = 0.5\n[[stages]]\na = 1", "stage 1: ratios sum to 0.5"),
        ("on-shortage = \"reduce\"\n[[stages]]\na = 1", "cannot be met with `stages`"),
        ("epochs = { b = 2 }\n[[stages]]\na = 1", "`b`, which has no ratio"),
    ] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(message), "{text}: {error}");
    }
}
