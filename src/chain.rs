//! A recipe of several stages, such as pretraining, fine-tuning, a reward model, reinforcement learning.
//!
//! Each entry of `[[stages]]` is a recipe of its own with a run folder of its own, `OUTPUT/NAME`: what stands
//! above the stages is common to all, and a stage's own keys come first. `stage:NAME` in front of a path is the model
//! that an earlier stage left, a Hugging Face folder in 32 bits, so that nothing is lost on the way.

use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};
use toml::{Table, Value};

use crate::cli::{Common, Step};
use crate::error::{Context, Error, Result};
use crate::lock::Access;
use crate::recipe::{self, Recipe};
use crate::report::Ui;
use crate::run::Run;
use crate::{layout, model, plan, stage};

/// What a path begins with that lies in an earlier stage's model.
const REFERENCE: &str = "stage:";

/// The stages of a recipe, in their order.
pub(crate) struct Chain {
    output: PathBuf,
    stages: Vec<Stage>,
}

struct Stage {
    name: String,
    recipe: Recipe,
    /// Stages whose models it uses.
    uses: Vec<String>,
}

impl Chain {
    /// The stages of this file, all of them checked; none where it is a recipe of one run.
    pub(crate) fn load(path: &Path, set: &[String]) -> Result<Option<Self>> {
        // What cannot be read or parsed is said when it is read as a recipe.
        let table = std::fs::read_to_string(path).ok().and_then(|text| text.parse::<Table>().ok());
        let Some(mut table) = table.filter(|table| table.contains_key(recipe::STAGES)) else { return Ok(None) };
        for assignment in set {
            recipe::set(&mut table, assignment)?;
        }
        let file = std::path::absolute(path).context(|| format!("cannot resolve {}", path.display()))?;
        let folder = file.parent().unwrap_or(Path::new("/"));
        Self::parse(table, &path.display().to_string(), folder).map(Some)
    }

    fn parse(mut common: Table, file: &str, folder: &Path) -> Result<Self> {
        let wrong = |what: String| Error::new(format!("{file}: {what}"));
        let Some(Value::Array(stages)) = common.remove(recipe::STAGES) else {
            return Err(wrong("`stages` is not a list".to_owned()).hint("each stage begins with a line `[[stages]]`"));
        };
        let Some(Value::String(output)) = common.get("output").cloned() else {
            return Err(wrong("`output` is missing, the folder of all stages".to_owned()));
        };
        let output = PathBuf::from(recipe::resolve(folder, &output).map_err(wrong)?);
        let mut chain = Self { output, stages: Vec::new() };
        for (at, stage) in stages.into_iter().enumerate() {
            let Value::Table(mut own) = stage else { return Err(wrong(format!("stage {} is not a table", at + 1))) };
            let name = match own.remove("name") {
                Some(Value::String(name)) if is_name(&name) => name,
                _ => {
                    return Err(wrong(format!("stage {} has no name of small letters, digits and dashes", at + 1))
                        .hint("`name = \"sft\"`: it becomes the name of a folder"));
                }
            };
            if own.contains_key("output") {
                return Err(wrong(format!("stage `{name}` has an `output`, but its folder is {}", chain.output.join(&name).display())));
            }
            if chain.stages.iter().any(|earlier| earlier.name == name) {
                return Err(wrong(format!("two stages are named `{name}`")));
            }
            let mut table = common.clone();
            merge(&mut table, own);
            table.insert("output".to_owned(), Value::String(chain.output.join(&name).display().to_string()));
            let mut whole = Value::Table(table);
            let mut uses = Vec::new();
            chain.refer(&mut whole, &mut uses).map_err(|what| wrong(format!("stage `{name}`: {what}")))?;
            let text = toml::to_string(&whole).context(|| format!("cannot write stage `{name}`"))?;
            let recipe = Recipe::parse(&text, &format!("{file}, stage `{name}` with what is common"), folder, &[])?;
            chain.stages.push(Stage { name, recipe, uses });
        }
        if chain.stages.is_empty() {
            return Err(wrong("`stages` is empty".to_owned()));
        }
        Ok(chain)
    }

    /// Puts the folders of models in place of `stage:NAME`.
    fn refer(&self, value: &mut Value, uses: &mut Vec<String>) -> Result<(), String> {
        match value {
            Value::String(text) => {
                let Some(reference) = text.strip_prefix(REFERENCE).map(str::to_owned) else { return Ok(()) };
                let (name, rest) = reference.split_once('/').map_or((&*reference, None), |(name, rest)| (name, Some(rest)));
                let Some(stage) = self.stages.iter().find(|stage| stage.name == name) else {
                    let names: Vec<&str> = self.stages.iter().map(|stage| stage.name.as_str()).collect();
                    return Err(format!("`{text}` is none of the stages before it: {}", names.join(", ")));
                };
                if stage.recipe.train.is_none() {
                    return Err(format!("`{text}`: that stage has no [train] and leaves no model"));
                }
                let model = self.output.join(name).join(layout::MODEL);
                *text = rest.map_or(model.clone(), |rest| model.join(rest)).display().to_string();
                uses.push(name.to_owned());
                Ok(())
            }
            Value::Array(items) => items.iter_mut().try_for_each(|item| self.refer(item, uses)),
            Value::Table(table) => table.iter_mut().try_for_each(|(_, item)| self.refer(item, uses)),
            _ => Ok(()),
        }
    }

    /// `malmoi run`: every stage that is not current, one after the other.
    pub(crate) fn run(&self, common: &Common, ui: &Ui) -> Result<()> {
        let mut lineage: Vec<Json> = Vec::new();
        for (at, Stage { name, recipe, uses }) in self.stages.iter().enumerate() {
            let place = |error: Error| Error { message: format!("stage `{name}`: {}", error.message), ..error };
            ui.say(format!("stage {name}, {} of {}: {}", at + 1, self.stages.len(), recipe.output.display()));
            ui.event("stage", &json!({ "name": name, "number": at + 1, "of": self.stages.len(), "run": recipe.output }));
            let run = Run::with(recipe.clone(), common, Access::Alone, ui).map_err(place)?;
            run.all().map_err(place)?;
            let mut line = json!({ "name": name, "run": recipe.output, "uses": uses });
            if let Some(train) = &recipe.train {
                run.model(name, common).map_err(place)?;
                let state = model::checkpoint(&recipe.output, chosen(recipe))?.state().clone();
                line["objective"] = json!(train.objective);
                line["model"] = json!(recipe.output.join(layout::MODEL));
                line["step"] = json!(state.position.step);
                line["fingerprint"] = json!(state.fingerprint);
            }
            lineage.push(line);
            layout::write_json(&self.output, layout::LINEAGE, &lineage)?;
        }
        Ok(())
    }

    /// `malmoi plan`: stages whose models are not there yet cannot be looked into.
    pub(crate) fn plan(&self, ui: &Ui) -> Result<()> {
        for Stage { name, recipe, uses } in &self.stages {
            match uses.iter().find(|used| !self.output.join(used).join(layout::MODEL).exists()) {
                Some(used) => ui.say(format!("stage {name}: waits for the model of stage {used}")),
                None => {
                    ui.say(format!("stage {name}:"));
                    let mut recipe = recipe.clone();
                    stage::train::take_init(&mut recipe)?;
                    recipe.notes().iter().for_each(|note| ui.warn(note));
                    plan::show(&recipe, ui)?;
                }
            }
        }
        Ok(())
    }
}

/// The checkpoint of a stage that its model is made of: where the best one is kept, that one.
pub(crate) fn chosen(recipe: &Recipe) -> Option<Step> {
    recipe.train.as_ref().is_some_and(|train| train.keep_best).then_some(Step::Best)
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// Puts `own` over `common`: tables key by key, anything else whole.
fn merge(common: &mut Table, own: Table) {
    for (key, value) in own {
        match (common.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => merge(below, above),
            (_, value) => {
                common.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMON: &str = r#"
output = "out"
seed = 5
[tokenizer]
bytes = true
[mixture]
ko = 1
[train]
objective = "cpt"
batch = 4
[[sources]]
name = "ko"
bucket = "ko"
files = "ko.jsonl"
format = "jsonl"
"#;

    fn parse(stages: &str) -> Result<Chain> {
        Chain::parse(format!("{COMMON}\n{stages}").parse().unwrap(), "a.toml", Path::new("/r"))
    }

    #[test]
    fn a_stage_is_what_is_common_with_its_own_keys_before() {
        let chain = parse("[[stages]]\nname='a'\n[stages.train]\nbatch=2\n[[stages]]\nname='b'\nseed=6\ntrain={init='stage:a'}").unwrap();
        let [first, second] = &chain.stages[..] else { panic!() };
        let train = |stage: &Stage| stage.recipe.train.clone().unwrap();
        assert_eq!((first.recipe.seed, train(first).batch, train(first).init), (5, 2, None));
        assert_eq!((second.recipe.seed, train(second).batch, &second.uses), (6, 4, &vec!["a".to_owned()]));
        assert_eq!(train(second).init.unwrap(), Path::new("/r/out/a/model"));
        assert_eq!((first.recipe.output.as_path(), second.recipe.output.as_path()), (Path::new("/r/out/a"), Path::new("/r/out/b")));
    }

    #[test]
    fn what_makes_no_chain_is_refused_before_anything_runs() {
        for (stages, said) in [
            ("stages = 3", "not a list"),
            ("[[stages]]\nname='A b'", "no name"),
            ("[[stages]]\nseed=1", "no name"),
            ("[[stages]]\nname='..'", "no name"),
            ("[[stages]]\nname='a'\noutput='x'", "has an `output`"),
            ("[[stages]]\nname='a'\n[[stages]]\nname='a'", "two stages"),
            ("[[stages]]\nname='a'\ntrain={init='stage:b'}\n[[stages]]\nname='b'", "none of the stages before it"),
            ("[[stages]]\nname='a'\ntrain={no-such-key=1}", "no-such-key"),
        ] {
            let stages = if stages.starts_with('[') { stages.to_owned() } else { String::new() };
            let outcome = match said {
                "not a list" => Chain::parse(format!("stages = 3\n{COMMON}").parse().unwrap(), "a.toml", Path::new("/r")),
                _ => parse(&stages),
            };
            let error = outcome.err().unwrap();
            assert!(error.to_string().contains(said), "{said}: {error}");
        }
    }
}
