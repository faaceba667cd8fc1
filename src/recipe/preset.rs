//! `train.preset`: values by name for the keys that the recipe leaves out.

use toml::Table;
use trainer::Preset;

/// Puts a preset's values into `[train]`, where they are not given, in place of its name. A name that
/// is none stays, for the error that shows its place.
pub(super) fn expand(table: &mut Table) -> Option<Preset> {
    let train = table.get_mut("train")?.as_table_mut()?;
    let preset: Preset = train.get("preset")?.clone().try_into().ok()?;
    let settings: Table = toml::from_str(preset.settings()).ok()?;
    train.remove("preset");
    for (key, value) in settings {
        // How long training is can be said in two ways, of which only one may be there.
        let said = key == "epochs" && train.contains_key("tokens");
        if !said {
            train.entry(key).or_insert(value);
        }
    }
    Some(preset)
}

#[cfg(test)]
mod tests {
    use toml::Value;

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
        let unknown = train("train = { preset = 'none' }");
        assert_eq!(unknown.len(), 1);
    }
}
