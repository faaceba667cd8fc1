//! `audit`: the ledger of a run, recomputed from its files.
//!
//! Every check reads the files anew; nothing is taken from a summary without being counted again.

mod again;
mod cleaned;
mod ledger;
mod rows;
mod shards;
mod survivors;
mod training;
mod units;

use std::path::Path;

use ::shards::ChatEncoder;
use corpora::{JsonlReader, Part};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::error::{Error, Result};
use crate::recipe::Recipe;
use crate::record::{Count, Duplicate, PartStats, Passages, Trimmed};
use crate::report::Ui;
use crate::stage;
use crate::stage::tokenize::{EMPTIED, PartShards, Unique};
use crate::{CANCEL, chat, layout};
use again::{clean_again, dedup_again};
use cleaned::{Cleaned, cleaned_ledger};
use ledger::{Ledger, Totals};
use rows::Rows;
use shards::{Texts, import_ledger, shards_ledger};
use survivors::{Sizes, Survivors, clusters_ledger, survivors_ledger};
use training::token_ledger;
use units::units_ledger;

/// `malmoi audit RUN`.
pub(crate) fn audit(folder: &Path, deep: bool, ui: &Ui) -> Result<()> {
    let recipe = Recipe::load(&folder.join(layout::RECIPE), &[])
        .map_err(|error| Error::new(format!("{} is no run folder: {}", folder.display(), error.message)))?;
    let parts: Vec<Part> = layout::read_json(folder, layout::PLAN)?;
    let mut ledger = Ledger { ui, checks: 0, faults: Vec::new() };
    let mut totals = Totals::default();
    let tokenizer = ledger.take(stage::tokenizer::open(folder, &recipe.tokenizer));
    let template = ledger.take(chat::open(folder)).flatten();
    let chat =
        template.as_ref().zip(tokenizer.as_ref()).and_then(|(template, tokenizer)| ledger.take(ChatEncoder::new(template, tokenizer)));
    let texts = Texts { tokenizer: tokenizer.as_ref(), chat: chat.as_ref() };
    if let Err(error) = units_ledger(folder, &recipe, &mut ledger) {
        ledger.fault(error.message);
    }
    let survivors = Survivors::read(folder, &parts, &mut ledger);
    for part in &parts {
        if let Err(error) = part_ledger(folder, &recipe, part, texts, deep, &survivors, &mut totals, &mut ledger) {
            ledger.fault(error.message);
        }
    }
    let mut clusters = Sizes::new();
    for part in &parts {
        if let Err(error) = survivors_ledger(folder, part, &totals, &mut clusters, &mut ledger) {
            ledger.fault(error.message);
        }
    }
    for part in &parts {
        if let Err(error) = clusters_ledger(folder, part, &clusters, &mut ledger) {
            ledger.fault(error.message);
        }
    }
    if deep {
        for again in [clean_again, dedup_again] {
            if let Err(error) = again(folder, &recipe, &parts, &mut ledger) {
                stage::check(&CANCEL)?;
                ledger.fault(error.message);
            }
        }
    }
    for unit in stage::import::Unit::all(&recipe) {
        if let Err(error) = import_ledger(folder, &recipe, &unit, tokenizer.as_ref(), deep, &mut totals, &mut ledger) {
            ledger.fault(error.message);
        }
    }
    if let Err(error) = token_ledger(folder, &recipe, &parts, tokenizer.as_ref(), &totals, &mut ledger) {
        ledger.fault(error.message);
    }
    summary(&totals, &ledger);
    ui.event("audit", &json!({ "totals": totals, "checks": ledger.checks, "faults": ledger.faults }));
    match ledger.faults.len() {
        0 => Ok(()),
        1 => Err(Error::bad_result("the audit found 1 fault").hint("remove the file it names and run the recipe again")),
        faults => {
            Err(Error::bad_result(format!("the audit found {faults} faults")).hint("remove the files they name and run the recipe again"))
        }
    }
}

fn summary(totals: &Totals, ledger: &Ledger<'_>) {
    let ui = ledger.ui;
    let documents = |name: &str, count: Count| ui.data(format!("{name:<12} {:>12} documents {:>16} bytes", count.documents, count.bytes));
    documents("input", totals.input);
    documents("= kept", totals.encoded);
    documents("+ duplicate", totals.duplicate);
    documents("+ rejected", totals.rejected);
    ui.data(format!("+ unreadable {:>12} records", totals.unreadable));
    if totals.imported.documents > 0 {
        documents("imported", totals.imported);
    }
    if !totals.lost.is_none() {
        ui.data(format!("lost         {}", stage::mix::lost_text(totals.lost, totals.encoded.bytes)));
    }
    ui.data(format!("tokens       {:>12} to train on, {} held out", totals.tokens, totals.held_out_tokens));
    ui.data(format!("{} checks, {} faults", ledger.checks, ledger.faults.len()));
}

/// One part: each row of the input is exactly one of kept, rejected, unreadable; each kept
/// document is exactly one of duplicate and encoded; the encoded ones are in the shards, in order.
#[allow(clippy::too_many_arguments, reason = "what is audited, how, and where it is written down")]
fn part_ledger(
    folder: &Path,
    recipe: &Recipe,
    part: &Part,
    texts: Texts<'_>,
    deep: bool,
    survivors: &Survivors,
    totals: &mut Totals,
    ledger: &mut Ledger<'_>,
) -> Result<()> {
    let name = &part.name;
    let stats: PartStats = layout::read_json(folder, &layout::stats(name))?;
    ledger.check(stats.balances(), || format!("{name}: {} does not balance", layout::stats(name)));
    let Cleaned { kept, rows: mut kept_rows } = cleaned_ledger(folder, part, &stats, survivors, ledger)?;
    let source = recipe.sources.get(part.source).map(|source| (source.name.as_str(), source.bucket.as_str()));
    ledger.check(source == Some((&stats.source, &stats.bucket)), || {
        format!(
            "{name}: is a part of source `{}`, bucket `{}`, which {} and {} do not say",
            stats.source,
            stats.bucket,
            layout::PLAN,
            layout::RECIPE
        )
    });
    let mut previous = None;
    let mut duplicates = 0;
    for line in JsonlReader::<Duplicate>::open(&folder.join(layout::duplicates(name)))? {
        let line = line?;
        ledger.check(kept_rows.remove(line.row) && previous.is_none_or(|row| row < line.row), || {
            format!("{name}: duplicate row {} is no kept row, or out of order", line.row)
        });
        previous = Some(line.row);
        duplicates += 1;
    }
    let left: PartShards = layout::read_json(folder, &layout::shard_info(&stats.bucket, name))?;
    let emptied = cuts_ledger(folder, name, &kept_rows, &left, ledger)?;
    ledger.equal(&format!("{name}: duplicates"), &(duplicates + emptied), &left.duplicate().documents);
    ledger.equal(
        &format!("{name}: kept = encoded + duplicate documents"),
        &kept.documents,
        &(left.encoded.documents + duplicates + emptied),
    );
    ledger.equal(
        &format!("{name}: kept = encoded + duplicate + trimmed + excerpted bytes"),
        &kept.bytes,
        &(left.encoded.bytes + left.duplicate().bytes + left.trimmed.bytes + left.excerpted.bytes),
    );
    shards_ledger(folder, recipe, name, &left, texts, deep, totals, ledger)?;
    totals.input.merge(stats.input);
    totals.kept.merge(kept);
    totals.unreadable += stats.unreadable;
    stats.rejected.values().for_each(|count| totals.rejected.merge(*count));
    totals.duplicate.merge(left.duplicate());
    totals.encoded.merge(left.encoded);
    totals.encoded_rows.insert(name.clone(), kept_rows);
    Ok(())
}

/// Each document that lost lines or passages is one that is no duplicate, and what it lost is what
/// `tokenize` left out; gives the number of those that lost everything.
fn cuts_ledger(folder: &Path, name: &str, kept_rows: &Rows, left: &PartShards, ledger: &mut Ledger<'_>) -> Result<u64> {
    let mut unique = Unique::open(folder, name)?;
    unique.by_ref().try_for_each(|document| document.map(drop))?;
    ledger.equal(&format!("{name}: bytes of duplicates by kind"), &unique.duplicates, &left.duplicates);
    ledger.equal(&format!("{name}: bytes of trimmed lines"), &unique.trimmed, &left.trimmed);
    ledger.equal(&format!("{name}: bytes of passages"), &unique.excerpted, &left.excerpted);
    let emptied = EMPTIED.map(|kind| left.duplicates.get(kind).map_or(0, |count| count.documents)).iter().sum();
    let lines = cut_rows::<Trimmed>(folder, &layout::trimmed(name), |trimmed| trimmed.row, kept_rows, ledger)?;
    let passages = cut_rows::<Passages>(folder, &layout::passages(name), |passages| passages.row, kept_rows, ledger)?;
    // One that lost everything can have lost lines, passages, or first some lines and then the rest.
    let within = |rows: u64, encoded: u64| (encoded..=encoded + emptied).contains(&rows);
    ledger.check(within(lines, left.trimmed.documents) && within(passages, left.excerpted.documents), || {
        format!("{name}: {lines} documents lost lines and {passages} passages, {emptied} of them everything; tokenize counted otherwise")
    });
    Ok(emptied)
}

/// The documents in a ledger of cuts, each of which must be one that no duplicate is.
fn cut_rows<T: DeserializeOwned>(
    folder: &Path,
    file: &str,
    row: impl Fn(&T) -> u64,
    kept_rows: &Rows,
    ledger: &mut Ledger<'_>,
) -> Result<u64> {
    let path = folder.join(file);
    let mut rows = 0;
    if path.exists() {
        for line in JsonlReader::<T>::open(&path)? {
            let row = row(&line?);
            rows += 1;
            ledger.check(kept_rows.contains(row), || format!("{file}: row {row} lost text, but is no row that is encoded"));
        }
    }
    Ok(rows)
}
