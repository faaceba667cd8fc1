//! `train.preset` and `tokenizer.sentencepiece.preset`: values by name for the keys that the recipe leaves out.

use shards::SentencePiecePreset;
use toml::{Table, Value};
use trainer::Preset;

/// Puts a preset's values into `[train]`, where they are not given, in place of its name. A name that
/// is none stays, for the error that shows its place.
pub(super) fn expand(table: &mut Table) -> Option<Preset> {
    let train = table.get_mut("train")?.as_table_mut()?;
    let preset: Preset = train.get("preset")?.clone().try_into().ok()?;
    let settings: Table = toml::from_str(preset.settings()).ok()?;
    train.remove("preset");
    for (key, value) in settings {
        if !contradicted(train, &key, &value) {
            fill(train, key, value);
        }
    }
    Some(preset)
}

/// The same of `[tokenizer.sentencepiece]`, whose keys have two spellings; whether there was a name to put values for.
pub(crate) fn expand_tokenizer(table: &mut Table) -> bool {
    fill_tokenizer(table).is_some()
}

fn fill_tokenizer(table: &mut Table) -> Option<()> {
    let options = table.get_mut("tokenizer")?.as_table_mut()?.get_mut("sentencepiece")?.as_table_mut()?;
    let preset: SentencePiecePreset = options.get("preset")?.clone().try_into().ok()?;
    let settings: Table = toml::from_str(preset.settings()).ok()?;
    options.remove("preset");
    for (key, value) in settings.into_iter().filter(|(key, _)| !options.contains_key(&key.replace('-', "_"))).collect::<Table>() {
        fill(options, key, value);
    }
    Some(())
}

/// Puts a value where none is given; of a table, its keys one by one.
fn fill(given: &mut Table, key: String, value: Value) {
    match (given.get_mut(&key).map(|there| there.as_table_mut()), value) {
        (None, value) => drop(given.insert(key, value)),
        (Some(Some(there)), Value::Table(table)) => table.into_iter().for_each(|(key, value)| fill(there, key, value)),
        (Some(_), _) => {}
    }
}

/// Whether keys that are given leave no place for this one of a preset.
fn contradicted(given: &Table, key: &str, value: &Value) -> bool {
    let number = |key: &str| given.get(key).and_then(Value::as_integer);
    match key {
        // How long training is can be said in two ways, of which only one may be there.
        "epochs" => given.contains_key("tokens"),
        // A constant rate goes down to nothing.
        "min-learning-rate" => given.get("schedule").and_then(Value::as_str) == Some("constant"),
        "micro-batch" => number("batch").zip(value.as_integer()).is_some_and(|(batch, micro)| micro > batch),
        // Without evaluations none is the best.
        "keep-best" => number("eval-every") == Some(0) || number("eval-tokens") == Some(0),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn train(text: &str) -> Table {
        let mut table: Table = toml::from_str(text).unwrap();
        expand(&mut table);
        match table.remove("train") {
            Some(Value::Table(train)) => train,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_tokenizer_is_that_of_the_guide_where_nothing_else_is_said() {
        let read = |text: &str| {
            let mut table: Table = toml::from_str(&format!("tokenizer = {{ sentencepiece = {{ {text} }} }}")).unwrap();
            let expanded = expand_tokenizer(&mut table);
            (expanded, table["tokenizer"].clone().try_into::<shards::TokenizerConfig>().map(|config| config.sentencepiece.unwrap()))
        };
        let (expanded, seed) = read("preset = 'seed', vocab_size = 900, byte-fallback = true");
        let seed = seed.unwrap();
        assert!(expanded && seed.preset.is_none() && seed.byte_fallback && seed.vocab_size == 900);
        assert_eq!((seed.normalization_rule_name, seed.user_defined_symbols.len()), (shards::NormalizationRule::NmtNfkcCf, 3));
        assert!(seed.remove_extra_whitespaces && seed.add_dummy_prefix && !seed.allow_whitespace_only_pieces);
        let (expanded, plain) = read("vocab-size = 900");
        assert_eq!((expanded, plain.unwrap().normalization_rule_name), (false, shards::NormalizationRule::Identity));
        assert!(read("preset = 'none'").1.unwrap_err().to_string().contains("`none`"));
    }

    #[test]
    fn what_is_given_stays() {
        let whole = train("train = { preset = 'seed-cpt', objective = 'cpt', batch = 4, micro-batch = 1 }");
        assert_eq!(whole["batch"].as_integer(), Some(4));
        assert_eq!(whole["epochs"].as_integer(), Some(2));
        assert!(!whole.contains_key("preset"));
        let counted = train("train = { preset = 'seed-sft', tokens = 5 }");
        assert!(!counted.contains_key("epochs") && counted["keep-best"].as_bool() == Some(true));
        let constant = train("train = { preset = 'seed-cpt', schedule = 'constant', batch = 1 }");
        assert!(!constant.contains_key("min-learning-rate") && !constant.contains_key("micro-batch"));
        assert!(!train("train = { preset = 'seed-sft', eval-every = 0 }").contains_key("keep-best"));
        for (preset, given) in [("seed-cpt", "schedule = 'constant', batch = 1"), ("seed-sft", "eval-tokens = 0")] {
            let filled = train(&format!("train = {{ preset = '{preset}', objective = 'cpt', {given} }}"));
            filled.try_into::<trainer::TrainConfig>().unwrap().validate().unwrap();
        }
        let ppo = train(
            "train = { preset = 'seed-ppo', objective = 'ppo', ppo = { epochs = 2, kl = { target = 3.0 } }, rollout = { top-p = 1.0 } }",
        );
        assert_eq!((ppo["ppo"]["epochs"].as_integer(), ppo["ppo"]["target-kl"].as_float()), (Some(2), Some(0.1)));
        assert_eq!((ppo["ppo"]["kl"]["target"].as_float(), ppo["ppo"]["kl"]["horizon"].as_integer()), (Some(3.0), Some(10_000)));
        assert_eq!((ppo["rollout"]["top-p"].as_float(), ppo["rollout"]["max-new-tokens"].as_integer()), (Some(1.0), Some(256)));
        let unknown = train("train = { preset = 'none' }");
        assert_eq!(unknown.len(), 1);
    }
}
