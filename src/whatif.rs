//! `whatif`: what other limits would keep and drop, from the metrics that a run stored.
//!
//! The answer is exact or it says that it is none: a document that an earlier filter dropped has no
//! metrics of later ones, and a share that is stored with six decimals may lie on either side of a
//! limit that it all but equals. [`question`] refuses what no metric decides, [`judge`] decides one
//! document as the chain would, [`tally`] adds up.

mod judge;
mod question;
mod tally;

#[cfg(test)]
mod tests;

use std::path::Path;

use corpora::Part;
use serde_json::json;

use crate::cli::Language;
use crate::error::{Error, Result};
use crate::inspect::{ID, excerpt};
use crate::layout;
use crate::recipe::Recipe;
use crate::report::{Columns, Ui, change, grouped};
use crate::table::each_row;
use question::Question;
use tally::{Change, Example, Sums, Tally};

/// `malmoi whatif RUN FILTER.OPTION=VALUE...`
pub(crate) fn whatif(folder: &Path, settings: &[String], examples: u16, lang: Language, ui: &Ui) -> Result<()> {
    let recipe = Recipe::of_run(folder)?;
    let question = Question::new(&recipe, settings)?;
    let parts: Vec<Part> = layout::read_json(folder, layout::PLAN)?;
    let stale = |part: &Part| {
        Error::new(format!("{} was made with other limits than {} has", layout::table(&part.name), layout::RECIPE))
            .hint("run the recipe again, so that all parts are current")
    };
    let mut tally = Tally::default();
    for (index, part) in parts.iter().enumerate() {
        let bucket = recipe.sources.get(part.source).map(|source| source.bucket.as_str()).ok_or_else(|| stale(part))?;
        let Some(steps) = question.steps.get(bucket) else { return Err(stale(part)) };
        each_row(folder, part, &question.metrics, &mut |row| {
            if row.outcome == "unreadable" {
                tally.unreadable += 1;
                return Ok(());
            }
            let metric = |name: &str| question.metrics.binary_search(&name).ok().and_then(|at| row.metrics[at]);
            let fate = judge::judge(steps, &metric, row).map_err(|judge::Stale| stale(part))?;
            tally.add(bucket, steps, row, index, &fate, usize::from(examples));
            Ok(())
        })?;
    }
    show(settings, &tally, lang, ui);
    Ok(())
}

fn show(settings: &[String], tally: &Tally, lang: Language, ui: &Ui) {
    let mut total = Sums::default();
    tally.buckets.values().for_each(|sums| total.merge(sums));
    ui.event("whatif", &json!({ "settings": settings, "total": total, "buckets": tally.buckets, "rules": tally.rules, "unknown": tally.unknown, "unreadable": tally.unreadable }));
    let mut table = Columns::new([
        lang.pick("bucket", "버킷"),
        lang.pick("kept now", "지금 통과"),
        lang.pick("kept then", "바꾸면 통과"),
        lang.pick("change", "차이"),
        lang.pick("unknown", "알 수 없음"),
        lang.pick("chars now", "지금 글자"),
        lang.pick("chars then", "바꾸면 글자"),
    ]);
    let mut line = |name: &str, sums: &Sums| {
        table.row([
            name.to_owned(),
            grouped(sums.kept_now.documents),
            grouped(sums.kept_then.documents),
            change(sums.kept_now.documents, sums.kept_then.documents),
            grouped(sums.unknown.documents),
            grouped(sums.kept_now.chars),
            grouped(sums.kept_then.chars),
        ]);
    };
    tally.buckets.iter().for_each(|(bucket, sums)| line(bucket, sums));
    line(lang.pick("all", "전체"), &total);
    lines(&table, ui);
    let mut table = Columns::new([
        lang.pick("dropped by", "탈락 규칙"),
        lang.pick("now", "지금"),
        lang.pick("then", "바꾸면"),
        lang.pick("change", "차이"),
    ]);
    for (rule, count) in &tally.rules {
        table.row([rule.clone(), grouped(count.now), grouped(count.then), change(count.now, count.then)]);
    }
    if !table.is_empty() {
        ui.data("");
        lines(&table, ui);
    }
    for (kind, changed) in &tally.changes {
        ui.data("");
        let examples: Vec<&Example> = changed.examples.iter().map(|(_, example)| example).collect();
        ui.event("whatif-change", &json!({ "change": kind, "documents": changed.documents, "examples": examples }));
        let name = match kind {
            Change::NewlyDropped => lang.pick("kept now, dropped then", "지금은 통과, 바꾸면 탈락"),
            Change::NewlyKept => lang.pick("dropped now, kept then", "지금은 탈락, 바꾸면 통과"),
            Change::OtherRule => lang.pick("dropped by another rule then", "바꾸면 다른 규칙으로 탈락"),
            Change::Unknown => lang.pick("unknown", "알 수 없음"),
        };
        ui.data(format!("{name}: {}", grouped(changed.documents)));
        for example in examples {
            ui.data(format!("  {}  [{}]  {} → {}", excerpt(&example.id, ID), example.bucket, example.now, example.then));
        }
    }
    ui.data("");
    notes(tally, &total, lang, ui);
}

fn lines(table: &Columns, ui: &Ui) {
    table.lines().iter().for_each(|line| ui.data(line));
}

/// What the numbers do not say by themselves.
fn notes(tally: &Tally, total: &Sums, lang: Language, ui: &Ui) {
    if total.unknown.documents > 0 {
        let (low, high) = (total.kept_then.documents, total.kept_then.documents + total.unknown.documents);
        let why: Vec<String> = tally.unknown.iter().map(|(why, documents)| format!("{} {why}", grouped(*documents))).collect();
        let (low, high, why) = (grouped(low), grouped(high), why.join(", "));
        ui.data(lang.pick(
            &format!("The stored metrics leave it open for some documents ({why}): between {low} and {high} would be kept."),
            &format!("저장된 지표로는 알 수 없는 문서가 있습니다({why}). 통과하는 문서는 {low}건에서 {high}건 사이입니다."),
        ));
    }
    if total.dropped_earlier > 0 {
        let documents = grouped(total.dropped_earlier);
        ui.data(lang.pick(
            &format!("{documents} documents are dropped by filters before the changed ones, and stay dropped."),
            &format!("{documents}건은 바꾼 필터보다 앞선 필터에서 탈락하므로 그대로 탈락합니다."),
        ));
    }
    if total.rewritten.documents > 0 {
        let documents = grouped(total.rewritten.documents);
        ui.data(lang.pick(
            &format!(
                "Later filters would still rewrite {documents} of the documents kept then: their characters are counted as they are now."
            ),
            &format!("새로 통과하는 문서 중 {documents}건은 뒤의 필터가 고쳐 쓰므로, 글자 수는 지금 상태로 셌습니다."),
        ));
    }
    ui.data(lang.pick(
        "Documents that pass the filters are counted, duplicates among them: a run looks for duplicates after the filters.",
        "중복 제거 전, 필터를 통과한 문서를 셌습니다.",
    ));
}
