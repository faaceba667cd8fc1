//! `sample`: a few random documents for each reason to drop one or a piece of it, and of those that stayed.

use std::collections::BTreeMap;
use std::path::Path;

use corpora::{JsonlReader, Part};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::cli::SampleArgs;
use crate::error::{Error, Result};
use crate::fate::Fates;
use crate::inspect::{ID, excerpt};
use crate::record::{Kept, Passages, Rejected, Trimmed, stands_in};
use crate::report::{Ui, grouped};
use crate::table::{Pick, each_row};
use crate::{layout, recipe};

/// Characters of a text that a terminal shows.
const SHOWN: usize = 240;
/// Characters of a passage.
const PASSAGE: usize = 80;

/// What documents are sorted by: those that stayed whole by bucket, the others by what shortened or dropped them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Group {
    Kept(String),
    Shortened(String),
    Dropped(String),
}

/// What shortens documents.
const LINES: &str = "dedup/lines";
const SUBSTRINGS: &str = "dedup/substrings";

impl Group {
    fn name(&self) -> String {
        match self {
            Self::Kept(bucket) => format!("kept ({bucket})"),
            Self::Shortened(rule) => format!("shortened by {rule}"),
            Self::Dropped(rule) => rule.clone(),
        }
    }

    fn wanted(&self, args: &SampleArgs) -> bool {
        match self {
            Self::Kept(_) => !args.dropped && args.reason.is_none(),
            Self::Shortened(rule) => !args.dropped && args.reason.as_deref().is_none_or(|reason| matches(rule, reason)),
            Self::Dropped(rule) => !args.kept && args.reason.as_deref().is_none_or(|reason| matches(rule, reason)),
        }
    }
}

/// Documents of a group, and which of them are shown: nothing yet, then lines for a terminal.
struct Chosen {
    documents: u64,
    pick: Pick<()>,
}

/// `malmoi sample RUN`.
pub(crate) fn sample(args: &SampleArgs, ui: &Ui) -> Result<()> {
    let folder = args.run.as_path();
    let recipe = recipe::Recipe::of_run(folder)?;
    let parts: Vec<Part> = layout::read_json(folder, layout::PLAN)?;
    if let Some(bucket) = &args.bucket
        && !recipe.buckets().contains(&bucket.as_str())
    {
        return Err(Error::new(format!("the run has no bucket `{bucket}`")).hint(format!("it has: {}", recipe.buckets().join(", "))));
    }
    let bucket_of = |part: &Part| recipe.sources.get(part.source).map_or("", |source| source.bucket.as_str());
    let mut groups: BTreeMap<Group, Chosen> = BTreeMap::new();
    for (index, part) in parts.iter().enumerate() {
        let bucket = bucket_of(part);
        if args.bucket.as_deref().is_some_and(|wanted| wanted != bucket) {
            continue;
        }
        let fates = Fates::of(folder, &part.name)?;
        let shortened = shortened(folder, part)?;
        each_row(folder, part, &[], &mut |row| {
            let group = match (row.outcome, row.rule, fates.dropped(row.row)) {
                ("kept", _, None) => match shortened.get(&row.row) {
                    Some(lost) => Group::Shortened(lost.rule().to_owned()),
                    None => Group::Kept(bucket.to_owned()),
                },
                ("kept", _, Some(rule)) => Group::Dropped(rule),
                (_, Some(rule), _) => Group::Dropped(rule.to_owned()),
                (outcome, ..) => Group::Dropped(outcome.to_owned()),
            };
            let most = usize::from(args.documents);
            let chosen = groups.entry(group).or_insert_with(|| Chosen { documents: 0, pick: Pick::new(most, args.seed) });
            chosen.documents += 1;
            chosen.pick.offer(row.id, index, row.row, || ());
            Ok(())
        })?;
    }
    if let Some(reason) = &args.reason
        && !groups.keys().any(|group| group.wanted(args))
    {
        let reasons: Vec<&str> = groups
            .keys()
            .filter_map(|group| if let Group::Dropped(rule) | Group::Shortened(rule) = group { Some(rule.as_str()) } else { None })
            .collect();
        let families = reasons.iter().map(|rule| rule.split('/').next().unwrap_or(rule).to_owned());
        return Err(Error::new(format!("nothing was dropped by `{reason}`"))
            .hint(format!("what dropped or shortened documents: {}", reasons.join(", ")))
            .did_you_mean(reason, families.chain(reasons.iter().map(|rule| (*rule).to_owned()))));
    }
    groups.retain(|group, _| group.wanted(args));
    if !folder.join(layout::DEDUP).exists() && !args.dropped && args.reason.is_none() {
        ui.say("duplicates were not looked for yet: they are among those that are kept");
    }
    show(folder, &parts, &groups, ui)
}

/// Whether a rule is asked for by its name, its family, its filter, or its filter and metric.
fn matches(rule: &str, reason: &str) -> bool {
    let (family, metric) = rule.split_once('/').unwrap_or((rule, ""));
    let filter = filters::filter_of_rule(rule).unwrap_or(family);
    rule == reason || family == reason || filter == reason || reason.split_once('/').is_some_and(|asked| asked == (filter, metric))
}

/// A ledger of deduplication by row; empty where there is none.
fn by_row<T: DeserializeOwned>(path: &Path, row: impl Fn(&T) -> u64) -> Result<BTreeMap<u64, T>> {
    if !path.exists() {
        return Ok(BTreeMap::new());
    }
    Ok(JsonlReader::<T>::open(path)?.map(|line| line.map(|line| (row(&line), line))).collect::<Result<_, _>>()?)
}

/// What a document lost to others that have it too.
#[derive(Default)]
struct Lost {
    trimmed: Option<Trimmed>,
    passages: Option<Passages>,
}

/// Shortened documents of a part by row.
fn shortened(folder: &Path, part: &Part) -> Result<BTreeMap<u64, Lost>> {
    let mut all: BTreeMap<u64, Lost> = BTreeMap::new();
    for (row, trimmed) in by_row(&folder.join(layout::trimmed(&part.name)), |trimmed: &Trimmed| trimmed.row)? {
        all.entry(row).or_default().trimmed = Some(trimmed);
    }
    for (row, passages) in by_row(&folder.join(layout::passages(&part.name)), |passages: &Passages| passages.row)? {
        all.entry(row).or_default().passages = Some(passages);
    }
    Ok(all)
}

impl Lost {
    fn rule(&self) -> &'static str {
        if self.passages.is_some() { SUBSTRINGS } else { LINES }
    }

    /// How much, the longest passage of it, and where that one stands.
    fn told(&self, kept: &Kept) -> String {
        let lines = self.trimmed.as_ref().map(|trimmed| format!("lost {} lines of {} bytes", trimmed.lines, grouped(trimmed.bytes)));
        let passages = self.passages.as_ref().map(|passages| {
            let whole = self.trimmed.as_ref().and_then(|trimmed| trimmed.apply(&kept.text));
            let text = whole.as_ref().unwrap_or(&kept.text);
            let longest = passages.elsewhere.iter().rev().max_by_key(|elsewhere| elsewhere.words).map(|elsewhere| {
                let passage = text.get(elsewhere.start as usize..elsewhere.end as usize).unwrap_or_default();
                format!("; {}: {}", stands_in(elsewhere, &kept.id), excerpt(passage, PASSAGE))
            });
            format!("lost {} words of {} bytes{}", passages.words, grouped(passages.bytes), longest.unwrap_or_default())
        });
        lines.into_iter().chain(passages).collect::<Vec<_>>().join(", ")
    }
}

/// Reads the chosen records; whole ones go out as they are found, lines for people group by group.
fn show(folder: &Path, parts: &[Part], groups: &BTreeMap<Group, Chosen>, ui: &Ui) -> Result<()> {
    for (group, chosen) in groups {
        ui.event("sample-group", &json!({ "group": group, "documents": chosen.documents }));
    }
    let mut wanted: BTreeMap<(usize, u64), &Group> = BTreeMap::new();
    for (group, chosen) in groups {
        wanted.extend(chosen.pick.iter().map(|(place, ())| (place, group)));
    }
    let mut lines: BTreeMap<(usize, u64), [String; 2]> = BTreeMap::new();
    for (index, part) in parts.iter().enumerate() {
        let here: BTreeMap<u64, &Group> = wanted.range((index, 0)..=(index, u64::MAX)).map(|((_, row), group)| (*row, *group)).collect();
        if here.is_empty() {
            continue;
        }
        let fates = Fates::of(folder, &part.name)?;
        let shortened = shortened(folder, part)?;
        let mut found = |row: u64, why: Option<String>, head: String, text: &str, record: serde_json::Result<Value>| {
            let Some(group) = here.get(&row) else { return };
            ui.event("sample", &json!({ "group": group, "part": part.name, "why": why, "document": record.unwrap_or_default() }));
            let why = why.map_or_else(String::new, |why| format!("  {}", excerpt(&why, SHOWN)));
            lines.insert((index, row), [format!("{head}{why}"), excerpt(text.trim_start(), SHOWN)]);
        };
        let is_wanted = |row: u64| here.contains_key(&row);
        read::<Kept>(folder, &layout::documents(&part.name), &mut |kept| {
            if is_wanted(kept.row) {
                let why = fates.why(kept.row).or_else(|| shortened.get(&kept.row).map(|lost| lost.told(&kept)));
                found(
                    kept.row,
                    why,
                    head(&kept.id, &kept.source, kept.lang.as_deref(), &kept.text),
                    &kept.text,
                    serde_json::to_value(&kept),
                );
            }
        })?;
        read::<Rejected>(folder, &layout::rejects(&part.name), &mut |rejected| {
            let Rejected { row, why, id, text, source, lang, .. } = &rejected;
            if !is_wanted(*row) {
                return;
            }
            let line = serde_json::to_value(&rejected);
            if rejected.is_unreadable() {
                found(*row, None, format!("{}, row {row}", part.name), why, line);
            } else {
                found(*row, Some(why.clone()), head(id, source, lang.as_deref(), text), text, line);
            }
        })?;
    }
    for (group, chosen) in groups {
        let shown: Vec<_> = chosen.pick.iter().collect();
        ui.data(format!("{}: {} of {} documents", group.name(), shown.len(), grouped(chosen.documents)));
        for (place, ()) in shown {
            let Some([head, text]) = lines.get(&place) else {
                return Err(Error::bad_result(format!("row {} of {} is in its table and in no other file", place.1, parts[place.0].name))
                    .hint("the run folder was changed by hand; `malmoi audit RUN` says where"));
            };
            ui.data(format!("  {head}"));
            ui.data(format!("    {text}"));
        }
        ui.data("");
    }
    Ok(())
}

fn head(id: &str, source: &str, lang: Option<&str>, text: &str) -> String {
    let lang = lang.map_or_else(String::new, |lang| format!(", {}", excerpt(lang, 16)));
    format!("{}  [{source}{lang}, {} chars]", excerpt(id, ID), grouped(text.chars().count() as u64))
}

fn read<T: DeserializeOwned>(folder: &Path, file: &str, each: &mut dyn FnMut(T)) -> Result<()> {
    for line in JsonlReader::<T>::open(&folder.join(file))? {
        each(line?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_reason_may_be_named_by_rule_filter_or_both() {
        for reason in ["repetition/top-2-gram", "repetition", "gopher-repetition", "gopher-repetition/top-2-gram"] {
            assert!(matches("repetition/top-2-gram", reason), "{reason}");
        }
        for reason in ["top-2-gram", "gopher-quality", "gopher-repetition/top-3-gram", "repetition/top-2", ""] {
            assert!(!matches("repetition/top-2-gram", reason), "{reason}");
        }
        assert!(matches("dedup/exact", "dedup") && matches("unreadable", "unreadable"));
    }
}
