//! `report RUN --against OTHER`: what differs between two runs, in recipe, funnel, documents and tokens.

pub(crate) mod facts;
pub(crate) mod sides;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use corpora::Part;
use serde_json::json;

use crate::cli::Language;
use crate::error::Result;
use crate::inspect::{ID, excerpt};
use crate::layout;
use crate::recipe::Recipe;
use crate::report::{Columns, Ui, change, grouped};
use crate::table::Pick;
use facts::Facts;
use sides::{Changed, Side, differences};

/// Documents named for each way to change.
const EXAMPLES: usize = 5;

/// How many documents went from one outcome to another, and a few of them.
struct Moved {
    documents: u64,
    examples: Pick<Changed>,
}

/// Compares a run with an earlier one, `against`.
pub(crate) fn compare(run: &Path, against: &Path, lang: Language, ui: &Ui) -> Result<()> {
    let [before_recipe, after_recipe] = [Recipe::of_run(against)?, Recipe::of_run(run)?];
    let before_parts: Vec<Part> = layout::read_json(against, layout::PLAN)?;
    let after_parts: Vec<Part> = layout::read_json(run, layout::PLAN)?;
    let before = Facts::of(against, &before_recipe, &before_parts)?;
    let after = Facts::of(run, &after_recipe, &after_parts)?;
    ui.event("compare", &json!({ "before": { "run": against, "facts": before }, "after": { "run": run, "facts": after } }));
    ui.data(format!("{}: {}", lang.pick("before", "이전"), against.display()));
    ui.data(format!("{}: {}", lang.pick("after", "이후"), run.display()));
    ui.data("");
    recipes(&before, &after, lang, ui);
    funnel(&before, &after, lang, ui);
    tokens(&before, &after, lang, ui);
    let old = Side { folder: against, recipe: &before_recipe, parts: &before_parts };
    let new = Side { folder: run, recipe: &after_recipe, parts: &after_parts };
    let mut moves: BTreeMap<(String, String), Moved> = BTreeMap::new();
    differences(&old, &new, before.input + after.input, &mut |changed| {
        ui.event("changed", &changed);
        let key = (changed.before.outcome.clone(), changed.after.outcome.clone());
        let moved = moves.entry(key).or_insert_with(|| Moved { documents: 0, examples: Pick::new(EXAMPLES, 0) });
        let id = changed.id.clone();
        moved.examples.offer(&id, 0, moved.documents, || changed);
        moved.documents += 1;
    })?;
    documents(&moves, lang, ui);
    Ok(())
}

fn recipes(before: &Facts, after: &Facts, lang: Language, ui: &Ui) {
    let places: BTreeSet<&String> = before.settings.keys().chain(after.settings.keys()).collect();
    let unset = lang.pick("not set", "없음");
    let mut same = true;
    // A source or filter that one run has and the other has not is one line.
    let mut tables: Vec<(String, bool, Vec<String>)> = Vec::new();
    ui.data(lang.pick("Recipe", "레시피"));
    for place in places {
        let [old, new] = [before, after].map(|facts| facts.settings.get(place));
        if old == new {
            continue;
        }
        same = false;
        ui.event("recipe-difference", &json!({ "place": place, "before": old, "after": new }));
        let of_one = match (old, new) {
            (None, Some(value)) => alone(place, before).map(|(table, key)| (table, format!("{key} = {value}"))),
            (Some(value), None) => alone(place, after).map(|(table, key)| (table, format!("{key} = {value}"))),
            _ => None,
        };
        let Some((table, pair)) = of_one else {
            let word = |value: Option<&String>| value.map_or_else(|| unset.to_owned(), |value| excerpt(value, VALUE));
            ui.data(format!("  {place}: {} → {}", word(old), word(new)));
            continue;
        };
        match tables.last_mut().filter(|(last, ..)| *last == table) {
            Some((.., pairs)) => pairs.push(pair),
            None => tables.push((table, old.is_none(), vec![pair])),
        }
    }
    for (table, is_new, pairs) in tables {
        let pairs = excerpt(&pairs.join(", "), VALUE);
        ui.data(if is_new { format!("  {table}: {unset} → {pairs}") } else { format!("  {table}: {pairs} → {unset}") });
    }
    if same {
        ui.data(lang.pick("  no difference", "  차이 없음"));
    }
    ui.data("");
}

/// Characters shown of a value of the recipe.
const VALUE: usize = 120;

/// The table that a place lies in, by the first two keys of it, and the rest; none where the other run has something of the table.
fn alone(place: &str, other: &Facts) -> Option<(String, String)> {
    let mut keys = place.splitn(3, '.');
    let table = format!("{}.{}", keys.next()?, keys.next()?);
    let key = keys.next()?.to_owned();
    let inside = format!("{table}.");
    (!other.settings.keys().any(|known| *known == table || known.starts_with(&inside))).then_some((table, key))
}

fn funnel(before: &Facts, after: &Facts, lang: Language, ui: &Ui) {
    let mut table = counts(lang.pick("documents", "문서"), lang);
    let mut line = |name: &str, old: u64, new: u64| table.row([name.to_owned(), grouped(old), grouped(new), change(old, new)]);
    line(lang.pick("input", "입력"), before.input, after.input);
    let (mut unchanged, mut documents) = (0, 0);
    line(lang.pick("- unreadable", "- 읽기 실패"), before.unreadable, after.unreadable);
    let rules: BTreeSet<&String> = before.rejected.keys().chain(after.rejected.keys()).collect();
    for rule in rules {
        let [old, new] = [before, after].map(|facts| facts.rejected.get(rule).copied().unwrap_or_default());
        if old == new {
            unchanged += 1;
            documents += old;
        } else {
            line(&format!("- {rule}"), old, new);
        }
    }
    if unchanged > 0 {
        line(lang.pick(&format!("- rules as before ({unchanged})"), &format!("- 그대로인 규칙 ({unchanged})")), documents, documents);
    }
    let kinds: BTreeSet<&String> = [before, after].into_iter().flat_map(|facts| facts.duplicates.iter().flat_map(BTreeMap::keys)).collect();
    for kind in kinds {
        let [old, new] =
            [before, after].map(|facts| facts.duplicates.as_ref().and_then(|kinds| kinds.get(kind)).copied().unwrap_or_default());
        line(&format!("- dedup/{kind}"), old, new);
    }
    line(lang.pick("= kept", "= 보존"), before.kept(), after.kept());
    print(&table, ui);
    for (facts, name) in [(before, lang.pick("before", "이전")), (after, lang.pick("after", "이후"))] {
        if facts.duplicates.is_none() {
            ui.data(lang.pick(&format!("{name}: duplicates were not looked for yet"), &format!("{name}: 중복 제거 전")));
        }
    }
    ui.data("");
}

fn tokens(before: &Facts, after: &Facts, lang: Language, ui: &Ui) {
    let (Some(old), Some(new)) = (&before.tokens, &after.tokens) else {
        ui.data(lang.pick("Tokens: one of the runs has no shards yet", "토큰: 아직 샤드가 없는 실행이 있습니다"));
        ui.data("");
        return;
    };
    let mut table = counts(lang.pick("tokens", "토큰"), lang);
    let buckets: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for bucket in buckets {
        let of = |tokens: &BTreeMap<String, [u64; 2]>| tokens.get(bucket).copied().unwrap_or_default();
        for (split, name) in [lang.pick("train", "학습"), lang.pick("held out", "평가")].into_iter().enumerate() {
            let (old, new) = (of(old)[split], of(new)[split]);
            table.row([format!("{bucket}, {name}"), grouped(old), grouped(new), change(old, new)]);
        }
    }
    print(&table, ui);
    ui.data("");
}

fn documents(moves: &BTreeMap<(String, String), Moved>, lang: Language, ui: &Ui) {
    if moves.is_empty() {
        ui.data(lang.pick("No document met another fate.", "처리 결과가 달라진 문서가 없습니다."));
    }
    let mut moves: Vec<_> = moves.iter().collect();
    moves.sort_by_key(|(_, moved)| std::cmp::Reverse(moved.documents));
    for ((from, to), moved) in moves {
        ui.data(format!("{from} → {to}: {}", grouped(moved.documents)));
        ui.event("move", &json!({ "before": from, "after": to, "documents": moved.documents }));
        for (_, changed) in moved.examples.iter() {
            let why = format!("{} → {}", changed.before.why(), changed.after.why());
            ui.data(format!("  {}  [{}]  {why}", excerpt(&changed.id, ID), changed.source));
        }
    }
}

fn counts(what: &str, lang: Language) -> Columns {
    Columns::new([what, lang.pick("before", "이전"), lang.pick("after", "이후"), lang.pick("change", "차이")])
}

fn print(table: &Columns, ui: &Ui) {
    table.lines().iter().for_each(|line| ui.data(line));
}
