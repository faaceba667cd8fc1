//! `train.preset`: values by name for the keys that the recipe leaves out.

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
