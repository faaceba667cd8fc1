//! What is asked: other limits for filters of a run's recipe, checked to be ones that can be answered.

use std::collections::BTreeMap;

use filters::{FilterSpec, Rule};
use toml::{Table, Value};

use crate::error::{Context, Error, Result};
use crate::plan::applies;
use crate::recipe::Recipe;

/// The filters of every bucket, with the limits of the run and those that are asked about.
pub(super) struct Question {
    /// By bucket, in the order in which a document meets them.
    pub(super) steps: BTreeMap<String, Vec<Step>>,
    /// Metrics that decide the changed filters, sorted.
    pub(super) metrics: Vec<&'static str>,
}

/// A filter as one bucket meets it.
pub(super) struct Step {
    pub(super) name: &'static str,
    /// Its limits in the run.
    pub(super) before: Vec<Rule>,
    /// Its limits as asked, rule by rule; none where nothing of it changes.
    pub(super) after: Option<Vec<Rule>>,
    /// Whether it can drop a document, with the limits asked for.
    pub(super) may_drop: bool,
    /// Whether it can change the text of a document that it keeps.
    pub(super) rewrites: bool,
    /// Whether it drops for reasons that are no limit.
    drops: bool,
    /// Those of them that come before its limits; none if all do.
    reasons_first: Option<&'static [&'static str]>,
}

impl Question {
    pub(super) fn new(recipe: &Recipe, settings: &[String]) -> Result<Self> {
        let mut after = recipe.filters.clone();
        let mut seen = Vec::new();
        for setting in settings {
            let (index, option, value) = find(recipe, setting)?;
            if seen.contains(&(index, option)) {
                return Err(Error::new(format!("{setting}: `{option}` was given another value before")).hint("ask for one value at a time"));
            }
            seen.push((index, option));
            let asked = with(&after[index], option, value).map_err(|error| Error::new(format!("{setting}: {}", error.message)))?;
            asked.validate(&recipe.buckets()).map_err(|error| Error::new(format!("{setting}: {error}")))?;
            measured(&recipe.filters[index], &asked, option)?;
            after[index] = asked;
        }
        let mut steps = BTreeMap::new();
        for bucket in recipe.buckets() {
            let of_bucket = recipe.filters.iter().zip(&after).filter(|(filter, _)| applies(filter, bucket));
            let of_bucket: Vec<Step> = of_bucket.map(|(before, after)| Step::new(before, after)).collect();
            unambiguous(bucket, &of_bucket)?;
            steps.insert(bucket.to_owned(), of_bucket);
        }
        let changed = steps.values().flatten().filter(|step| step.after.is_some());
        let mut metrics: Vec<&str> = changed.flat_map(|step| step.before.iter().map(|rule| rule.metric)).collect();
        metrics.sort_unstable();
        metrics.dedup();
        Ok(Self { steps, metrics })
    }
}

impl Step {
    fn new(before: &FilterSpec, after: &FilterSpec) -> Self {
        Self {
            name: before.name(),
            before: before.rules(),
            after: (before != after).then(|| after.rules()),
            may_drop: after.may_drop() || before.may_drop(),
            rewrites: before.effect().rewrites,
            drops: before.effect().drops,
            reasons_first: before.reasons_first(),
        }
    }

    /// Whether it drops for other reasons after it has looked at its limits.
    pub(super) fn drops_after(&self) -> bool {
        self.drops && self.reasons_first.is_some()
    }

    /// Whether a reason that is no limit is one that it has before its limits.
    pub(super) fn is_before_limits(&self, reason: &str) -> bool {
        !self.drops_after() || self.reasons_first.is_some_and(|first| first.contains(&reason))
    }
}

/// A filter that a bucket meets twice leaves one set of metrics, and reasons that fit both.
fn unambiguous(bucket: &str, steps: &[Step]) -> Result<()> {
    if steps.iter().all(|step| step.after.is_none()) {
        return Ok(());
    }
    for (at, step) in steps.iter().enumerate().filter(|(_, step)| step.may_drop) {
        if steps[..at].iter().any(|earlier| earlier.may_drop && earlier.name == step.name) {
            return Err(Error::new(format!(
                "bucket `{bucket}` passes `{}` twice: the stored metrics do not say which of them decided",
                step.name
            ))
            .hint("run the recipe with the other limit instead: only what depends on it is done again"));
        }
    }
    Ok(())
}

/// The filter, option and value of a `filter.option=value` or `filters.INDEX.filter.option=value`.
fn find<'a>(recipe: &Recipe, setting: &'a str) -> Result<(usize, &'a str, Value)> {
    let fail = |why: String| Error::new(format!("{setting}: {why}")).hint(limits(recipe, |_| true));
    let form = || fail("the form is filter.option=value".to_owned());
    let (path, value) = setting.split_once('=').ok_or_else(form)?;
    let parsed = toml::from_str::<Table>(&format!("v = {}", value.trim())).ok().and_then(|mut table| table.remove("v"));
    let value = match parsed {
        Some(Value::Integer(..0)) => return Err(Error::new(format!("{setting}: a limit is not negative"))),
        Some(Value::Float(number)) if number < 0.0 => return Err(Error::new(format!("{setting}: a limit is not negative"))),
        Some(Value::Integer(number)) => Value::Integer(number),
        Some(Value::Float(number)) if number.is_finite() => Value::Float(number),
        _ => return Err(fail(format!("`{}` is no number, and only limits can be asked about", value.trim()))),
    };
    let keys: Vec<&str> = path.trim().split('.').collect();
    let (index, name, option) = match keys.as_slice() {
        ["filters", index, name, option] => (Some(*index), *name, *option),
        [name, option] => (None, *name, *option),
        _ => return Err(form()),
    };
    // `repetition.top-2-gram` as reasons spell it is `gopher-repetition.top-2-gram`.
    let name = filters::filter_of_rule(&format!("{name}/")).unwrap_or(name);
    let named: Vec<usize> = (0..recipe.filters.len()).filter(|at| recipe.filters[*at].name() == name).collect();
    let index = match (index, named.as_slice()) {
        (_, []) => {
            let error = fail(format!("the run has no filter `{name}`"));
            let of = |filter: &FilterSpec| {
                filter.rules().into_iter().map(|rule| format!("{}.{}", filter.name(), rule.option)).collect::<Vec<_>>()
            };
            return Err(error.did_you_mean(&format!("{name}.{option}"), recipe.filters.iter().flat_map(of)));
        }
        (None, [only]) => *only,
        (None, several) => {
            let forms: Vec<String> = several.iter().map(|at| format!("filters.{at}.{name}.{option}")).collect();
            return Err(Error::new(format!("{setting}: the run has `{name}` {} times", several.len()))
                .hint(format!("say which: {}", forms.join(", "))));
        }
        (Some(index), several) => index
            .parse()
            .ok()
            .filter(|at| several.contains(at))
            .ok_or_else(|| fail(format!("filter {index} of the run is no `{name}` (0 is the first)")))?,
    };
    let rules = recipe.filters[index].rules();
    if rules.is_empty() {
        return Err(fail(format!("`{name}` as the run has it is not supported: its stored metrics do not say what it would decide")));
    }
    if !rules.iter().any(|rule| rule.option == option) {
        let error = Error::new(format!("{setting}: no stored metric decides `{option}` of `{name}`"));
        let error = error.hint(limits(recipe, |filter| filter.name() == name));
        return Err(error.did_you_mean(option, rules.iter().map(|rule| rule.option.to_owned())));
    }
    Ok((index, option, value))
}

/// The limits of these filters that can be asked about, for a hint: a line for each set of options.
fn limits(recipe: &Recipe, wanted: impl Fn(&FilterSpec) -> bool) -> String {
    let mut lines: Vec<(Vec<&str>, Vec<String>)> = Vec::new();
    for (at, filter) in recipe.filters.iter().enumerate().filter(|(_, filter)| wanted(filter)) {
        let alone = recipe.filters.iter().filter(|other| other.name() == filter.name()).count() == 1;
        let name = if alone { filter.name().to_owned() } else { format!("filters.{at}.{}", filter.name()) };
        let measured = metrics_of(filter);
        let mut options: Vec<&str> = Vec::new();
        for rule in filter.rules().iter().filter(|rule| measured.contains(&rule.metric)) {
            if !options.contains(&rule.option) {
                options.push(rule.option);
            }
        }
        match lines.iter_mut().find(|(known, _)| *known == options) {
            _ if options.is_empty() => {}
            Some((_, names)) => names.push(name),
            None => lines.push((options, vec![name])),
        }
    }
    if lines.is_empty() {
        return "there are no limits to ask about".to_owned();
    }
    let lines = lines.into_iter().map(|(options, names)| format!("\n  {}: {}", names.join(", "), options.join(", ")));
    format!("what can be asked:{}", lines.collect::<String>())
}

fn with(filter: &FilterSpec, option: &str, value: Value) -> Result<FilterSpec> {
    let fail = || "cannot change the filter".to_owned();
    let mut table = Table::try_from(filter).context(fail)?;
    if let Some(Value::Table(options)) = table.get_mut(filter.name()) {
        options.insert(option.to_owned(), value);
    }
    Value::Table(table).try_into().map_err(|error: toml::de::Error| Error::new(error.message()))
}

fn metrics_of(filter: &FilterSpec) -> Vec<&'static str> {
    filter.metric_names().unwrap_or_default()
}

/// Refuses a limit that is switched on now and whose metric the run did not compute.
fn measured(before: &FilterSpec, asked: &FilterSpec, option: &str) -> Result<()> {
    let there = metrics_of(before);
    match asked.rules().iter().find(|rule| rule.option == option && rule.limit.is_some() && !there.contains(&rule.metric)) {
        Some(rule) => Err(Error::new(format!("`{option}` of `{}` was off in the run, which measured no `{}`", before.name(), rule.metric))
            .hint("run the recipe with the limit set; after that it can be asked about")),
        None => Ok(()),
    }
}
